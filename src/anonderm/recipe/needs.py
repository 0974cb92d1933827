"""Weights and files of the user's that the steps of a recipe load and that are missing."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

from anonderm.core.errors import BrokenArtefact, MissingPath, MissingWeights
from anonderm.recipe.plan import DATA, Step

_IMPORT = "Convert a StyleGAN2 pickle from NVIDIA's code with `anonderm import-gan PICKLE {}`."


def missing_weights(steps: Iterable[Step]) -> dict[str, list[str]]:
    """What is missing and how to get it, with the names of the steps that load it."""
    found: dict[str, list[str]] = {}
    for step in steps:
        for problem in _problems(step):
            found.setdefault(problem, []).append(step.name)
    return found


def _problems(step: Step) -> Iterator[str]:
    for source in (each for sources in step.inputs.values() for each in sources):
        if source.endswith(".safetensors") and not Path(source).exists():
            yield f"{source}: no such file. {_IMPORT.format(source)}"
    for setting in dataclasses.fields(step.config):
        path = getattr(step.config, setting.name)
        if isinstance(path, Path) and str(path) != DATA and not path.exists():
            yield f"{setting.name} = {path}: no such file or folder. Check the path in the recipe."
    for look_up in step.stage.lookups(step.config):
        try:
            look_up()
        except (MissingPath, MissingWeights, BrokenArtefact) as error:
            yield f"{error.message} {error.hint}".strip()
