"""How fast this machine trains: a few steps of the real networks on made-up images."""

from __future__ import annotations

import dataclasses
import time

import torch

from anonderm.core import launch
from anonderm.gan.config import Preset, PresetName, TrainGanConfig, architecture, preset_for
from anonderm.gan.phases import train_step
from anonderm.gan.step_settings import step_settings
from anonderm.gan.training_images import TrainingImages
from anonderm.gan.training_state import R1_EVERY, new_networks, new_state
from anonderm.gan.transfer import choose_trained
from anonderm.models.stylegan2.allocator import keep_freed_memory
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.precision import use_precision

_WARM_UP = 2
_FEW = 4  # images a step where more might not fit, or take too long to time
_LARGE = 128  # px; a CPU would need minutes for a few steps of larger networks
_TIMED_INSTEAD: tuple[PresetName, int] = ("tiny", 64)


def seconds_per_kimg(config: TrainGanConfig, resolution: int) -> float:
    """Seconds for a thousand training images with these settings, over one round of lazy regularisers.

    On a CPU, networks for large images are not timed: a small one is, and the rest goes by the number of
    multiplications in their convolutions. A rough guess.
    """
    preset = preset_for(config.preset, resolution)
    if resolution <= _LARGE:
        return _timed(config, preset, resolution)
    config = dataclasses.replace(config, batch=_FEW)
    if launch.device() != "cpu":
        return _timed(config, preset, resolution)
    name, size = _TIMED_INSTEAD
    small = preset_for(name, size)
    ratio = multiplications(architecture(preset, resolution, ())) / multiplications(
        architecture(small, size, ())
    )
    return ratio * _timed(TrainGanConfig(preset=name), small, size)


def multiplications(arch: Architecture) -> int:
    """Of one image, in the 3 x 3 convolutions of the generator; the discriminator mirrors it."""
    total = 0
    before = arch.channels(arch.sizes[0])
    for size in arch.sizes:
        width = arch.channels(size)
        total += 9 * size**2 * (before * width + width**2)
        before = width
    return total


def _timed(config: TrainGanConfig, preset: Preset, resolution: int) -> float:
    keep_freed_memory()
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
