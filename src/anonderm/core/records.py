"""The small values that stages exchange: faces, lesions, and groups of skin tone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

LESION_KINDS = ("comedone", "papule", "pustule", "nodule")

SPLITS = ("train", "val", "test")

IdentifiedBy = Literal["source", "reviewer", "faces", "session"]
"""What tells who is shown: the source, a reviewer, the faces, or scene and time of the photo."""

# Mildest first; labels that are not named here follow in alphabetical order.
SEVERITIES = ("healthy", "mild", "moderate", "severe", "very severe")


def order_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Distinct labels, mildest severity first, others after them in alphabetical order."""
    return _ordered(set(labels), SEVERITIES)


def order_kinds(kinds: Iterable[str]) -> tuple[str, ...]:
    """Distinct kinds of lesions: the standard ones first, in their order, then others alphabetically."""
    return _ordered(set(kinds), LESION_KINDS)


def _ordered(found: set[str], standard: tuple[str, ...]) -> tuple[str, ...]:
    return (*(name for name in standard if name in found), *sorted(found - set(standard)))


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion and its box, in pixels of the stored image; x1 and y1 are exclusive."""

    kind: str
    x0: float
    y0: float
    x1: float
    y1: float

    @staticmethod
    def from_corner(kind: str, left: float, top: float, width: float, height: float) -> Lesion:
        """As COCO gives boxes."""
        return Lesion(kind, left, top, left + width, top + height)

    @staticmethod
    def from_centre(kind: str, x: float, y: float, width: float, height: float) -> Lesion:
        """As YOLO gives boxes."""
        return Lesion.from_corner(kind, x - width / 2, y - height / 2, width, height)

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass(frozen=True, slots=True)
class Face:
    """One row of a FaceSet's manifest.

    `file` and `mask` are relative to the FaceSet's folder. `split` is train, val or test and belongs to
    the person. `identified_by`: what tells that no other person of the set is the same; None: nothing does.
    `checkpoint`, `seed` and `psi` describe synthetic faces; `reason` says why screening or
    grading put a face aside; `ita` is the individual typology angle of the skin, in degrees. `lesion_types`
    are the kinds of lesions on the face, with or without boxes. Of both, None means unknown, and an empty
    tuple that the source, or a detector, found no lesion. `framing` says how the picture was cut from its
    photo (ffhq, center, keep, skin), `restorer` what enlarged it.
    """

    id: str
    file: str = ""
    sha256: str = ""
    label: str | None = None
    subject: str | None = None
    split: str | None = None
    parents: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""
    checkpoint: str | None = None
    seed: int | None = None
    psi: float | None = None
    confidence: float | None = None
    reason: str | None = None
    ita: float | None = None
    lesions: tuple[Lesion, ...] | None = None
    lesion_types: tuple[str, ...] | None = None
    mask: str | None = None
    framing: str | None = None
    restorer: str | None = None
    identified_by: IdentifiedBy | None = None

    @property
    def person(self) -> str:
        """The subject; a face without one counts as a separate person."""
        return self.subject or self.id

    @property
    def boxes(self) -> tuple[Lesion, ...]:
        """The known boxes; none also where they are unknown."""
        return self.lesions or ()

    def with_lesions(self, lesions: tuple[Lesion, ...] | None) -> Face:
        """The face with the boxes that are left; where types are stated, they become those of these boxes."""
        if lesions is None or self.lesion_types is None:
            return replace(self, lesions=lesions)
        return replace(self, lesions=lesions, lesion_types=tuple(sorted({each.kind for each in lesions})))

    @staticmethod
    def from_row(row: dict[str, Any]) -> Face:
        lesions, types = row["lesions"], row.get("lesion_types")
        return Face(
            **{
                **row,
                "parents": tuple(row.get("parents") or ()),
                "lesions": None if lesions is None else tuple(Lesion(**lesion) for lesion in lesions),
                "lesion_types": None if types is None else tuple(types),
            }
        )


# Individual typology angle in degrees: above the first number, up to the second (Chardon et al. 1991: very
# light and light, intermediate and tan, brown and dark).
TONES = {"light": (41.0, math.inf), "medium": (10.0, 41.0), "dark": (-math.inf, 10.0)}


def tone_of(ita: float | None) -> str | None:
    """The group of an angle; None where it is unknown."""
    return next((name for name, (low, high) in TONES.items() if ita is not None and low < ita <= high), None)
