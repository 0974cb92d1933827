"""Seeds, layers and truncation as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.errors import ConfigError
from anonderm.models.stylegan2.range_options import (
    parse_layers,
    parse_psi_layers,
    parse_seeds,
    psi_by_layer,
)


@given(st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 40), min_size=1, unique=True))
def test_seeds_survive_being_written_and_read(seeds: list[int]) -> None:
    assert parse_seeds(",".join(map(str, seeds))) == tuple(seeds)


def test_ranges_include_both_ends_and_keep_their_order() -> None:
    assert parse_seeds("0-3, 20,7-8") == (0, 1, 2, 3, 20, 7, 8)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "3-",
        "-3",
        "a",
        "5-2",
        "1-3,2",
        "4294967296",
        "0-99999999",
        "1e3",
        "0-" + "9" * 40,
        "٣",
        "1..3",
    ],
)
def test_text_that_is_not_a_list_of_seeds_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="seeds"):
        parse_seeds(text)


def test_layers_are_a_range_or_all() -> None:
    assert parse_layers("2-4", 10) == range(2, 5)
    assert parse_layers("all", 10) == range(10)
    assert parse_layers("all") == range(64)
    with pytest.raises(ConfigError, match="no layer 10") as caught:
        parse_layers("2-10", 10)
    assert "0-9" in caught.value.hint


def test_psi_holds_for_every_layer_but_those_named() -> None:
    assert psi_by_layer(0.7, (), 4) == (0.7, 0.7, 0.7, 0.7)
    assert psi_by_layer(0.7, ("0-1=0.5", "3=1"), 4) == (0.5, 0.5, 0.7, 1.0)
    with pytest.raises(ConfigError, match="no layer 4"):
        psi_by_layer(0.7, ("2-4=0.5",), 4)


@pytest.mark.parametrize(
    "texts", [("0-5",), ("0-5=x",), ("=1",), ("0-5=0.5", "5-6=1"), ("0-5=3",), ("all=1",), ("0-999999999=1",)]
)
def test_truncation_that_cannot_be_read_is_refused(texts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="psi"):
        parse_psi_layers(texts)
