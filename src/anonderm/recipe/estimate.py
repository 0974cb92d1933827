"""How long the steps of a recipe will take on this machine.

GAN training is measured: a few steps of the very networks are timed. The other stages go by what they took
for each face of 64 x 64 pixels on a machine with two cores, scaled by how fast this one trains.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from anonderm.core.images import IMAGE_SUFFIXES
from anonderm.evaluate.matrix.config import MatrixConfig
from anonderm.gan.config import TrainGanConfig
from anonderm.gan.ranges import parse_seeds
from anonderm.gan.sweep_config import SweepGanConfig, configurations
from anonderm.recipe.plan import Recipe, Step

# Seconds on the reference machine (2 cores, AVX2): a fixed part, and a part for each face.
_COST = {
    "phantom": (1.0, 0.008),
    "ingest": (1.0, 0.006),
    "generate": (1.5, 0.003),
    "latents mix": (2.0, 0.0),
    "latents interpolate": (5.0, 0.0),
    "latents sefa": (3.0, 0.0),
    "latents class-directions": (3.0, 0.0),
    "screen": (2.0, 0.003),
    "grade": (2.0, 0.001),
    "evaluate classifier": (3.0, 0.001),
    "evaluate saliency": (5.0, 0.02),
    "evaluate utility": (3.0, 0.001),
    "evaluate fidelity": (5.0, 0.003),
    "audit": (5.0, 0.005),
    "export": (0.5, 0.0015),
    "report": (2.0, 0.0),
}
_CLASSIFIER_FACE_S = 0.0026  # one face, once through training
_ENCODER_STEP_S = 0.4
_ONLOOKER_FACE_S = 0.001  # one face, once through the CNN of the two-sample test, with its floor
_PROJECTION_STEP_S = 0.008  # of one image
_REFERENCE_KIMG_S = 24.0  # one kimg of the tiny preset at 64 px
_KEPT = {"screen": 0.98, "grade": 0.9}  # share of the faces that pass


@dataclass(frozen=True)
class Flow:
    """What leaves a step: how many faces of which size (for a training step, those it learned from)."""

    count: int
    size: int


def flows(recipe: Recipe) -> dict[str, Flow]:
    """How many faces of which size leave each step, by its name."""
    leaving: dict[str, Flow] = {}
    for step in recipe.steps:
        leaving[step.name] = _leaving(step, recipe, leaving)
    return leaving


def estimate(recipe: Recipe) -> dict[str, float]:
    """Expected seconds of each step, by its name."""
    leaving = flows(recipe)
    return {s.name: _seconds(s, _arriving(s, leaving), leaving[s.name]) for s in recipe.steps}


def _arriving(step: Step, leaving: dict[str, Flow]) -> list[Flow]:
    return [leaving.get(source, Flow(0, 64)) for many in step.inputs.values() for source in many]


def _leaving(step: Step, recipe: Recipe, leaving: dict[str, Flow]) -> Flow:
    config: Any = step.config
    arriving = _arriving(step, leaving)
    size = arriving[0].size if arriving else 64
    match step.stage.name:
        case "phantom":
            return Flow(config.people * (config.photos_min + config.photos_max) // 2, config.size)
        case "ingest":
            return Flow(_count_images(config.source), config.size)
        case "generate":
            return Flow(len(parse_seeds(config.seeds)) * _generators(step, recipe), size)
        case "screen":
            return Flow(int(arriving[0].count * _KEPT["screen"]), size)
        case "grade":
            count = sum(leaving[source].count for source in step.inputs["faces"])
            most = (config.max_per_class or count) * len(recipe.classes)
            return Flow(min(int(count * _KEPT["grade"]), most), size)
    return Flow(arriving[0].count if arriving else 0, size)


def _generators(step: Step, recipe: Recipe) -> int:
    """From how many generators a step draws; one that knows the classes counts once for each."""
    configs: dict[str, Any] = {each.name: each.config for each in recipe.steps}
    knows = [getattr(configs.get(name), "conditional", False) for name in step.inputs["checkpoints"]]
    return sum(len(recipe.classes) if each else 1 for each in knows)


def _seconds(step: Step, arriving: list[Flow], leaving: Flow) -> float:
    config: Any = step.config
    pixels = (leaving.size / 64) ** 2
    match step.stage.name:
        case "train-gan" | "sweep-gan":
            return float(config.kimg) * kimg_seconds(config, leaving.size)
        case "train-classifier":
            shown = config.epoch_faces or arriving[0].count
            return _slowness() * pixels * config.epochs * shown * _CLASSIFIER_FACE_S
        case "evaluate realism":
            faces = 2 * min(config.max_faces, *(each.count for each in arriving))
            return 5 + _slowness() * config.folds * config.epochs * faces * _ONLOOKER_FACE_S
        case "evaluate matrix":
            shown = config.seeds * config.epochs * _shown_in_all_arms(config, arriving[0].count)
            return _slowness() * pixels * shown * _CLASSIFIER_FACE_S
        case "latents project":
            return (
                _slowness()
                * pixels
                * config.steps
                * max(flow.count for flow in arriving)
                * _PROJECTION_STEP_S
            )
        case "train-encoder":
            return _slowness() * pixels * config.steps * _ENCODER_STEP_S
    fixed, per_face = _COST[step.stage.name]
    faces = max([leaving.count, *(flow.count for flow in arriving)])
    return _slowness() * (fixed + per_face * faces * pixels)


def _shown_in_all_arms(config: MatrixConfig, real: int) -> float:
    """Faces shown in an epoch, summed over the arms."""
    if config.lengths == "steps":
        return (4 + len(config.ratios)) * (config.epoch_faces or real)
    return real * (4 + sum(1 + ratio for ratio in config.ratios))


def kimg_seconds(config: TrainGanConfig, size: int) -> float:
    """Seconds for a thousand images of this training on this machine, measured over a few steps.

    Of a sweep, for as many of each training: side by side they share the machine.
    """
    trainings = len(configurations(config)) if isinstance(config, SweepGanConfig) else 1
    return trainings * _measured(dataclasses.replace(config, only=None, kimg=1.0, seed=0), size)


@cache
def _measured(config: TrainGanConfig, size: int) -> float:
    from anonderm.gan.speed import seconds_per_kimg

    return seconds_per_kimg(config, size)


def _slowness() -> float:
    return kimg_seconds(TrainGanConfig(preset="tiny"), 64) / _REFERENCE_KIMG_S


def _count_images(folder: Path) -> int:
    return sum(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.rglob("*"))
