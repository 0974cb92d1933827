"""FaceSet: a folder of faces with a manifest, the artefact that most stages read and write."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from anonderm.core.errors import BrokenArtefact, EmptyFolder, InputError, MissingPath
from anonderm.core.files import (
    append_line,
    atomic_path,
    link_or_copy,
    read_json_lines,
    sha256_bytes,
    sha256_file,
    write_bytes,
)
from anonderm.core.images import (
    KNOWN_SUFFIXES,
    Pixels,
    encode_png,
    is_image_name,
    read_image,
    resize,
    write_png,
)
from anonderm.core.names import is_hidden, slugs
from anonderm.core.records import Face, order_labels

MANIFEST = "manifest.parquet"
_JOURNAL = "rows{part}.jsonl"
_FORMAT = {
    "anonderm": "2"
}  # in the manifest's metadata; without it, an empty list of lesions may mean unknown


@dataclass(frozen=True)
class FaceSet:
    """Faces of one folder, or a view of some of them."""

    folder: Path
    faces: tuple[Face, ...]

    @staticmethod
    def load(folder: Path) -> FaceSet:
        """Raises MissingPath or BrokenArtefact."""
        import pyarrow.parquet as parquet

        path = folder / MANIFEST
        if not path.exists():
            unfinished = any(folder.glob(_JOURNAL.format(part="*")))
            hint = "Its stage was interrupted: run the same command again." if unfinished else ""
            raise MissingPath(f"{folder}: not a finished FaceSet (no {MANIFEST}).", hint)
        try:
            table = parquet.read_table(path)
            rows = table.to_pylist() if b"anonderm" in (table.schema.metadata or {}) else _first_format(table)
            faces = tuple(map(Face.from_row, rows))
            _check_types(table.schema)
        except Exception as error:  # of any kind, for a damaged table
            hint = "Run the stage that made the FaceSet again."
            raise BrokenArtefact(f"{path}: not a FaceSet manifest ({error}).", hint) from error
        for face in faces:
            if not _stays_inside(face):
                raise BrokenArtefact(
                    f"{path}: face {face.id!r} names a file outside its folder.",
                    "Run the stage that made the FaceSet again.",
                )
        return FaceSet(folder, faces)

    def __len__(self) -> int:
        return len(self.faces)

    def __iter__(self) -> Iterator[Face]:
        return iter(self.faces)

    @cached_property
    def digest(self) -> str:
        """sha256 of the faces' content (pixels, labels, people, splits), independent of their location."""
        rows = [(f.id, f.sha256, f.label, f.subject, f.split) for f in self.faces]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    @property
    def labels(self) -> tuple[str, ...]:
        return order_labels(face.label for face in self.faces if face.label is not None)

    @property
    def label_counts(self) -> dict[str, int]:
        """Number of faces of each label, mildest first; faces without a label are not counted."""
        counts = Counter(face.label for face in self.faces)
        return {label: counts[label] for label in self.labels}

    @property
    def people(self) -> int:
        """Number of different people."""
        return len({face.person for face in self.faces})

    @property
    def unidentified(self) -> int:
        """Real faces of which nothing tells whether other faces show the same person; 0: people are known."""
        return sum(face.checkpoint is None and face.identified_by is None for face in self.faces)

    @property
    def origin(self) -> str:
        """real, synthetic (every face names the checkpoint that generated it), or mixed."""
        synthetic = sum(face.checkpoint is not None for face in self.faces)
        return "real" if synthetic == 0 else "synthetic" if synthetic == len(self) else "mixed"

    @property
    def licence(self) -> str:
        """The distinct licences of the faces, joined by AND, as those of several sources apply together."""
        return " AND ".join(sorted({face.licence for face in self.faces if face.licence}))

    def where(
        self,
        *,
        split: str | Collection[str | None] | None = None,
        label: str | None = None,
        ids: Collection[str] | None = None,
    ) -> FaceSet:
        """The faces that meet all given conditions; in a collection of splits, None stands for no split."""
        splits = {split} if isinstance(split, str) else split
        kept = (
            face
            for face in self.faces
            if (splits is None or face.split in splits)
            and (label is None or face.label == label)
            and (ids is None or face.id in ids)
        )
        return FaceSet(self.folder, tuple(kept))

    def sample(self, count: int, rng: np.random.Generator) -> FaceSet:
        """Up to `count` faces drawn at random, in the order of the set."""
        rows = np.sort(rng.permutation(len(self.faces))[:count])
        return FaceSet(self.folder, tuple(self.faces[row] for row in rows))

    def image(self, face: Face) -> Pixels:
        """uint8 RGB [H, W, 3]. Raises MissingPath or UnreadableImage."""
        return _read(self.folder / face.file)

    def mask(self, face: Face) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Skin mask, bool [H, W]. Raises BrokenArtefact if the face has none."""
        if face.mask is None:
            raise BrokenArtefact(
                f"{self.folder}: face {face.id} has no skin mask.",
                "Run `anonderm skin` on these faces first.",
            )
        return _read(self.folder / face.mask)[:, :, 0] > 127

    def batches(self, count: int) -> Iterator[FaceSet]:
        """The same faces in order, at most `count` at a time."""
        for start in range(0, len(self.faces), count):
            yield FaceSet(self.folder, self.faces[start : start + count])

    def pixels(self, size: int | None = None) -> Pixels:
        """All images, uint8 [N, size, size, 3].

        Without `size`, the images are not resized. Raises InputError unless they are squares of one size.
        """
        if not self.faces:
            return np.zeros((0, size or 0, size or 0, 3), np.uint8)
        first = self.image(self.faces[0])
        side = size or first.shape[0]
        stack = np.empty((len(self.faces), side, side, 3), np.uint8)
        for index, face in enumerate(self.faces):
            image_HWC = first if index == 0 else self.image(face)
            if size is None and image_HWC.shape[:2] != (side, side):
                height, width = image_HWC.shape[:2]
                raise InputError(
                    f"{self.folder}: face {face.id} has {width} x {height} pixels, not {side} x {side}.",
                    "Faces must be squares of one size, as `anonderm ingest --size` makes them.",
                )
            stack[index] = resize(image_HWC, side)
        return stack


def _read(path: Path) -> Pixels:
    try:
        return read_image(path)
    except InputError as error:
        raise type(error)(error.message, "Restore this image, or make its FaceSet again.") from error


class FaceSetWriter:
    """Writes a FaceSet face by face; after an interruption, it continues with the faces written so far.

    Several processes may write one set, each with its own `part`; one of them finishes it.
    """

    def __init__(self, folder: Path, part: int = 0) -> None:
        self.folder = folder
        finished = FaceSet.load(folder).faces if (folder / MANIFEST).exists() else ()
        self._journal = folder / _JOURNAL.format(part=f"-{part}" if part else "")
        self._rows = {face.id: face for face in (*finished, *self._journalled())}

    def _journals(self) -> list[Path]:
        return sorted(self.folder.glob(_JOURNAL.format(part="*")))

    def _journalled(self) -> list[Face]:
        return [_face_of(row, journal) for journal in self._journals() for row in read_json_lines(journal)]

    @property
    def done(self) -> AbstractSet[str]:
        """Ids of the faces on disk; a live view."""
        return self._rows.keys()

    @property
    def rows(self) -> tuple[Face, ...]:
        """The faces on disk."""
        return tuple(self._rows.values())

    def add(self, image_HWC: Pixels, face: Face, mask_HW: np.ndarray | None = None) -> Face:
        """As `add_photo`, for pixels, which are written as PNG."""
        return self.add_photo(encode_png(image_HWC), ".png", face, mask_HW)

    def add_photo(self, data: bytes, suffix: str, face: Face, mask_HW: np.ndarray | None = None) -> Face:
        """Write the bytes of an image file that `read_image` can read (suffix with the dot), its skin mask as
        PNG, and its row; returns the row with file and sha256.

        Raises InputError for an id that cannot name a file.
        """
        if not _names_a_file(face.id):
            raise InputError(f"{self.folder}: {face.id!r} cannot name a file.", "Rename its class.")
        file = f"images/{face.id}{suffix}"
        write_bytes(self.folder / file, data)
        mask = self._write_mask(face, mask_HW)
        return self._note(dataclasses.replace(face, file=file, sha256=sha256_bytes(data), mask=mask))

    def _write_mask(self, face: Face, mask_HW: np.ndarray | None) -> str | None:
        if mask_HW is None:
            return None
        mask = f"masks/{face.id}.png"
        write_png(self.folder / mask, mask_HW)
        return mask

    def add_from(self, faces: FaceSet, face: Face, mask_HW: np.ndarray | None = None) -> Face:
        """Add a face of another FaceSet, with image and mask as hard links where the file system allows.

        `face` may differ from the row in `faces` (a new label, a reason), but not in its `file`, and in its
        `mask` only if `mask_HW` is given.
        """
        link_or_copy(faces.folder / face.file, self.folder / face.file)
        if mask_HW is not None:
            return self._note(dataclasses.replace(face, mask=self._write_mask(face, mask_HW)))
        if face.mask is not None:
            link_or_copy(faces.folder / face.mask, self.folder / face.mask)
        return self._note(face)

    def _note(self, face: Face) -> Face:
        append_line(self._journal, json.dumps(dataclasses.asdict(face), ensure_ascii=False))
        self._rows[face.id] = face
        return face

    def finish(self) -> FaceSet:
        """Write the manifest, ordered by id, which completes the FaceSet."""
        import pyarrow.parquet as parquet

        self._rows |= {face.id: face for face in self._journalled()}
        faces = tuple(sorted(self._rows.values(), key=lambda face: face.id))
        with atomic_path(self.folder / MANIFEST) as temporary:
            parquet.write_table(_table(faces), temporary)
        for journal in self._journals():
            journal.unlink()
        return FaceSet(self.folder, faces)


def _stays_inside(face: Face) -> bool:
    """Whether the id can be part of a file name, and the paths stay below the folder."""
    paths = [PurePosixPath(relative) for relative in (face.file, face.mask) if relative is not None]
    down = all(not path.is_absolute() and ".." not in path.parts and "\0" not in str(path) for path in paths)
    return down and _names_a_file(face.id)


def _names_a_file(name: str) -> bool:
    return bool(name) and not set(name) & set("/\\\0")


def _schema() -> Any:
    import pyarrow as pa

    lesion = pa.struct([("kind", pa.string()), *((side, pa.float64()) for side in ("x0", "y0", "x1", "y1"))])
    types = {name: pa.float64() for name in ("psi", "confidence", "ita")}
    types |= {"seed": pa.int64(), "lesions": pa.list_(lesion)}
    types |= {name: pa.list_(pa.string()) for name in ("parents", "lesion_types")}
    names = [field.name for field in dataclasses.fields(Face)]
    return pa.schema([(name, types.get(name, pa.string())) for name in names], _FORMAT)


def _table(faces: tuple[Face, ...]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist([dataclasses.asdict(face) for face in faces], schema=_schema())


def _check_types(found: Any) -> None:
    """Raises TypeError for a column of another type."""
    expected = _schema()
    for field in found:
        if field.name in expected.names and field.type != expected.field(field.name).type:
            raise TypeError(f"the column {field.name} has the type {field.type}")


def _first_format(table: Any) -> list[dict[str, Any]]:
    """The rows of a manifest that had one value, an empty list, for no lesions and for unknown ones."""
    rows: list[dict[str, Any]] = table.to_pylist()
    return [
        {**row, "lesions": row["lesions"] or None, "lesion_types": row.get("lesion_types") or None}
        for row in rows
    ]


def pictures(path: Path) -> FaceSet:
    """One image file, or every image below a folder, ordered by name; without labels, people or splits.

    Hidden files and folders are skipped. Raises MissingPath or EmptyFolder.
    """
    if not path.exists():
        raise MissingPath(f"{path}: no such file or folder.", "Check the path.")
    folder = path.parent if path.is_file() else path
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if _is_image(each, path))
    if not files:
        raise EmptyFolder(
            f"{path}: no image in this folder ({KNOWN_SUFFIXES}).", "Give an image or a folder of images."
        )
    names = [file.relative_to(folder).as_posix() for file in files]
    ids = slugs(names)
    faces = (
        Face(ids[name], file=name, sha256=sha256_file(file)) for name, file in zip(names, files, strict=True)
    )
    return FaceSet(folder, tuple(faces))


def _is_image(file: Path, folder: Path) -> bool:
    hidden = any(map(is_hidden, file.relative_to(folder).parts))
    return not hidden and is_image_name(file.name) and file.is_file()


def _face_of(row: dict[str, Any], journal: Path) -> Face:
    """Raises BrokenArtefact for a row that describes no face."""
    try:
        return Face.from_row(row)
    except (KeyError, TypeError, AttributeError) as error:
        hint = f"Delete {journal.parent} and run its command again."
        raise BrokenArtefact(f"{journal}: a row describes no face ({error}).", hint) from error
