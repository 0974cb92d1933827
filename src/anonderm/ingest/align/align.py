"""align: whole photos -> square faces in the framing of FFHQ.

faces/           the FaceSet; the framing of each face is ffhq, or center or keep if it could not be aligned
points.csv       the landmarks, and what found them; a corrected copy can be given as --points
unaligned.jsonl  photos that could not be aligned, with the reason and the fallback
aligned.png      contact sheet of faces with their landmarks, and of photos that could not be aligned
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from anonderm.core.affine import map_points
from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import read_csv, write_csv, write_json_lines
from anonderm.core.images import Pixels, grid, resize, write_png
from anonderm.core.parallel import in_processes
from anonderm.core.rundir import RunDir
from anonderm.ingest.align.cutter import Cutter, Result, Task
from anonderm.ingest.align.framing import FacePoints, cut, ffhq_square, whole_square
from anonderm.ingest.align.point_file import WRITTEN, read_points, row_of
from anonderm.ingest.config import AlignConfig

_LARGE_PADDING = 0.25  # share of a picture outside its photo above which the log mentions it
_FEW = 16  # photos for which more processes are not worth starting
_SIDE = 160  # of a picture on the contact sheet
_SHEET_COLUMNS = 8
_ALIGNED, _UNALIGNED = 48, 24  # at most


def align(config: AlignConfig, faces: FaceSet, run: RunDir) -> FaceSet:
    """Find the face in every photo and cut it out, with its boxes and mask.

    Raises MissingExtra (no detector), MissingWeights (yunet), MissingPath, UnreadableImage, InputError
    (points or model in another format), ProcessLost, or TooFewImages if no face is left.
    """
    marked = _marked(config.points, faces, run)
    tasks = [Task(faces.folder, face, marked.get(face.id, ())) for face in faces if face.id not in run.memory]
    writer = FaceSetWriter(run.folder / "faces")
    processes = 1 if len(tasks) <= _FEW else None
    with run.bar("aligning", len(faces), len(faces) - len(tasks)) as bar:
        for result in in_processes(partial(Cutter, config), tasks, processes):
            for each in result.cuts:
                writer.add_photo(each.png, ".png", each.face, each.mask_HW)
            run.remember(result.photo, partial(_summary, result))
            bar.advance()
    if not writer.done:
        raise TooFewImages(
            f"None of the {len(faces)} photos could be aligned.",
            "Inspect some of them. --fallback center uses them unaligned, --points marks faces by hand.",
        )
    aligned = writer.finish()
    rows = [run.memory[id] for id in sorted(face.id for face in faces)]
    _write_lists(rows, config, run.folder)
    write_png(run.folder / "aligned.png", _contact_sheet(aligned, faces, rows))
    _log_summary(rows, config, run)
    return aligned


def _marked(path: Path | None, faces: FaceSet, run: RunDir) -> dict[str, tuple[FacePoints, ...]]:
    """Id -> faces marked by hand. Photos are named by id, or by the file in ingest's sources.csv."""
    if path is None:
        return {}
    points = read_points(path)
    ids = {face.id: face.id for face in faces}
    sources = faces.folder.parent / "sources.csv"
    if sources.exists():
        ids |= {row["file"]: row["id"] for row in read_csv(sources) if row["id"] in ids}
    unknown = sorted(points.keys() - ids.keys())
    if unknown:
        shown = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        run.log(f"warning: {path.name} marks {len(unknown)} photos that are not in the set: {shown}")
    run.log(f"{len(points) - len(unknown)} photos were marked by hand")
    return {ids[photo]: marked for photo, marked in points.items() if photo in ids}


def _summary(result: Result) -> dict[str, Any]:
    cuts = [
        {
            "id": each.face.id,
            "points": dataclasses.asdict(each.points) if each.points else None,
            "outside": round(each.outside, 4),
            "lost": each.lost,
        }
        for each in result.cuts
    ]
    return {"photo": result.photo, "found": result.found, "reason": result.reason, "faces": cuts}


