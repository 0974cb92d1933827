"""Templates of faces, the interface of the matchers that extract them, and the matcher of people."""

# N faces, V views of a face, D features, M faces on the other side of a comparison

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from anonderm.core.config import check
from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_bytes
from anonderm.core.images import Pixels, read_image
from anonderm.core.parallel import in_threads
from anonderm.core.progress import Bar
from anonderm.core.rundir import RunDir
from anonderm.embeddings.faces.detectors import DETECTORS
from anonderm.embeddings.store import Store, describe_each, key

T = TypeVar("T")
Rows = NDArray[np.float32]
Stored = NDArray[np.float32] | None
MatcherName = Literal["dlib", "arcface", "copy", "encoder", "sface"]


def check_matchers(names: tuple[str, ...]) -> None:
    """Raise ConfigError unless matchers are named, each once."""
    check(len(names) >= 1, "matchers: name at least one.", "Name one or more, as in --matchers dlib copy.")
    check(len(set(names)) == len(names), "matchers: one is named twice.", "Name each once.")


@dataclass(frozen=True)
class Templates:
    """One matcher's embeddings of faces, with one or more views of each.

    rows_NVD: float32; view 0 is the unchanged picture; NaN where the matcher found no face (failed to enrol).
    The functions of metrics.pairwise accept templates like arrays: the distance between two faces is the
    smallest Euclidean distance between any of their views.
    """

    rows_NVD: Rows

    @staticmethod
    def of(rows_NVD: Rows) -> Templates:
        """A face with a value that is not finite, in any view, counts as a failure to enrol."""
        enrolled_N = Templates(rows_NVD).enrolled_N
        return Templates(np.where(enrolled_N[:, None, None], rows_NVD, np.float32(np.nan)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Rows:
        return np.asarray(self.rows_NVD, dtype)

    def __len__(self) -> int:
        return len(self.rows_NVD)

    @property
    def rows_ND(self) -> Rows:
        """The first view of each face."""
        return self.rows_NVD[:, 0]

    @cached_property
    def enrolled_N(self) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(self.rows_NVD).all(axis=(1, 2)))

    def __getitem__(
        self, faces: slice | Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]
    ) -> Templates:
        """The chosen faces only."""
        return Templates(self.rows_NVD[faces])

    def first_view(self) -> Templates:
        """The same faces with their first view only."""
        return Templates(self.rows_NVD[:, :1])


class Matcher(Protocol):
    """Measures how similar two faces are."""

    @property
    def name(self) -> str: ...

    @property
    def recognises_people(self) -> bool:
        """Whether it matches different photos of one person; otherwise only copies of one photo."""

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        """The template of every face; with `views`, also of mirrored (copy matcher: and cropped) versions.

        Views are needed on one side of a comparison only: request them for the smaller set. Raises
        MissingPath, UnreadableImage or ProcessLost.
        """


Describer = Callable[[Pixels], tuple[NDArray[np.float32], str] | None]
"""Pixels uint8 RGB [H, W, 3] -> the row float32 [D] of the largest face, and the detector that found it; None
where no face is found."""


class Picture(Protocol):
    """A photo, wherever it is stored. Both methods raise MissingPath or UnreadableImage."""

    def read(self) -> bytes: ...

    def pixels(self) -> Pixels: ...


@dataclass(frozen=True)
class Descriptions:
    """rows_ND: one row a photo, NaN where no face was found. detectors: what found it; None where none."""

    rows_ND: Rows
    detectors: tuple[str | None, ...]


@dataclass(frozen=True)
class IdentityMatcher:
    """Recognises people by a descriptor of each face, computed by several processes.

    start: makes a describer, in each process anew; digest: changes when its rows could. published: the
    publishers' (arcface: a measured) threshold on the Euclidean distance of rows of one person's photos.
    """

    name: str
    digest: str
    width: int
    published: float
    start: Callable[[], Describer]
    recognises_people: bool = True

    def describe(self, photos: Sequence[Picture], bar: Bar) -> Descriptions:
        """The largest face of every photo. Raises MissingPath, UnreadableImage or ProcessLost."""
        keys = list(in_threads(lambda photo: sha256_bytes(photo.read()), photos))
        return self._described(photos, keys, partial(_photo_describer, self.start), bar)

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        """See Matcher. Enrolment fails where any of the views shows no face."""
        sides = (False, True) if views else (False,)
        pictures = [(faces.folder / face.file, flip) for face in faces for flip in sides]
        keys = [key(face.sha256, mirrored=flip) for face in faces for flip in sides]
        with run.bar(f"describing faces with {self.name}", len(pictures)) as bar:
            found = self._described(pictures, keys, partial(_side_describer, self.start), bar)
        return Templates.of(found.rows_ND.reshape(len(faces), len(sides), self.width))

    def _described(
        self, items: Sequence[T], keys: Sequence[str], start: Callable[[], Callable[[T], Stored]], bar: Bar
    ) -> Descriptions:
        digest = sha256_bytes(f"{self.digest} {DETECTORS}".encode())  # the rows hold places in DETECTORS
        store = Store(self.name, digest, (self.width + 1,))
        rows = describe_each(store, items, keys, start, bar)
        detectors = (DETECTORS[int(row[-1])] if np.isfinite(row[-1]) else None for row in rows)
        return Descriptions(rows[:, :-1], tuple(detectors))


def _stored(described: tuple[NDArray[np.float32], str] | None) -> Stored:
    """The row as it is stored: the number of the detector follows."""
    if described is None:
        return None
    row_D, detector = described
    return np.append(row_D, np.float32(DETECTORS.index(detector)))


def _photo_describer(start: Callable[[], Describer]) -> Callable[[Picture], Stored]:
    describe = _on_one_core(start)
    return lambda photo: _stored(describe(photo.pixels()))


def _side_describer(start: Callable[[], Describer]) -> Callable[[tuple[Path, bool]], Stored]:
    """Describes the picture in a file, mirrored where the flag is true."""
    describe = _on_one_core(start)

    def describe_side(side: tuple[Path, bool]) -> Stored:
        path, flip = side
        pixels_HWC = read_image(path)
        return _stored(describe(np.ascontiguousarray(pixels_HWC[:, ::-1]) if flip else pixels_HWC))

    return describe_side


def _on_one_core(start: Callable[[], Describer]) -> Describer:
    import cv2

    cv2.setNumThreads(1)  # pictures are divided among processes
    return start()
