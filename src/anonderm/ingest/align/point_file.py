"""Points set by hand, in a CSV or JSON file; points.csv, which align writes, has the same form."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError, MissingPath
from anonderm.ingest.align.face_points import FacePoints, Point

PLACES = ("left_eye", "right_eye", "mouth_left", "mouth_right")
COLUMNS = ("photo", *(f"{place}_{axis}" for place in PLACES for axis in "xy"))


def read_points(path: Path) -> dict[str, tuple[FacePoints, ...]]:
    """Photo (id or file) -> the faces in it, in the order of the file.

    CSV with a header, or a JSON list of objects; columns that are not known are ignored, so are rows without
    any point. Raises MissingPath, or InputError naming the row.
    """
    found: dict[str, list[FacePoints]] = defaultdict(list)
    for number, row in enumerate(_rows(path), start=1):
        missing = [name for name in COLUMNS if row.get(name) in (None, "")]
        if len(missing) == len(COLUMNS) - 1 and "photo" not in missing:
            continue
        if missing:
            raise InputError(
                f"{path}: row {number} has no {', '.join(missing)}.", "Fill it, or delete the row."
            )
        found[str(row["photo"])].append(_points(row, f"{path}: row {number}"))
    return {photo: tuple(faces) for photo, faces in found.items()}


def row_of(photo: str, points: FacePoints) -> dict[str, Any]:
    """A row of the file; the mouth's middle stands for both of its corners."""
    places = (points.left_eye, points.right_eye, points.mouth, points.mouth)
    numbers = [round(value, 2) for place in places for value in place]
    return dict(zip(COLUMNS, (photo, *numbers), strict=True))


def _rows(path: Path) -> list[Mapping[str, Any]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        rows = json.loads(text) if path.suffix.lower() == ".json" else _csv_rows(text)
    except FileNotFoundError as error:
        raise MissingPath(f"{path}: no such file.") from error
    except (ValueError, csv.Error) as error:
        raise InputError(
            f"{path}: cannot be read as {path.suffix[1:].upper()} in UTF-8 ({error})."
        ) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: must be a list of objects.", f"Each has the keys {', '.join(COLUMNS)}.")
    return rows


def _csv_rows(text: str) -> list[Mapping[str, Any]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _points(row: Mapping[str, Any], where: str) -> FacePoints:
    try:
        left, right, *mouth = [_point(row, place) for place in PLACES]
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}.", "Points are numbers of pixels.") from error
    middle = ((mouth[0][0] + mouth[1][0]) / 2, (mouth[0][1] + mouth[1][1]) / 2)
    if (
        math.dist(left, right) < 1
        or math.dist(((left[0] + right[0]) / 2, (left[1] + right[1]) / 2), middle) < 1
    ):
        raise InputError(
            f"{where}: the points fall together.", "Set both eyes and the mouth, or delete the row."
        )
    return FacePoints(left, right, middle)


def _point(row: Mapping[str, Any], place: str) -> Point:
    x, y = float(row[f"{place}_x"]), float(row[f"{place}_y"])
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"{place} is not finite")
    return x, y
