"""How long the steps of a recipe will take on this machine.

Training of GANs and classifiers is measured: a few steps of the very networks are timed. The other stages go
by what they took on a machine with two cores, scaled by how fast this one trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from anonderm.classify.config import TrainClassifierConfig
from anonderm.core.images import IMAGE_SUFFIXES
from anonderm.experiments.data_mix.config import DataMixConfig
from anonderm.experiments.gan_sweep.config import SweepGanConfig, configurations
from anonderm.gan.config import TrainGanConfig
from anonderm.models.stylegan2.range_options import parse_seeds
from anonderm.recipe.plan import Recipe, Step

# Seconds on the reference machine (2 cores, AVX2): a fixed part, and a part for each face of 64 x 64 pixels.
_COST = {
    "phantom": (1.0, 0.008),
    "ingest": (1.0, 0.006),
    "generate": (1.5, 0.003),
    "latents mix": (2.0, 0.0),
    "latents interpolate": (5.0, 0.0),
    "latents sefa": (3.0, 0.0),
    "latents class-directions": (3.0, 0.0),
    "screen": (2.0, 0.003),
    "grade": (2.0, 0.0001),
    "evaluate classifier": (3.0, 0.0001),
    "evaluate saliency": (5.0, 0.0001),
    "evaluate utility": (3.0, 0.0001),
    "evaluate fidelity": (5.0, 0.003),
    "evaluate detector": (3.0, 0.01),
    "evaluate lesions": (5.0, 0.01),
    "detect-lesions": (1.0, 0.01),
    "export-boxes": (0.5, 0.0015),
    "mask-and-crop": (0.5, 0.001),
    "audit": (15.0, 0.03),
    "export": (0.5, 0.0015),
    "report": (2.0, 0.0),
}
# The same, for each face of whatever size.
_COST_OF_ANY_SIZE = {"align": (2.0, 0.5), "skin": (2.0, 0.25)}
_RESTORE_FACE_S = {"lanczos": 0.0003, "spandrel": 0.1, "dfdnet": 0.1}  # one face, for each 64 x 64 pixels
_DETECTOR_TILE_S = {"small": 0.23, "resnet18": 2.7, "resnet34": 3.5, "resnet50": 5.0}  # one tile of 320 px
_SKIN_PHOTO_S = 1.25  # one photo of 512 px through the published network, in training
_ENCODER_STEP_S = 0.4
_ONLOOKER_FACE_S = 0.001  # one face, once through the CNN of the two-sample test, with its floor
_PROJECTION_STEP_S = 0.008  # of one image
# Settings of a GAN's training on which its pace depends.
_TELL_THE_PACE = (
    "preset",
    "batch",
    "path_length_weight",
    "style_mixing",
    "augment",
    "precision",
    "transfer",
    "last_layers",
    "freeze_d",
)
_APPLIES_CLASSIFIERS = ("grade", "evaluate classifier", "evaluate saliency", "evaluate utility")
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
    return {
        s.name: _seconds(s, _arriving(s, leaving), leaving[s.name]) + _classifying(s, recipe, leaving)
        for s in recipe.steps
    }


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
            return Flow(_count_images(config.source) or recipe.photos, config.size)
        case "align" | "restore":
            return Flow(arriving[0].count, config.size)
        case "mask-and-crop":
            return Flow(arriving[0].count, config.size or size)
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
            return config.epochs * shown * face_seconds(config, config.size or leaving.size)
        case "evaluate realism":
            faces = 2 * min(config.max_faces, *(each.count for each in arriving))
            return 5 + _slowness() * config.folds * config.epochs * faces * _ONLOOKER_FACE_S
        case "evaluate data-mix":
            shown = config.seeds * config.epochs * _shown_in_all_arms(config, arriving[0].count)
            return shown * face_seconds(config.classifier(), config.size or leaving.size)
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
        case "train-skin":
            shown = config.steps * config.batch * (config.size / 512) ** 2
            return _slowness() * shown * config.width / 64 * _SKIN_PHOTO_S
        case "train-detector":
            tiles = config.steps * config.batch * (config.side / 320) ** 2
            return _slowness() * tiles * _DETECTOR_TILE_S[config.network]
        case "restore":
            return _slowness() * (1 + leaving.count * pixels * _RESTORE_FACE_S[config.restorer])
    faces = max([leaving.count, *(flow.count for flow in arriving)])
    if step.stage.name in _COST_OF_ANY_SIZE:
        fixed, per_face = _COST_OF_ANY_SIZE[step.stage.name]
        return _slowness() * (fixed + per_face * faces)
    fixed, per_face = _COST[step.stage.name]
    return _slowness() * (fixed + per_face * faces * pixels)


def _classifying(step: Step, recipe: Recipe, leaving: dict[str, Flow]) -> float:
    """What the classifiers take that a step applies; forwards alone is a third of training."""
    trained = {each.name: each for each in recipe.steps if each.stage.name == "train-classifier"}
    used = [trained[source] for many in step.inputs.values() for source in many if source in trained]
    if step.stage.name not in _APPLIES_CLASSIFIERS:
        return 0.0
    faces = min(
        max(flow.count for flow in _arriving(step, leaving)), getattr(step.config, "max_faces", 10**9)
    )
    share = 1.0 if step.stage.name == "evaluate saliency" else 1 / 3
    return sum(
        share * faces * face_seconds(each.config, each.config.size or leaving[each.name].size)
        for each in used
    )


def _shown_in_all_arms(config: DataMixConfig, real: int) -> float:
    """Faces shown in an epoch, summed over the arms."""
    if config.lengths == "steps":
        return (4 + len(config.ratios)) * (config.epoch_faces or real)
    return real * (4 + sum(1 + ratio for ratio in config.ratios))


def kimg_seconds(config: TrainGanConfig, size: int) -> float:
    """Seconds for a thousand images of this training on this machine, measured over a few steps.

    Of a sweep, for as many of each training: side by side they share the machine.
    """
    trainings = len(configurations(config)) if isinstance(config, SweepGanConfig) else 1
    return trainings * _gan_timed(
        TrainGanConfig(**{name: getattr(config, name) for name in _TELL_THE_PACE}), size
    )


@cache
def _gan_timed(config: TrainGanConfig, size: int) -> float:
    from anonderm.gan.speed import seconds_per_kimg

    return seconds_per_kimg(config, size)


def face_seconds(config: TrainClassifierConfig, size: int) -> float:
    """Seconds for one face, once through the training of this classifier, measured."""
    return _classifier_timed(
        TrainClassifierConfig(
            backbone=config.backbone,
            drop_strides=config.drop_strides,
            freeze_backbone=config.freeze_backbone,
        ),
        size,
    )


@cache
def _classifier_timed(config: TrainClassifierConfig, size: int) -> float:
    from anonderm.classify.speed import seconds_per_face

    return seconds_per_face(config, size)


def _slowness() -> float:
    return kimg_seconds(TrainGanConfig(preset="tiny"), 64) / _REFERENCE_KIMG_S


def _count_images(folder: Path) -> int:
    return sum(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.rglob("*"))
