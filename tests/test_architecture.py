"""The tour of the source names functions that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
NAMES = sorted(
    set(re.findall(r"`((?:\w+\.)+\w+)`", PAGE.read_text(encoding="utf-8").split("## One face")[1]))
)


def test_the_tour_names_functions() -> None:
    assert len(NAMES) > 20


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith((".toml", ".json"))])
def test_every_function_of_the_tour_exists(name: str) -> None:
    module, _, function = name.rpartition(".")
    assert callable(getattr(importlib.import_module(f"anonderm.{module}"), function))
