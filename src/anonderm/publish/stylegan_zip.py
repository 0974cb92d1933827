"""A FaceSet as the ZIP that NVIDIA's StyleGAN2-ADA and StyleGAN3 programs train on.

00000/img00000000.png    the faces in order of their ids, square and of one size
dataset.json             {"labels": [["00000/img00000000.png", 0], ...], "class_names": [...]}

Their loader reads `labels` and passes over `class_names`, which says what the numbers mean.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.files import atomic_path
from anonderm.core.images import Pixels

_DATE = (1980, 1, 1, 0, 0, 0)  # one date for all, so that the same faces make the same file


def write_stylegan_zip(faces: FaceSet, path: Path, encode: Callable[[Pixels], bytes]) -> None:
    """`encode` makes the PNGs. Raises InputError unless all faces are squares of one size."""
    names = faces.labels
    labels, first = [], None
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for index, face in enumerate(faces):
            image_HWC = faces.image(face)
            first = first or image_HWC.shape
            if image_HWC.shape != first or first[0] != first[1]:
                raise InputError(
                    f"{faces.folder}: face {face.id} is {image_HWC.shape[1]} x {image_HWC.shape[0]} pixels.",
                    "A StyleGAN data set takes squares of one size; leave --stylegan-zip out.",
                )
            name = f"{index // 1000:05d}/img{index:08d}.png"
            archive.writestr(zipfile.ZipInfo(name, _DATE), encode(image_HWC))
            labels.append((name, names.index(str(face.label))))
        content = json.dumps({"labels": labels, "class_names": names}, ensure_ascii=False)
        archive.writestr(zipfile.ZipInfo("dataset.json", _DATE), content)
