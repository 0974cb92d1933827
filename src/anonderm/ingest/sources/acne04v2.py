"""Acne04-v2: new annotations for some of the photos of ACNE04, as circles in one JSON file.

Acne04-v2_annotations.json    "images": id, file_name, width, height;
                              "annotations": image_id, coordinates [x, y] of the centre, radius, class_name
levle0_2.jpg                  photos of ACNE04 in any folder below; their names give the severity
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from pathlib import Path
from typing import Any

from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.acne04 import LICENCE, severity
from anonderm.ingest.sources.coco import read_photos
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found
from anonderm.ingest.sources.reading import numbers, read_json_object

_FILES = re.compile(r".*acne04-?v2.*\.json", re.IGNORECASE)


def fits(source: Path) -> bool:
    return source.is_dir() and any(_FILES.fullmatch(path.name) for path in source.iterdir())


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    files = [name for name in listing.files if _FILES.fullmatch(name)]
    for file in files:
        for photo in read_photos(listing, file, read_json_object(listing.files[file]), _lesion):
            label = severity(posixpath.basename(photo.name))
            listing.photos.append(dataclasses.replace(photo, label=label, split=None, licence=LICENCE))
    return listing.found(files, complete=False)  # the set is a part of ACNE04


def _lesion(row: dict[str, Any]) -> Lesion | str:
    """The box around a circle, or what is wrong with it."""
    centre, radius = row.get("coordinates"), row.get("radius")
    circle = numbers([*centre, radius], 3) if isinstance(centre, list) else None
    if circle is None or circle[2] <= 0:
        return f"annotation {row.get('id')} has no circle"
    x, y, side = circle[0], circle[1], 2 * circle[2]
    return Lesion.from_centre(str(row.get("class_name", "acne")), x, y, side, side)
