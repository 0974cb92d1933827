"""The settings of a training step, with all defaults resolved."""

from __future__ import annotations

from dataclasses import dataclass

from anonderm.gan.augment.groups import PIPELINES, Group
from anonderm.gan.config import Preset, TrainGanConfig


@dataclass(frozen=True)
class StepSettings:
    """The settings of one training step; counts are in images."""

    seed: int
    batch: int
    r1_gamma: float
    path_length_weight: float
    style_mixing: float
    ema_images: float
    augment: tuple[Group, ...]
    augment_p: float | None
    """Fixed; None: adaptive."""
    ada_target: float
    ada_images: float
    mirror: bool


def step_settings(config: TrainGanConfig, preset: Preset, resolution: int) -> StepSettings:
    """Settings left unset come from the preset, and gamma from a rule."""
    batch = config.batch or preset.batch
    gamma = preset.r1_gamma if config.r1_gamma is None else config.r1_gamma
    return StepSettings(
        seed=config.seed,
        batch=batch,
        r1_gamma=0.0002 * resolution**2 / batch if gamma is None else gamma,
        path_length_weight=config.path_length_weight,
        style_mixing=config.style_mixing,
        ema_images=1000 * (config.ema_kimg or preset.ema_kimg or 10 * batch / 32),
        augment=PIPELINES[config.augment],
        augment_p=config.augment_p if PIPELINES[config.augment] else 0.0,
        ada_target=config.ada_target,
        ada_images=config.ada_kimg * 1000,
        mirror=config.mirror,
    )
