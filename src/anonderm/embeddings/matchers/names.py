"""The names of the matchers; importing this imports none of them."""

from __future__ import annotations

from typing import Literal

MatcherName = Literal["dlib", "arcface", "copy", "encoder"]
