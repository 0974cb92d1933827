"""Weights that a recipe loads and that are missing or damaged, listed before the first step runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from anonderm.core.errors import BrokenArtefact, MissingPath, MissingWeights
from anonderm.recipe.steps import Step

_IMPORT = "Convert a StyleGAN2 pickle from NVIDIA's code with `anonderm import-gan PICKLE {}`."


def missing_weights(steps: Iterable[Step]) -> dict[str, list[str]]:
    """What is missing and how to get it, with the names of the steps that load it."""
    found: dict[str, list[str]] = {}
    for step in steps:
        for problem in _problems(step):
            found.setdefault(problem, []).append(step.name)
    return found


def refuse_missing_weights(place: object, steps: Iterable[Step]) -> None:
    """Raise MissingWeights if any are missing, naming all of them."""
    found = missing_weights(steps)
    if found:
        lines = "\n  ".join(f"{', '.join(names)}: {problem}" for problem, names in found.items())
        raise MissingWeights(f"{place}: needs weights that are missing.", lines)


def _problems(step: Step) -> Iterator[str]:
    for source in (each for sources in step.inputs.values() for each in sources):
        if source.endswith(".safetensors") and not Path(source).exists():
            yield f"{source}: no such file. {_IMPORT.format(source)}"
    for look_up in step.stage.lookups(step.config):
        try:
            look_up()
        except (MissingPath, MissingWeights, BrokenArtefact) as error:
            yield f"{error.message} {error.hint}".strip()
