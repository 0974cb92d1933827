"""What a release contains about each face, and how it is divided into shards."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face
from anonderm.publish.release.pictures import Pictures

# The columns of the table in order: name, type in Croissant, meaning.
COLUMNS = {
    "label": ("sc:Text", "the class of the face"),
    "seed": ("sc:Integer", "the random seed of the face"),
    "psi": ("sc:Float", "truncation psi: below 1, faces are nearer to the average"),
    "confidence": ("sc:Float", "probability of the class, if a classifier labelled the face"),
    "generator": ("sc:Text", "sha256 of the generator's weights"),
}


def renamed(faces: FaceSet) -> FaceSet:
    """The faces under neutral names, face-00000 and so on in their order.

    Their ids name the class for which a face was generated, which grading may have changed since.
    """
    named = (replace(face, id=f"face-{index:05d}") for index, face in enumerate(faces))
    return FaceSet(faces.folder, tuple(named))


def row_of(face: Face) -> dict[str, Any]:
    """All that is released: no person, parent, source or file name."""
    return {
        "label": face.label,
        "seed": face.seed,
        "psi": face.psi,
        "confidence": face.confidence,
        "generator": face.checkpoint,
    }


def columns_of(faces: FaceSet) -> tuple[str, ...]:
    """The columns with a value for at least one face."""
    rows = [row_of(face) for face in faces]
    return tuple(name for name in COLUMNS if any(row[name] is not None for row in rows))


def write_shards(
    pictures: Pictures,
    folder: Path,
    suffix: str,
    megabytes: float,
    write: Callable[[FaceSet, int, Path], Iterator[int]],
) -> Iterator[int]:
    """Write the missing shards; yields the number of faces after each step.

    A shard has at most `megabytes` of uncompressed pixels, if all faces are as large as the first; at least
    one face. `write` is given the faces, the number of the first, and the file.
    """
    width, height = pictures.size()
    count = max(1, int(megabytes * 1e6 / (3 * width * height)))
    for number, faces in enumerate(pictures.faces.batches(count)):
        path = folder / f"faces-{number:05d}{suffix}"
        if path.exists():
            yield len(faces)
        else:
            yield from write(faces, number * count, path)
