"""The training speed on this machine, measured over a few steps on random images."""

import dataclasses
import time
from functools import cache

import torch

from anonderm.core import launch
from anonderm.gan.config import PRESETS, Preset, TrainGanConfig, architecture, preset_for, step_settings
from anonderm.gan.phases import train_step
from anonderm.gan.training_images import TrainingImages
from anonderm.gan.training_state import R1_INTERVAL, new_networks, new_state
from anonderm.gan.transfer import freeze_layers
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.precision import use_precision

_WARM_UP = 2
_SMALL_BATCH = 4  # for large images, where more might not fit into memory or take too long
_LARGEST_ON_CPU = 128  # px; a few steps of larger networks would take minutes


@cache
def seconds_per_kimg(config: TrainGanConfig, resolution: int) -> float:
    """Seconds for a thousand training images with these settings, over one cycle of the lazy regularisers.

    On a CPU, networks for large images are not timed: the time of a small one is scaled by the number of
    multiplications in their convolutions, which is a rough estimate.
    """
    preset = preset_for(config.preset, resolution)
    if resolution <= _LARGEST_ON_CPU:
        return _timed(config, preset, resolution)
    config = dataclasses.replace(config, batch=_SMALL_BATCH)
    if launch.device() != "cpu":
        return _timed(config, preset, resolution)
    small = architecture(PRESETS["tiny"], 64, ())
    ratio = multiplications(architecture(preset, resolution, ())) / multiplications(small)
    return ratio * _timed(TrainGanConfig(preset="tiny"), PRESETS["tiny"], small.resolution)


def multiplications(arch: Architecture) -> int:
    """The multiplications per image in the generator's 3 x 3 convolutions; D has about as many."""
    widths = [arch.channels(size) for size in arch.sizes]
    layers = zip(arch.sizes, [widths[0], *widths], widths, strict=False)
    return sum(9 * size**2 * (before * width + width**2) for size, before, width in layers)


def _timed(config: TrainGanConfig, preset: Preset, resolution: int) -> float:
    launch.keep_freed_memory()
    device = launch.device()
    settings = step_settings(config, preset, resolution)
    pixels = torch.randint(
        0, 256, (settings.batch, 3, resolution, resolution), dtype=torch.uint8, device=device
    )
    images = TrainingImages(pixels, None, 0)
    path_lengths = config.path_length_weight > 0
    generator, discriminator = new_networks(architecture(preset, resolution, ()), 0, device)
    use_precision(config.precision, generator, discriminator)
    freeze_layers(generator, discriminator, config)
    state = new_state(generator, discriminator, preset.learning_rate, path_lengths)
    state.augment.p = 0.1  # augmentation costs the same for every p above zero
    for _ in range(_WARM_UP):
        train_step(state, images, settings)
    _synchronise(device)
    start = time.perf_counter()
    for _ in range(R1_INTERVAL):
        train_step(state, images, settings)
    _synchronise(device)
    return (time.perf_counter() - start) / (R1_INTERVAL * settings.batch) * 1000


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
