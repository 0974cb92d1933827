"""The contrast of lesions with the surrounding skin before and after restoration: measurement and report.

H x W pixels; colours are CIELab, in which a difference of about 2 is just visible.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from anonderm.core.affine import crop_and_scale, map_lesions
from anonderm.core.faceset import FaceSet
from anonderm.core.files import write_csv
from anonderm.core.images import Pixels, grid, image_size, resize, write_png
from anonderm.core.records import Face, Lesion
from anonderm.core.rundir import RunDir

_RING = 1.8  # outer size of the ring, in boxes
_MIN_PIXELS = 4  # inside and around
_FAINTEST = 2.0  # colour difference below which there is no contrast to lose
_WIPED_OUT = 0.5  # share of its colour difference below which a lesion counts as wiped out
_LISTED = 10
_SHOWN, _TILE = 8, 192

_FACE_COLUMNS = (
    *("id", "side_before", "restorer", "lesions"),
    *("measured", "kept_median", "kept_least", "wiped_out"),
)
_LESION_COLUMNS = ("id", "kind", "x0", "y0", "x1", "y1", "before", "after", "kept", "not_measured")

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Contrast:
    """The colour difference between a lesion and its surroundings in each picture.

    `kept` is the share of the first difference that the second still shows in the same direction: 1 is
    unchanged, 0 is wiped out, below 0 is inverted. Without it, `not_measured` is the reason.
    """

    before: float | None = None
    after: float | None = None
    kept: float | None = None
    not_measured: str = ""


def lab(image_HWC: Pixels) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(image_HWC.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def differences(
    image_HWC: Pixels, lesions: Sequence[Lesion], skin_HW: Mask | None
) -> list[NDArray[np.float64] | None]:
    """For each lesion, the median Lab colour inside minus that of the ring around it; None for too few
    pixels.

    Inside is the ellipse that fills the box. The ring excludes the boxes of other lesions and, if `skin_HW`
    is known, everything but skin. Medians are robust to hairs, highlights and boxes that are drawn too large.
    """
    colours_HWC = lab(image_HWC)
    free_HW = np.ones(image_HWC.shape[:2], bool) if skin_HW is None else skin_HW.copy()
    for lesion in lesions:
        free_HW[_pixels(lesion, 1.0, free_HW.shape)] = False
    return [_difference(colours_HWC, free_HW, skin_HW, lesion) for lesion in lesions]


def _difference(
    colours_HWC: NDArray[np.float32], free_HW: Mask, skin_HW: Mask | None, lesion: Lesion
) -> NDArray[np.float64] | None:
    part = _pixels(lesion, _RING, free_HW.shape)
    rows, columns = (np.arange(each.start, each.stop) + 0.5 for each in part)
    across = (columns - lesion.centre[0]) / max(lesion.width / 2, 0.5)
    down = (rows - lesion.centre[1]) / max(lesion.height / 2, 0.5)
    inside = across[None, :] ** 2 + down[:, None] ** 2 <= 1
    if skin_HW is not None:
        inside &= skin_HW[part]
    around = free_HW[part]
    if min(inside.sum(), around.sum()) < _MIN_PIXELS:
        return None
    colours = colours_HWC[part]
    return np.median(colours[inside], axis=0).astype(float) - np.median(colours[around], axis=0)


def _pixels(lesion: Lesion, factor: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns that a box touches, enlarged about its centre, within the picture."""

    def along(low: float, high: float, size: int) -> slice:
        centre, half = (low + high) / 2, factor * (high - low) / 2
        return slice(max(0, int(np.floor(centre - half))), min(size, int(np.ceil(centre + half))))

    return along(lesion.y0, lesion.y1, shape[0]), along(lesion.x0, lesion.x1, shape[1])


def compare(before: NDArray[np.float64] | None, after: NDArray[np.float64] | None) -> Contrast:
    """How much of the colour difference of one lesion is kept."""
    if before is None or after is None:
        return Contrast(not_measured="too small")
    strength = float(np.linalg.norm(before))
    shown = float(np.linalg.norm(after))
    if strength < _FAINTEST:
        return Contrast(strength, shown, not_measured="too faint")
    return Contrast(strength, shown, float(before @ after) / strength**2)


@dataclass(frozen=True, slots=True)
class Change:
    """A lesion of a face: its box in the restored picture and at the compared size, and its contrast."""

    face: Face
    box: Lesion
    compared: Lesion
    contrast: Contrast


def report_lesions(faces: FaceSet, restored: FaceSet, run: RunDir) -> None:
    """Compare every lesion of the resized faces, with both pictures at the size of the larger one."""
    sources = {face.id: face for face in faces}
    resized = [face for face in restored if face.sha256 != sources[face.id].sha256]
    changes: list[Change] = []
    rows = []
    for face in run.progress(resized, "comparing lesions"):
        of_face = list(_changes(sources[face.id], face, faces, restored))
        changes += of_face
        rows.append(_face_row(face, image_size(faces.folder / sources[face.id].file)[0], of_face))
    write_csv(run.folder / "restoration.csv", _FACE_COLUMNS, rows)
    write_csv(run.folder / "lesions.csv", _LESION_COLUMNS, map(_lesion_row, changes))
    if resized:
        _log_summary(changes, run)
    _write_worst(sources, faces, restored, changes, run)


