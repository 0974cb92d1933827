"""How fast this machine trains: a few steps of the real networks on made-up images."""

from __future__ import annotations

import time

import torch

from anonderm.core import launch
from anonderm.gan.config import TrainGanConfig, architecture, preset_for
from anonderm.gan.data import TrainingImages
from anonderm.gan.memory import keep_freed_memory
from anonderm.gan.phases import train_step
from anonderm.gan.precision import use_precision
from anonderm.gan.settings import step_settings
from anonderm.gan.state import R1_EVERY, new_networks, new_state
from anonderm.gan.transfer import choose_trained

_WARM_UP = 2


def seconds_per_kimg(config: TrainGanConfig, resolution: int) -> float:
    """Seconds for a thousand training images with these settings, over one round of lazy regularisers."""
    keep_freed_memory()
    preset = preset_for(config.preset, resolution)
    device = launch.device()
    settings = step_settings(config, preset, resolution)
    pixels = torch.randint(
        0, 256, (settings.batch, 3, resolution, resolution), dtype=torch.uint8, device=device
    )
    images = TrainingImages(pixels, None, 0)
    path_lengths = config.path_length_weight > 0
    generator, discriminator = new_networks(architecture(preset, resolution, ()), 0, device)
    use_precision(config.precision, generator, discriminator)
    choose_trained(generator, discriminator, config)
    state = new_state(generator, discriminator, preset.learning_rate, path_lengths)
    state.augment.p = 0.1  # augmentation costs the same for every p above zero
    for _ in range(_WARM_UP):
        train_step(state, images, settings)
    _wait(device)
    start = time.perf_counter()
    for _ in range(R1_EVERY):
        train_step(state, images, settings)
    _wait(device)
    return (time.perf_counter() - start) / (R1_EVERY * settings.batch) * 1000


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
