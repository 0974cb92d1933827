"""align: whole photos -> square faces in the framing of FFHQ.

faces/           the FaceSet; each face's framing is ffhq, or center or keep where it could not be aligned
points.csv       the points found; corrected, it can be given as --points
unaligned.jsonl  photos that could not be aligned, each with the reason and what was done
aligned.png      faces with their points, and photos that could not be aligned, to look at

.photos.jsonl notes the photos that are done, for resuming.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import append_line, read_json_lines, write_text
from anonderm.core.images import write_png
from anonderm.core.rundir import RunDir
from anonderm.core.workers import in_order
from anonderm.ingest.align.config import AlignConfig
from anonderm.ingest.align.contact_sheet import sheet
from anonderm.ingest.align.cutter import CutFace, Result, Task, start
from anonderm.ingest.align.face_points import FacePoints
from anonderm.ingest.align.point_file import COLUMNS, read_points, row_of

_JOURNAL = ".photos.jsonl"
_MUCH = 0.25  # share of a picture outside its photo that is worth a word
_FEW = 16  # photos that are not worth starting more processes


def align(config: AlignConfig, faces: FaceSet, run: RunDir) -> FaceSet:
    """Find the face in every photo and cut it out; boxes and masks follow.

    Raises MissingExtra (dlib), MissingPath, UnreadableImage, InputError (points or model of another form),
    ProcessLost, or TooFewImages where no face is left.
    """
    marked = _marked(config.points, faces, run)
    journal = run.folder / _JOURNAL
    done = {row["photo"] for row in read_json_lines(journal)}
    tasks = [Task(faces.folder, face, marked.get(face.id, ())) for face in faces if face.id not in done]
    writer = FaceSetWriter(run.folder / "faces")
    processes = 1 if len(tasks) <= _FEW else None
    with run.bar("aligning", len(faces), len(done)) as bar:
        for result in in_order(partial(start, config), tasks, processes):
            for each in result.cuts:
                writer.add_photo(each.png, ".png", each.face, each.mask_HW)
            append_line(journal, json.dumps(_note(result), ensure_ascii=False))
            bar.advance()
    rows = sorted(
        {row["photo"]: row for row in read_json_lines(journal)}.values(), key=lambda row: row["photo"]
    )
    if not writer.done:
        raise TooFewImages(
            f"None of the {len(faces)} photos could be aligned.",
            "Look at some of them. --fallback center takes them unaligned, --points marks faces by hand.",
        )
    aligned = writer.finish()
    _write_lists(rows, config, run.folder)
    write_png(run.folder / "aligned.png", sheet(aligned, faces, rows))
    _say_what_was_done(rows, config, run)
    return aligned


def _marked(path: Path | None, faces: FaceSet, run: RunDir) -> dict[str, tuple[FacePoints, ...]]:
    """Id -> faces marked by hand. Photos are named by id, or by the file that ingest noted for it."""
    if path is None:
        return {}
    points = read_points(path)
    own = {face.id: face.id for face in faces}
    ids = own | {file: id for file, id in _files(faces) if id in own}
    unknown = sorted(points.keys() - ids.keys())
    if unknown:
        shown = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        run.log(f"warning: {path.name} marks {len(unknown)} photos that are not in the set: {shown}")
    run.log(f"{len(points) - len(unknown)} photos were marked by hand")
    return {ids[photo]: faces_there for photo, faces_there in points.items() if photo in ids}


def _files(faces: FaceSet) -> Iterator[tuple[str, str]]:
    """File and id of every photo, where the FaceSet lies in the run folder of an ingest."""
    path = faces.folder.parent / "sources.csv"
    if path.exists():
        for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")):
            yield row["file"], row["id"]


def _note(result: Result) -> dict[str, Any]:
    cuts = [_cut_row(each) for each in result.cuts]
    return {"photo": result.photo, "found": result.found, "reason": result.reason, "faces": cuts}


def _cut_row(each: CutFace) -> dict[str, Any]:
    points = dataclasses.asdict(each.points) if each.points else None
    return {"id": each.face.id, "points": points, "outside": round(each.outside, 4), "lost": each.lost}


def _write_lists(rows: list[dict[str, Any]], config: AlignConfig, folder: Path) -> None:
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        for each in row["faces"]:
            if each["points"]:
                writer.writerow(row_of(row["photo"], FacePoints(**each["points"])))
    write_text(folder / "points.csv", table.getvalue())
    lines = (
        json.dumps({"photo": row["photo"], "reason": row["reason"], "fallback": config.fallback}) + "\n"
        for row in rows
        if row["reason"]
    )
    write_text(folder / "unaligned.jsonl", "".join(lines))


def _say_what_was_done(rows: list[dict[str, Any]], config: AlignConfig, run: RunDir) -> None:
    reasons = Counter(row["reason"] for row in rows if row["reason"])
    run.log(f"{len(rows) - reasons.total()} of {len(rows)} photos aligned")
    if reasons:
        what = {"center": "cut to the centre", "keep": "kept whole", "skip": "left out"}[config.fallback]
        counts = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        run.log(f"{reasons.total()} not aligned and {what}, see unaligned.jsonl: {counts}")
    if several := sum(row["found"] > 1 for row in rows):
        taken = "the largest of each was" if config.several == "largest" else "all were"
        run.log(f"{several} photos show several faces; {taken} taken")
    cuts = [each for row in rows for each in row["faces"]]
    if beyond := sum(each["outside"] > _MUCH for each in cuts):
        run.log(f"{beyond} faces reach beyond their photo by more than {_MUCH:.0%}; the rest is mirrored")
    if lost := sum(each["lost"] for each in cuts):
        run.log(f"{lost} lesion boxes lie outside the faces and are lost")
