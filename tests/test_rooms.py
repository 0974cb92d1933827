"""Imports point one way: down the list of rooms. A stage package never imports another one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import anonderm

ROOT = Path(anonderm.__file__).parent

# From the top down: a package imports those below it, never one beside or above it.
FLOORS = (
    ("cli", "studio"),
    ("recipe",),
    ("experiments",),
    ("stages",),
    ("ingest", "skin", "gan", "curate", "classify", "evaluate", "audit", "publish"),
    ("models",),
    ("embeddings",),
    ("phantom",),
    ("metrics",),
    ("core",),
)
FLOOR = {room: number for number, rooms in enumerate(reversed(FLOORS)) for room in rooms}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {_name(path): path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"}


def imports(path: Path) -> set[str]:
    """The modules of this package that a file imports, at the top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("anonderm."):
            module = (node.module or "").removeprefix("anonderm.")
            found |= {inner if (inner := f"{module}.{each.name}") in FILES else module for each in node.names}
        elif isinstance(node, ast.Import):
            found |= {each.name.removeprefix("anonderm.") for each in node.names if "anonderm." in each.name}
    return found


GRAPH = {name: imports(path) for name, path in FILES.items()}


def room(name: str) -> str:
    return name.partition(".")[0]


def test_every_package_has_its_floor() -> None:
    assert {room(name) for name in FILES} - {"weights"} <= FLOOR.keys()


@pytest.mark.parametrize("package", sorted(FLOOR))
def test_imports_point_down(package: str) -> None:
    wrong = [
        f"{name} imports {other}"
        for name, others in GRAPH.items()
        for other in others
        if room(name) == package != room(other) and FLOOR[room(other)] >= FLOOR[package]
    ]
    assert not wrong


def test_no_file_imports_itself_by_way_of_others() -> None:
    left = {name: set(others) & GRAPH.keys() for name, others in GRAPH.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert not left, f"a cycle among {sorted(left)}"


def test_what_every_room_shares_imports_no_torch() -> None:
    """torch takes seconds to load; `anonderm --help` and the reading of artefacts do without."""
    heavy = [
        f"{name}:{node.lineno}"
        for name, path in FILES.items()
        if room(name) in ("core", "metrics", "phantom")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and "torch" in ast.unparse(node).split(" ")[1].split(".")
    ]
    assert not heavy


def test_recipes_know_stages_only_through_their_table() -> None:
    reached = {room(other) for name, others in GRAPH.items() if room(name) == "recipe" for other in others}
    assert reached <= {"recipe", "stages", "core"}
