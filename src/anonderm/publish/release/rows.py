"""What a release says of each face, and how it is cut into shards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face
from anonderm.publish.release.pictures import Pictures

# In the order of the table's columns: what a row says, its type in Croissant, and what it means.
COLUMNS = {
    "label": ("sc:Text", "the class of the face"),
    "seed": ("sc:Integer", "the number that the generator drew the face from"),
    "psi": ("sc:Float", "truncation: below 1 faces are nearer to the average"),
    "confidence": ("sc:Float", "how sure the classifier was that sorted the face, 0 to 1"),
    "generator": ("sc:Text", "sha256 of the generator's weights"),
}


def row_of(face: Face) -> dict[str, Any]:
    """Only this leaves: no person, parent, source or file name."""
    return {
        "label": face.label,
        "seed": face.seed,
        "psi": face.psi,
        "confidence": face.confidence,
        "generator": face.checkpoint,
    }


def columns_of(faces: FaceSet) -> tuple[str, ...]:
    """The columns that at least one face fills."""
    rows = [row_of(face) for face in faces]
    return tuple(name for name in COLUMNS if any(row[name] is not None for row in rows))


@dataclass(frozen=True)
class Shard:
    """Faces that go into one file, and the number of the first."""

    number: int
    first: int
    faces: tuple[Face, ...]


def shards(pictures: Pictures, megabytes: float) -> Iterator[Shard]:
    """Cut so that the uncompressed pixels of one shard fit into `megabytes`, as if all were as large as the
    first face; at least one face a shard."""
    width, height = pictures.size()
    count = max(1, int(megabytes * 1e6 / (3 * width * height)))
    for number, batch in enumerate(pictures.faces.batches(count)):
        yield Shard(number, number * count, batch.faces)
