"""Groups of skin tone, wide enough that photos in uncalibrated light are seldom assigned to a wrong one."""

from __future__ import annotations

import math

# Individual typology angle in degrees: above the first number, up to the second (Chardon et al. 1991: very
# light and light, intermediate and tan, brown and dark).
TONES = {"light": (41.0, math.inf), "medium": (10.0, 41.0), "dark": (-math.inf, 10.0)}


def tone_of(ita: float | None) -> str | None:
    """The group of an angle; None where it is unknown."""
    return next((name for name, (low, high) in TONES.items() if ita is not None and low < ita <= high), None)