def _changes(source: Face, face: Face, faces: FaceSet, restored: FaceSet) -> Iterator[Change]:
    if not source.lesions:
        return
    images = (faces.image(source), restored.image(face))
    side, size, common = len(images[0]), len(images[1]), max(map(len, images))
    pairs = [
        (box, compared)
        for lesion in source.boxes
        for box in _scaled(lesion, side, size)
        for compared in _scaled(lesion, side, common)
    ]
    skin_HW = None
    if source.mask and face.mask:
        skin_HW = faces.mask(source) if side == common else restored.mask(face)
    lesions = [compared for _, compared in pairs]
    found = [differences(resize(image_HWC, common), lesions, skin_HW) for image_HWC in images]
    for (box, compared), before, after in zip(pairs, *found, strict=True):
        yield Change(face, box, compared, compare(before, after))


def _scaled(lesion: Lesion, side: int, size: int) -> tuple[Lesion, ...]:
    """The lesion in the picture of another size; none if most of its box lies outside."""
    return map_lesions([lesion], crop_and_scale(0, 0, side, side, (size, size)), (size, size))[0]


def _face_row(face: Face, side: int, changes: Sequence[Change]) -> dict[str, Any]:
    shares = _shares(changes)
    return {
        "id": face.id,
        "side_before": side,
        "restorer": face.restorer or "",
        "lesions": "" if face.lesions is None else len(face.lesions),
        "measured": len(shares),
        "kept_median": f"{np.median(shares):.3f}" if shares else "",
        "kept_least": f"{min(shares):.3f}" if shares else "",
        "wiped_out": sum(share < _WIPED_OUT for share in shares),
    }


def _lesion_row(change: Change) -> dict[str, Any]:
    box, contrast = change.box, change.contrast
    sides = [f"{side:.1f}" for side in (box.x0, box.y0, box.x1, box.y1)]
    numbers = (contrast.before, contrast.after, contrast.kept)
    shown = ["" if number is None else f"{number:.3f}" for number in numbers]
    values = (change.face.id, box.kind, *sides, *shown, contrast.not_measured)
    return dict(zip(_LESION_COLUMNS, values, strict=True))


def _shares(changes: Sequence[Change]) -> list[float]:
    return [change.contrast.kept for change in changes if change.contrast.kept is not None]


def _log_summary(changes: Sequence[Change], run: RunDir) -> None:
    shares = _shares(changes)
    if not shares:
        reason = "too small or too faint" if changes else "no face has lesion boxes"
        run.log(f"warning: whether lesions survived could not be measured ({reason})")
        return
    reasons = Counter(change.contrast.not_measured for change in changes)
    run.log(
        f"{len(shares)} lesions keep {np.median(shares):.0%} of their colour difference from the surrounding "
        f"skin (median); not measured: {reasons['too faint']} too faint, {reasons['too small']} too small"
    )
    if wiped_out := sum(share < _WIPED_OUT for share in shares):
        run.log(f"warning: {wiped_out} of {len(shares)} lesions keep under {_WIPED_OUT:.0%}, see lesions.png")
    _log_worst_faces(changes, run)


def _log_worst_faces(changes: Sequence[Change], run: RunDir) -> None:
    of_face: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        of_face[change.face.id].append(change)
    medians = {id: float(np.median(shares)) for id, group in of_face.items() if (shares := _shares(group))}
    worst = sorted((id for id, median in medians.items() if median < _WIPED_OUT), key=lambda id: medians[id])
    if worst:
        more = f" and {len(worst) - _LISTED} more, see restoration.csv" if len(worst) > _LISTED else ""
        run.log(f"warning: {len(worst)} of {len(medians)} faces lost half their lesions' contrast or more:")
        run.log(f"  {', '.join(f'{id} ({medians[id]:.0%})' for id in worst[:_LISTED])}{more}")


def _write_worst(
    sources: Mapping[str, Face], faces: FaceSet, restored: FaceSet, changes: Sequence[Change], run: RunDir
) -> None:
    """lesions.png: one column per lesion, before above after, with its box and the share of contrast kept."""
    measured = [(change.contrast.kept, change) for change in changes if change.contrast.kept is not None]
    above, below = [], []
    for kept, change in sorted(measured, key=lambda each: each[0])[:_SHOWN]:
        images = (faces.image(sources[change.face.id]), restored.image(change.face))
        before_HWC, after_HWC = (resize(image_HWC, max(map(len, images))) for image_HWC in images)
        above.append(_tile(before_HWC, change.compared, "before"))
        below.append(_tile(after_HWC, change.compared, f"kept {kept:.0%}"))
    if above:
        write_png(run.folder / "lesions.png", grid(np.stack([*above, *below]), len(above)))


def _tile(image_HWC: Pixels, lesion: Lesion, text: str) -> Pixels:
    """The surroundings of a lesion, three boxes wide, with its box."""
    half = 1.5 * max(lesion.width, lesion.height, 1.0)
    left, top = lesion.centre[0] - half, lesion.centre[1] - half
    picture = Image.fromarray(image_HWC).transform(
        (_TILE, _TILE),
        Image.Transform.EXTENT,
        (left, top, left + 2 * half, top + 2 * half),
        Image.Resampling.BICUBIC,
    )
    scale = _TILE / (2 * half)
    box = [(lesion.x0 - left) * scale, (lesion.y0 - top) * scale]
    box += [(lesion.x1 - left) * scale, (lesion.y1 - top) * scale]
    draw = ImageDraw.Draw(picture)
    draw.rectangle(box, outline=(0, 255, 255))
    draw.text((4, 2), text, fill=(255, 255, 255), stroke_width=2, stroke_fill=(0, 0, 0))
    return np.asarray(picture)
