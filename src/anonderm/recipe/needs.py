"""Weights of others that a recipe asks for and that are missing or damaged: told before the first step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from anonderm.classify.config import TrainClassifierConfig
from anonderm.core import weights
from anonderm.core.errors import BrokenArtefact, MissingPath, MissingWeights
from anonderm.recipe.plan import Step

_IMPORTED = "Made from a StyleGAN2 pickle of NVIDIA's programs, by `anonderm import-gan PICKLE {}`."


def missing_weights(steps: Iterable[Step]) -> dict[str, list[str]]:
    """What is not here and how it is had, with the names of the steps that ask for it."""
    found: dict[str, list[str]] = {}
    for step in steps:
        for missing in _missing(step):
            found.setdefault(missing, []).append(step.name)
    return found


def refuse_missing_weights(place: object, steps: Iterable[Step]) -> None:
    """Raise MissingWeights, naming all of them."""
    found = missing_weights(steps)
    if found:
        told = "\n  ".join(f"{', '.join(names)}: {missing}" for missing, names in found.items())
        raise MissingWeights(f"{place}: needs weights that are not here.", told)


def _missing(step: Step) -> Iterator[str]:
    config: Any = step.config
    for source in (each for many in step.inputs.values() for each in many):
        if source.endswith(".safetensors") and not Path(source).exists():
            yield f"{source}: no such file. {_IMPORTED.format(source)}"
    for name in getattr(config, "extractors", ()):
        yield from _of_extractor(name)
    match step.stage.name:
        case "train-gan" | "sweep-gan" if config.metric_faces:
            yield from _of_extractor(config.metric_extractor)
        case "restore":
            yield from _of_others(config.weights or ("dfdnet" if config.restorer == "dfdnet" else None))
        case "skin":
            yield from _of_others(config.weights)
        case "evaluate realism":
            yield from _of_others(config.detector)
        case "train-classifier" | "evaluate data-mix":
            yield from _of_backbone(config)


def _of_extractor(name: str) -> Iterator[str]:
    from anonderm.embeddings.extractors import PUBLISHED

    yield from _of_others(PUBLISHED.get(name))


def _of_others(name: str | None) -> Iterator[str]:
    """A registered name, or a path."""
    if name is not None:
        yield from _told_by(lambda: weights.find(name))


def _of_backbone(config: TrainClassifierConfig) -> Iterator[str]:
    from anonderm.models.classifier.backbones import start_weights

    yield from _told_by(lambda: start_weights(config.backbone, config.weights, config.weights_file))


def _told_by(look: Callable[[], object]) -> Iterator[str]:
    try:
        look()
    except (MissingPath, MissingWeights, BrokenArtefact) as error:
        yield f"{error.message} {error.hint}".strip()
