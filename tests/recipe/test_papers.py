"""The papers' recipes run in their small form, and docs/paper-map.md agrees with their reports."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from anonderm.core.rundir import RunRecord
from anonderm.recipe.execute import run_recipe
from anonderm.recipe.plan import read_recipe

ROOT = Path(__file__).parents[2]
PAPERS = ("acnegan", "rosacea", "skin_filtered_acne", "lesion_types")


@dataclass
class Ran:
    name: str
    records: list[RunRecord]

    @property
    def page(self) -> str:
        return (self.records[-1].folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=PAPERS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    out = tmp_path_factory.mktemp(request.param)
    return Ran(request.param, run_recipe(ROOT / "recipes" / f"{request.param}.toml", out, small=True))


@dataclass
class Headings(HTMLParser):
    """The headings in each section, with those of folded parts."""

    found: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    section: str = ""
    text: str | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("h2", "h3", "h4", "summary"):
            self.text = ""

    def handle_data(self, data: str) -> None:
        if self.text is not None:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        if self.text is None or tag not in ("h2", "h3", "h4", "summary"):
            return
        if tag == "h2":
            self.section = self.text
        self.found[self.section].add(self.text)
        self.text = None


def mapped(name: str) -> list[tuple[str, str]]:
    """(section, heading) of every counterpart that the paper map lists for a recipe."""
    page = (ROOT / "docs" / "paper-map.md").read_text(encoding="utf-8")
    part = page.split(f"\n## {name}.toml\n")[1].split("\n## ")[0]
    return re.findall(r"`([^`›]+) › ([^`]+)`", part)


def test_a_recipe_runs_from_its_first_step_to_its_report(ran: Ran) -> None:
    planned = [step.name for step in read_recipe(ROOT / "recipes" / f"{ran.name}.toml", small=True).steps]
    assert [record.name for record in ran.records] == planned
    assert all(record.done for record in ran.records)


def test_the_counterpart_of_every_table_and_figure_is_in_the_report(ran: Ran) -> None:
    headings = Headings()
    headings.feed(ran.page)
    counterparts = mapped(ran.name)
    assert len(counterparts) > 5
    assert [each for each in counterparts if each[1] not in headings.found[each[0]]] == []


def test_the_report_calls_phantoms_phantoms(ran: Ran) -> None:
    assert "Contains real photos" not in ran.page
    assert "phantom photos of" in ran.page
