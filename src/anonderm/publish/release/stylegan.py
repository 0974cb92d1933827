"""A FaceSet as the ZIP archive that NVIDIA's StyleGAN2-ADA and StyleGAN3 programs train on.

00000/img00000000.png    the faces in order of their ids, square and of one size
dataset.json             {"labels": [["00000/img00000000.png", 0], ...], "class_names": [...]}

Their loader reads `labels` and ignores `class_names`, which explains the numbers.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from anonderm.core.errors import InputError
from anonderm.core.files import atomic_path
from anonderm.core.images import image_size
from anonderm.publish.release.pictures import Pictures

_DATE = (1980, 1, 1, 0, 0, 0)  # a fixed date, so that the same faces give the same file


def write_stylegan_zip(pictures: Pictures, path: Path) -> Iterator[int]:
    """Write the archive unless it exists; yields the number of faces after each step.

    Raises InputError unless all faces are squares of one size.
    """
    faces = pictures.faces
    if path.exists():
        yield len(faces)
        return
    names, first = faces.labels, pictures.size()
    labels = []
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for index, face in enumerate(faces):
            width, height = image_size(faces.folder / face.file)
            if (width, height) != first or width != height:
                raise InputError(
                    f"{faces.folder}: face {face.id} is {width} x {height} pixels.",
                    "A StyleGAN data set needs square images of one size; leave stylegan out of formats.",
                )
            name = f"{index // 1000:05d}/img{index:08d}.png"
            archive.writestr(zipfile.ZipInfo(name, _DATE), pictures.png(face))
            labels.append((name, names.index(str(face.label))))
            yield 1
        content = json.dumps({"labels": labels, "class_names": names}, ensure_ascii=False)
        archive.writestr(zipfile.ZipInfo("dataset.json", _DATE), content)
