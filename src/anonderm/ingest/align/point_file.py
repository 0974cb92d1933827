"""Landmarks marked by hand, in a CSV or JSON file of the same form as the points.csv written by align."""

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anonderm.core.documents import parse_json, read_text
from anonderm.core.errors import InputError, MissingPath
from anonderm.core.files import read_csv
from anonderm.ingest.align.framing import FacePoints, face_points

PLACES = ("left_eye", "right_eye", "mouth_left", "mouth_right")
COLUMNS = ("photo", *(f"{place}_{axis}" for place in PLACES for axis in "xy"))
WRITTEN = (*COLUMNS, "found_by")


def read_points(path: Path) -> dict[str, tuple[FacePoints, ...]]:
    """Photo (id or file) -> its faces, in the order of the file.

    CSV with a header, or a JSON list of objects; unknown columns and rows without any point are ignored.
    Raises MissingPath, or InputError naming the row.
    """
    found: dict[str, list[FacePoints]] = defaultdict(list)
    for number, row in enumerate(_rows(path), start=1):
        missing = [name for name in COLUMNS if row.get(name) in (None, "")]
        if len(missing) == len(COLUMNS) - 1 and "photo" not in missing:
            continue
        if missing:
            raise InputError(
                f"{path}: row {number} has no {', '.join(missing)}.", "Complete it, or delete the row."
            )
        found[str(row["photo"])].append(_points(row, f"{path}: row {number}"))
    return {photo: tuple(faces) for photo, faces in found.items()}


def row_of(photo: str, points: FacePoints) -> dict[str, Any]:
    """A row of the columns WRITTEN; the middle of the mouth stands for both of its corners."""
    places = (points.left_eye, points.right_eye, points.mouth, points.mouth)
    numbers = [round(value, 2) for place in places for value in place]
    return dict(zip(WRITTEN, (photo, *numbers, points.found_by), strict=True))


def _rows(path: Path) -> Sequence[Mapping[str, Any]]:
    if not path.exists():
        raise MissingPath(f"{path}: no such file.", "Give the points.csv of an align run, or a file like it.")
    rows = parse_json(read_text(path), str(path)) if path.suffix.lower() == ".json" else _csv_rows(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: not a list of objects.", f"Each needs the keys {', '.join(COLUMNS)}.")
    return rows


def _csv_rows(path: Path) -> Sequence[Mapping[str, Any]]:
    try:
        return read_csv(path)
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8 ({error}).", "Save it as CSV in UTF-8.") from error


def _points(row: Mapping[str, Any], where: str) -> FacePoints:
    try:
        numbers = {name: float(row[name]) for name in COLUMNS[1:]}
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: {error}.", "Points are numbers of pixels.") from error
    if infinite := [name for name, number in numbers.items() if not math.isfinite(number)]:
        raise InputError(f"{where}: {', '.join(infinite)} is not finite.", "Points are numbers of pixels.")
    points_42 = np.array(list(numbers.values())).reshape(4, 2)
    eyes_2, mouth_2 = points_42[:2].mean(axis=0), points_42[2:].mean(axis=0)
    if min(np.hypot(*(points_42[0] - points_42[1])), np.hypot(*(eyes_2 - mouth_2))) < 1:
        raise InputError(f"{where}: the points coincide.", "Mark both eyes and the mouth, or delete the row.")
    return face_points(*points_42[:2], mouth_2)
