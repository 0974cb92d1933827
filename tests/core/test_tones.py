"""Skin tone groups by individual typology angle (ITA)."""

from __future__ import annotations

import pytest

from anonderm.core.records import tone_of


@pytest.mark.parametrize(
    ("ita", "tone"),
    [(60.0, "light"), (41.0, "medium"), (10.1, "medium"), (10.0, "dark"), (-80.0, "dark"), (None, None)],
)
def test_an_ita_on_a_limit_belongs_to_the_darker_group(ita: float | None, tone: str | None) -> None:
    assert tone_of(ita) == tone


def test_an_ita_that_is_not_a_number_belongs_to_no_group() -> None:
    assert tone_of(float("nan")) is None
