"""Boxes of one photo in a Pascal VOC annotation file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core.records import Lesion


@dataclass(frozen=True, slots=True)
class VocBoxes:
    """Boxes, the (width, height) of the picture they refer to if stated, and what was wrong with others."""

    lesions: tuple[Lesion, ...]
    size: tuple[float, float] | None
    problems: tuple[str, ...]


def read_voc(path: Path) -> VocBoxes | str:
    """The boxes of an annotation file, or why it cannot be read. XML entities are not resolved."""
    import defusedxml.ElementTree as Xml
    from defusedxml import DefusedXmlException

    try:
        root = Xml.fromstring(path.read_bytes())
    except (Xml.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        return f"not a VOC annotation ({type(error).__name__}: {error})"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    lesions, problems = [], []
    for number, item in enumerate(root.findall("object"), start=1):
        kind = (item.findtext("name") or "").strip()
        sides = [_number(item, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
        if not kind or not all(map(math.isfinite, sides)):
            problems.append(f"object {number} has no name or no box")
        else:
            x0, y0, x1, y1 = sides
            lesions.append(Lesion(kind, x0 - 1, y0 - 1, x1, y1))  # VOC counts pixels from 1, ends included
    width, height = _number(root, "size/width"), _number(root, "size/height")
    size = (width, height) if width > 0 and height > 0 else None
    return VocBoxes(tuple(lesions), size, tuple(problems))


def _number(element: Any, path: str) -> float:
    """NaN if there is none."""
    try:
        return float(element.findtext(path) or "nan")
    except ValueError:
        return math.nan
