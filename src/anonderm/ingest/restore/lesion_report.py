"""What became of the lesions: tables, a summary in the log, and a picture of those that faded most."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from anonderm.core.affine import crop_and_scale, map_lesions
from anonderm.core.faceset import FaceSet
from anonderm.core.files import write_text
from anonderm.core.images import Pixels, grid, image_size, resize, write_png
from anonderm.core.records import Face, Lesion
from anonderm.core.rundir import RunDir
from anonderm.ingest.restore.lesion_contrast import Kept, compare, differences

WIPED_OUT = 0.5  # share of its colour difference below which a lesion counts as wiped out
_LISTED = 10
_SHOWN, _TILE = 8, 192


@dataclass(frozen=True, slots=True)
class Fate:
    """One lesion of one face: its box in the restored picture, and in both as compared; what it kept."""

    face: Face
    box: Lesion
    compared: Lesion
    kept: Kept


def report_lesions(faces: FaceSet, restored: FaceSet, run: RunDir) -> None:
    """Compare every lesion of the faces that were resized, both pictures at the size of the larger one."""
    sources = {face.id: face for face in faces}
    resized = [face for face in restored if face.sha256 != sources[face.id].sha256]
    fates: list[Fate] = []
    rows = []
    for face in run.progress(resized, "comparing lesions"):
        of_face = list(_fates(sources[face.id], face, faces, restored))
        fates += of_face
        rows.append(_row(face, image_size(faces.folder / sources[face.id].file)[0], of_face))
    _write_table(run, "restoration.csv", rows)
    _write_table(run, "lesions.csv", [_lesion_row(fate) for fate in fates])
    _summarise(resized, fates, run)
    _write_worst(sources, faces, restored, fates, run)


def _fates(source: Face, face: Face, faces: FaceSet, restored: FaceSet) -> Iterator[Fate]:
    if not source.lesions:
        return
    images = (faces.image(source), restored.image(face))
    side, size, common = len(images[0]), len(images[1]), max(map(len, images))
    pairs = [
        (box, compared)
        for lesion in source.lesions
        for box in _scaled(lesion, side, size)
        for compared in _scaled(lesion, side, common)
    ]
    skin_HW = None
    if source.mask and face.mask:
        skin_HW = faces.mask(source) if side == common else restored.mask(face)
    lesions = [compared for _, compared in pairs]
    found = [differences(resize(image_HWC, common), lesions, skin_HW) for image_HWC in images]
    for (box, compared), before, after in zip(pairs, *found, strict=True):
        yield Fate(face, box, compared, compare(before, after))


def _scaled(lesion: Lesion, side: int, size: int) -> tuple[Lesion, ...]:
    """The lesion in the picture of another size; none if most of its box lies outside."""
    return map_lesions([lesion], crop_and_scale(0, 0, side, side, (size, size)), (size, size))[0]


def _row(face: Face, side: int, fates: Sequence[Fate]) -> dict[str, Any]:
    shares = _shares(fates)
    return {
        "id": face.id,
        "side_before": side,
        "restorer": face.restorer or "",
        "lesions": len(face.lesions),
        "measured": len(shares),
        "kept_median": f"{np.median(shares):.3f}" if shares else "",
        "kept_least": f"{min(shares):.3f}" if shares else "",
        "wiped_out": sum(share < WIPED_OUT for share in shares),
    }


def _lesion_row(fate: Fate) -> dict[str, Any]:
    numbers = {"before": fate.kept.before, "after": fate.kept.after, "kept": fate.kept.kept}
    return {
        "id": fate.face.id,
        "kind": fate.box.kind,
        **{name: f"{getattr(fate.box, name):.1f}" for name in ("x0", "y0", "x1", "y1")},
        **{name: "" if number is None else f"{number:.3f}" for name, number in numbers.items()},
        "not_measured": fate.kept.why,
    }


def _shares(fates: Sequence[Fate]) -> list[float]:
    return [fate.kept.kept for fate in fates if fate.kept.kept is not None]


def _write_table(run: RunDir, name: str, rows: Sequence[dict[str, Any]]) -> None:
    table = io.StringIO()
    if rows:
        writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_text(run.folder / name, table.getvalue())


def _summarise(resized: Sequence[Face], fates: Sequence[Fate], run: RunDir) -> None:
    shares = _shares(fates)
    if not resized:
        return
    if not shares:
        reason = "too small or too faint" if fates else "no face has lesion boxes"
        run.log(f"warning: whether lesions survived could not be measured ({reason})")
        return
    faint = sum(fate.kept.why == "too faint" for fate in fates)
    small = sum(fate.kept.why == "too small" for fate in fates)
    run.log(
        f"{len(shares)} lesions keep {np.median(shares):.0%} of their colour difference to the skin around "
        f"(median); not measured: {faint} too faint, {small} too small"
    )
    lost = sum(share < WIPED_OUT for share in shares)
    if lost:
        run.log(f"warning: {lost} of {len(shares)} lesions keep less than {WIPED_OUT:.0%}, see lesions.png")
    _name_worst_faces(fates, run)


def _name_worst_faces(fates: Sequence[Fate], run: RunDir) -> None:
    of_face: dict[str, list[Fate]] = {}
    for fate in fates:
        of_face.setdefault(fate.face.id, []).append(fate)
    medians = {id: float(np.median(shares)) for id, group in of_face.items() if (shares := _shares(group))}
    lost = sorted((id for id, median in medians.items() if median < WIPED_OUT), key=lambda id: medians[id])
    if lost:
        more = f" and {len(lost) - _LISTED} more, see restoration.csv" if len(lost) > _LISTED else ""
        run.log(f"warning: {len(lost)} of {len(medians)} faces lost half their lesions' contrast or more:")
        run.log(f"  {', '.join(f'{id} ({medians[id]:.0%})' for id in lost[:_LISTED])}{more}")


def _write_worst(
    sources: Mapping[str, Face], faces: FaceSet, restored: FaceSet, fates: Sequence[Fate], run: RunDir
) -> None:
    """A column a lesion: before above, after below, its box drawn and the share that it kept written."""
    worst = sorted(
        (each for each in fates if each.kept.kept is not None), key=lambda each: each.kept.kept or 0
    )
    if not worst:
        return
    above, below = [], []
    for fate in worst[:_SHOWN]:
        images = (faces.image(sources[fate.face.id]), restored.image(fate.face))
        before_HWC, after_HWC = (resize(image_HWC, max(map(len, images))) for image_HWC in images)
        above.append(_tile(before_HWC, fate.compared, "before"))
        below.append(_tile(after_HWC, fate.compared, f"kept {fate.kept.kept:.0%}"))
    write_png(run.folder / "lesions.png", grid(np.stack([*above, *below]), len(above)))


def _tile(image_HWC: Pixels, lesion: Lesion, text: str) -> Pixels:
    """The surroundings of a lesion, three boxes wide, with its box."""
    half = 1.5 * max(lesion.x1 - lesion.x0, lesion.y1 - lesion.y0, 1.0)
    left, top = (lesion.x0 + lesion.x1) / 2 - half, (lesion.y0 + lesion.y1) / 2 - half
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
