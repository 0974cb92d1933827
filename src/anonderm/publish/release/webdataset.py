"""WebDataset: tar shards that are read sequentially.

webdataset/faces-00000.tar    00000000.png, 00000000.cls (number of the class), 00000000.json (the face's row)
"""

import io
import json
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from anonderm.core.faceset import FaceSet
from anonderm.core.files import atomic_path
from anonderm.core.records import Face
from anonderm.publish.release.pictures import Pictures
from anonderm.publish.release.rows import row_of, write_shards


def write_webdataset(pictures: Pictures, folder: Path, megabytes: float) -> Iterator[int]:
    """Write the missing shards; yields the number of faces after each step."""
    return write_shards(pictures, folder, ".tar", megabytes, partial(_write, pictures))


def _write(pictures: Pictures, faces: FaceSet, first: int, path: Path) -> Iterator[int]:
    labels = pictures.faces.labels
    with atomic_path(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive:
        for number, face in enumerate(faces, start=first):
            for suffix, data in _members(pictures, face, labels):
                # Owner, mode and time keep their defaults, so the same faces give the same file.
                member = tarfile.TarInfo(f"{number:08d}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
            yield 1


def _members(pictures: Pictures, face: Face, labels: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    row = {"id": face.id} | {name: value for name, value in row_of(face).items() if value is not None}
    yield "png", pictures.png(face)
    yield "cls", str(labels.index(str(face.label))).encode()
    yield "json", json.dumps(row, ensure_ascii=False).encode()