def _write_lists(rows: list[dict[str, Any]], config: AlignConfig, folder: Path) -> None:
    found = [(row["photo"], each["points"]) for row in rows for each in row["faces"] if each["points"]]
    write_csv(
        folder / "points.csv", WRITTEN, [row_of(photo, FacePoints(**points)) for photo, points in found]
    )
    unaligned = [row for row in rows if row["reason"]]
    write_json_lines(
        folder / "unaligned.jsonl",
        [{"photo": row["photo"], "reason": row["reason"], "fallback": config.fallback} for row in unaligned],
    )


def _log_summary(rows: list[dict[str, Any]], config: AlignConfig, run: RunDir) -> None:
    reasons = Counter(row["reason"] for row in rows if row["reason"])
    run.log(f"{len(rows) - reasons.total()} of {len(rows)} photos aligned{_finders(rows)}")
    if reasons:
        what = {"center": "cut to the centre", "keep": "kept whole", "skip": "left out"}[config.fallback]
        counts = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        run.log(f"{reasons.total()} not aligned and {what}, see unaligned.jsonl: {counts}")
    if several := sum(row["found"] > 1 for row in rows):
        taken = "the largest of each was" if config.several == "largest" else "all were"
        run.log(f"{several} photos show several faces; {taken} taken")
    cuts = [each for row in rows for each in row["faces"]]
    if padded := sum(each["outside"] > _LARGE_PADDING for each in cuts):
        run.log(
            f"{padded} faces extend beyond their photo by more than {_LARGE_PADDING:.0%}; this is mirrored"
        )
    if lost := sum(each["lost"] for each in cuts):
        run.log(f"{lost} lesion boxes lie outside the faces and are lost")


def _finders(rows: list[dict[str, Any]]) -> str:
    """How many faces each detector found."""
    found = Counter(each["points"]["found_by"] for row in rows for each in row["faces"] if each["points"])
    return (
        f" (faces by {', '.join(f'{name} {count}' for name, count in found.most_common())})" if found else ""
    )


def _contact_sheet(aligned: FaceSet, photos: FaceSet, rows: Sequence[dict[str, Any]]) -> Pixels:
    """uint8 [H, W, 3]; `rows`: the summaries of all photos. Raises MissingPath or UnreadableImage."""
    faces = {face.id: face for face in aligned}
    originals = {face.id: face for face in photos}
    good = _spread([each for row in rows for each in row["faces"] if each["points"]], _ALIGNED)
    bad = _spread([row for row in rows if row["reason"]], _UNALIGNED)
    tiles = [_aligned_tile(aligned.image(faces[each["id"]]), each) for each in good]
    tiles += [_unaligned_tile(photos.image(originals[row["photo"]]), row) for row in bad]
    return grid(np.stack(tiles), min(_SHEET_COLUMNS, len(tiles)))


def _spread(items: list[Any], most: int) -> list[Any]:
    """All items, or `most` of them, evenly spread."""
    if len(items) <= most:
        return items
    return [items[index * len(items) // most] for index in range(most)]


def _aligned_tile(image_HWC: Pixels, row: dict[str, Any]) -> Pixels:
    points = FacePoints(**row["points"])
    tile = Image.fromarray(resize(image_HWC, _SIDE))
    draw = ImageDraw.Draw(tile)
    for x, y in map_points(points.points_32, ffhq_square(points).onto(_SIDE)):
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill="lime", outline="black")
    return _captioned(tile, row["id"], "black")


def _unaligned_tile(photo_HWC: Pixels, row: dict[str, Any]) -> Pixels:
    height, width = photo_HWC.shape[:2]
    tile = Image.fromarray(cut(photo_HWC, whole_square(width, height), _SIDE))
    ImageDraw.Draw(tile).rectangle((0, 0, _SIDE - 1, _SIDE - 1), outline="red", width=3)
    return _captioned(tile, f"{row['photo']}\n{row['reason']}", "darkred")


def _captioned(tile: Image.Image, text: str, colour: str) -> Pixels:
    """The picture with a strip of text below."""
    framed = Image.new("RGB", (_SIDE, _SIDE + 30), "white")
    framed.paste(tile)
    ImageDraw.Draw(framed).text((3, _SIDE + 2), text, fill=colour)
    return np.asarray(framed)
