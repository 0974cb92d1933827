"""Weights and files of the user's that the steps of a recipe load and that are missing."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

from anonderm.core.checkpoint import Checkpoint, Kind
from anonderm.core.errors import BrokenArtefact, MissingPath, MissingWeights
from anonderm.recipe.plan import DATA, Step
from anonderm.stages import Input

_IMPORT = "Convert a StyleGAN2 pickle from NVIDIA's code with `anonderm import-gan PICKLE {}`."

_LONGEST_SHOWN = 300  # characters of a path
_MADE: dict[str, Kind] = {
    "train-gan": "gan",
    "sweep-gan": "gan",
    "train-classifier": "classifier",
    "train-encoder": "encoder",
    "train-skin": "skin",
    "train-detector": "detector",
}
"""The kind of checkpoint that a stage makes."""


def missing_weights(steps: Iterable[Step]) -> dict[str, list[str]]:
    """What is missing and how to get it, with the names of the steps that load it."""
    found: dict[str, list[str]] = {}
    for step in steps:
        for problem in _problems(step):
            found.setdefault(problem, []).append(step.name)
    return found


def _problems(step: Step) -> Iterator[str]:
    for name, sources in step.inputs.items():
        for source in sources:
            if source.endswith(".safetensors"):
                yield from _problems_of_checkpoint(source, step.stage.inputs[name])
    for setting in dataclasses.fields(step.config):
        path = getattr(step.config, setting.name)
        if isinstance(path, Path) and str(path) != DATA and not _exists(path):
            yield f"{setting.name} = {_cut(str(path))}: no such file or folder. Check the path in the recipe."
    for look_up in step.stage.lookups(step.config):
        try:
            look_up()
        except (MissingPath, MissingWeights, BrokenArtefact) as error:
            yield f"{error.message} {error.hint}".strip()


def _problems_of_checkpoint(source: str, wanted: Input) -> Iterator[str]:
    """A file of the user's must be there and be of the kind that the step reads."""
    if not _exists(Path(source)):
        yield f"{_cut(source)}: no such file. {_IMPORT.format(_cut(source))}"
        return
    try:
        kind = Checkpoint.load(Path(source)).card.kind
    except (MissingPath, BrokenArtefact) as error:
        yield f"{error.message} {error.hint}"
        return
    if wanted.made_by and kind not in {_MADE[stage] for stage in wanted.made_by}:
        yield f"{source}: a checkpoint of kind {kind}. Give one from {' or '.join(wanted.made_by)}."


def _exists(path: Path) -> bool:
    """False also for a name that no file can have, such as one of 5,000 letters."""
    try:
        return path.exists()
    except OSError:
        return False


def _cut(path: str) -> str:
    return path if len(path) <= _LONGEST_SHOWN else f"{path[:_LONGEST_SHOWN]}..."
