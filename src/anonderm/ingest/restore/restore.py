"""restore: FaceSet -> FaceSet of one size.

faces/           the FaceSet, with the boxes and skin masks of its faces
restoration.csv  one row per resized face: restorer, former side, share of its lesions' contrast kept
lesions.csv      one row per lesion: box, colour contrast with the surrounding skin before and after
lesions.png      the lesions that faded most, before and after
examples.png     some enlarged faces: interpolated above, restored below
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anonderm.core.affine import crop_and_scale, map_known_lesions
from anonderm.core.errors import ConfigChanged, EmptyFolder, InputError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import Pixels, grid, image_size, resize, resize_mask, write_png
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.ingest.config import RestoreConfig
from anonderm.ingest.restore.lesion_contrast import report_lesions
from anonderm.models.restorers.load import open_restorer, read_points
from anonderm.models.restorers.restorer import Lanczos, Points, Restorer, enlarge

_NAMED = 5
_EXAMPLES = 8


def restore(config: RestoreConfig, faces: FaceSet, run: RunDir) -> FaceSet:
    """Store every face at `config.size`; a resumed run continues with the missing faces.

    Raises EmptyFolder, InputError (a face that is not square: whole photos must be aligned first),
    ConfigChanged (the interrupted run had other weights), and what `open_restorer` and `read_points` raise.
    """
    sides = _sides(faces, run)
    enlarges = any(side < config.size for side in sides.values())
    restorer, name = open_restorer(config.restorer, config.weights) if enlarges else (Lanczos(), Lanczos.name)
    points = _points(config, faces, run)
    _log_plan(config, faces, sides, restorer, name, run)
    if (begun := run.remember("restorer", lambda: name)) != name:
        hint = f"Restore the old weights, or delete {run.folder} to start over."
        raise ConfigChanged(f"{run.folder}: begun with {begun}, but the restorer is now {name}.", hint)
    writer = FaceSetWriter(run.folder / "faces")
    work = _Work(faces, config.size, restorer, name, points, writer)
    with run.bar("restoring faces", len(faces), len(writer.done)) as bar:
        for batch in _batches(config, faces, sides):
            before = len(writer.done)
            work.do(batch, sides[batch[0].id])
            bar.advance(len(writer.done) - before)
    restored = writer.finish()
    _write_examples(restored, faces, name, run)
    report_lesions(faces, restored, run)
    return restored


def _sides(faces: FaceSet, run: RunDir) -> dict[str, int]:
    """The side of every face."""
    if not faces.faces:
        raise EmptyFolder(f"{faces.folder}: no face in this FaceSet.", "Ingest photos first.")
    sides: dict[str, int] = {}
    other: list[str] = []
    for face in run.progress(faces.faces, "measuring faces"):
        width, height = image_size(faces.folder / face.file)
        sides[face.id] = height
        if height != width:
            other.append(f"{face.id} ({width} x {height})")
    if other:
        more = f" and {len(other) - _NAMED} more" if len(other) > _NAMED else ""
        raise InputError(
            f"{faces.folder}: {len(other)} of {len(faces)} pictures are not square: "
            f"{', '.join(other[:_NAMED])}{more}.",
            "Align whole photos first.",
        )
    return sides


def _points(config: RestoreConfig, faces: FaceSet, run: RunDir) -> dict[str, Points]:
    if config.points is None:
        if config.restorer == "dfdnet":
            run.log("eyes, nose and mouth are assumed at FFHQ's average positions; see --points")
        return {}
    points = read_points(config.points)
    known = sum(face.id in points for face in faces)
    run.log(f"landmarks of {known} of {len(faces)} faces; the others' components are at average positions")
    return points


def _log_plan(
    config: RestoreConfig,
    faces: FaceSet,
    sides: Mapping[str, int],
    restorer: Restorer,
    name: str,
    run: RunDir,
) -> None:
    small = [side for side in sides.values() if side < config.size]
    large = sum(side > config.size for side in sides.values())
    run.log(f"{len(faces)} faces to {config.size} px: {len(small)} are enlarged, {large} shrunk")
    if not small:
        return
    run.log(f"enlarged by {name}, from {min(small)} to {max(small)} px")
    if restorer.side and restorer.side * restorer.scale < config.size:
        run.log(f"warning: {name} works at {restorer.side} px; {config.size} px are interpolated from that")
    if isinstance(restorer, Lanczos):
        run.log("warning: without the weights of a restorer, faces are only interpolated and remain blurred")
    unframed = sum(face.framing != "ffhq" and sides[face.id] < config.size for face in faces)
    if restorer.framed and unframed:
        run.log(
            f"warning: {name} expects FFHQ's framing, but that of {unframed} faces is different or unknown"
        )


def _batches(config: RestoreConfig, faces: FaceSet, sides: Mapping[str, int]) -> Iterator[list[Face]]:
    """Batches of faces with the same side; a resumed run uses the same ones and computes the same numbers."""
    by_side: dict[int, list[Face]] = defaultdict(list)
    for face in faces:
        by_side[sides[face.id]].append(face)
    for _, group in sorted(by_side.items()):
        for start in range(0, len(group), config.batch):
            yield group[start : start + config.batch]


@dataclass(frozen=True)
class _Work:
    """What every batch needs; `name` is the name of the restorer in the manifest."""

    faces: FaceSet
    size: int
    restorer: Restorer
    name: str
    points: Mapping[str, Points]
    writer: FaceSetWriter

    def do(self, batch: Sequence[Face], side: int) -> None:
        """Store the faces of a batch, all of this side, that are not stored yet."""
        missing = [face for face in batch if face.id not in self.writer.done]
        if side == self.size:
            for face in missing:
                self.writer.add_from(self.faces, face)
        elif side > self.size:
            for face in missing:
                self._add(face, resize(self.faces.image(face), self.size), side)
        elif missing:
            images_NHWC = np.stack([self.faces.image(face) for face in batch])
            points_N = [self.points.get(face.id) for face in batch]
            restored_NHWC = enlarge(images_NHWC, points_N, self.restorer, self.size)
            for face, image_HWC in zip(batch, restored_NHWC, strict=True):
                if face in missing:
                    self._add(dataclasses.replace(face, restorer=self.name), image_HWC, side)

    def _add(self, face: Face, image_HWC: Pixels, side: int) -> None:
        size = (self.size, self.size)
        lesions, _ = map_known_lesions(face.lesions, crop_and_scale(0, 0, side, side, size), size)
        mask_HW = resize_mask(self.faces.mask(face), *size) if face.mask is not None else None
        self.writer.add(image_HWC, face.with_lesions(lesions), mask_HW)


def _write_examples(restored: FaceSet, faces: FaceSet, name: str, run: RunDir) -> None:
    """Faces restored by a network, next to interpolated ones."""
    before = {face.id: face for face in faces}
    shown = [face for face in restored if face.restorer == name and face.sha256 != before[face.id].sha256]
    if name == Lanczos.name or not shown:
        return
    shown = shown[:: max(1, len(shown) // _EXAMPLES)][:_EXAMPLES]
    after = [restored.image(face) for face in shown]
    plain = [resize(faces.image(before[face.id]), len(after[0])) for face in shown]
    write_png(run.folder / "examples.png", grid(np.stack([*plain, *after]), len(shown)))
