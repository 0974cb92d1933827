"""What a GAN is made of and how it is trained. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from anonderm.core.config import check
from anonderm.embeddings.extractors import ExtractorName
from anonderm.gan.augment.groups import PipelineName
from anonderm.models.stylegan2.architecture import Architecture, Precision
from anonderm.models.stylegan2.range_options import check_psi, parse_psi_layers, parse_seeds


@dataclass(frozen=True, slots=True)
class Preset:
    """Widths and training settings that belong together.

    The paper* presets are those of Karras et al. 2020 (limited data), table of hyperparameters; stylegan2 is
    configuration F of Karras et al. 2020 (StyleGAN2). `r1_gamma` None means 0.0002 * resolution^2 / batch.
    """

    channel_base: int
    channel_max: int
    z_dim: int
    mapping_layers: int
    batch: int
    learning_rate: float
    ema_kimg: float | None = None
    r1_gamma: float | None = None
    deviation_group: int = 4


PRESETS = {
    "tiny": Preset(1024, 128, 128, 2, batch=8, learning_rate=0.003, r1_gamma=1),
    "small": Preset(8192, 256, 256, 2, batch=16, learning_rate=0.0025),
    "paper256": Preset(
        16384, 512, 512, 8, batch=64, learning_rate=0.0025, ema_kimg=20, r1_gamma=1, deviation_group=8
    ),
    "paper512": Preset(
        32768, 512, 512, 8, batch=64, learning_rate=0.0025, ema_kimg=20, r1_gamma=0.5, deviation_group=8
    ),
    "paper1024": Preset(32768, 512, 512, 8, batch=32, learning_rate=0.002, ema_kimg=10, r1_gamma=2),
    "stylegan2": Preset(32768, 512, 512, 8, batch=32, learning_rate=0.002, ema_kimg=10, r1_gamma=10),
}
PresetName = Literal["auto", "tiny", "small", "paper256", "paper512", "paper1024", "stylegan2"]
_AUTO = {64: "tiny", 128: "small", 256: "paper256", 512: "paper512", 1024: "paper1024"}


@dataclass(frozen=True, slots=True)
class TrainGanConfig:
    """Train StyleGAN2 with adaptive augmentation on the faces of the training split."""

    label: str | None = None
    """Train on the faces of this label alone."""
    conditional: bool = False
    """Give generator and discriminator the label, so that faces can be made by class."""
    preset: PresetName = "auto"
    """Width of the networks and matching defaults; auto takes the base's, or else goes by resolution."""
    kimg: float = 5000.0
    """How long to train, in thousands of real images shown to the discriminator."""
    batch: int | None = None
    """Images per step; unset: the preset's."""
    micro_batch: int | None = None
    """Images in memory at once on each GPU; the weights do not depend on it, but for rounding. Unset: all."""
    learning_rate: float | None = None
    """Adam's step size for both networks; unset: the preset's."""
    r1_gamma: float | None = None
    """Strength of the R1 penalty; unset: the preset's, or 0.0002 * resolution^2 / batch."""
    path_length_weight: float = 2.0
    """Strength of path-length regularisation; 0 turns it off."""
    style_mixing: float = 0.9
    """Probability that an image takes its styles from two latents."""
    ema_kimg: float | None = None
    """Half-life of the generator's moving average; unset: the preset's, or 10 * batch / 32. Never more than
    5% of the training so far."""
    augment: PipelineName = "bgc"
    """How images change before the discriminator sees them: by blit (flips, quarter turns, shifts), geometry,
    colour, filter (frequency bands), noise, cutout, or the first of these together (bg to bgcfnc)."""
    augment_p: float | None = None
    """Fixed augmentation probability; unset: adaptive."""
    ada_target: float = 0.6
    """The mean sign of D on real images that adaptive augmentation steers to."""
    ada_kimg: float = 100.0
    """Adaptive augmentation may go from 0 to 1 in this many kimg."""
    precision: Precision = "auto"
    """Type of feature maps and convolutions above 4 px; the rest is float32. auto: bfloat16 on GPUs and on
    CPUs with AMX or AVX512-BF16, where it is several times as fast; float32 elsewhere."""
    mirror: bool = True
    """Show every face mirrored half of the time."""
    transfer: Literal["whole", "last-layers", "mapping"] = "whole"
    """What learns when training starts from a base: everything, only the last layers of both networks, or of
    the generator only the mapping network."""
    last_layers: int = 2
    """With transfer = last-layers: how many of the generator's highest resolutions learn, and how many of the
    discriminator's lowest beside its last layers."""
    freeze_d: int = 0
    """Keep this many of the discriminator's layers, from the image on, as they are in the base (Freeze-D):
    one that reads colours, then three a resolution, as NVIDIA's --freezed counts."""
    on_nan: Literal["stop", "rollback"] = "stop"
    """When a loss or a weight is NaN or infinite: stop, or go back to the last snapshot and on with half the
    learning rate, three times at most."""
    tick_kimg: float = 4.0
    """Every so often: a snapshot to resume from, metrics, and a sheet of samples."""
    samples: int = 36
    """Faces on the sheet of samples."""
    metric_faces: int = 256
    """Faces generated at each tick to measure it: by their kernel distance to the faces of the validation
    split, and by how many lie too close to a training face. The best tick becomes the checkpoint; with 0, the
    last."""
    metric_extractor: ExtractorName = "phantom-encoder"
    """The embedding in which ticks are measured."""
    patience: int = 50
    """Stop after so many ticks in a row that were worse than the best, or copied training faces; 0: never."""
    fp16_weights: bool = False
    """Store the finished weights as float16: half the size, for weights that ship."""
    seed: int = 0
    """Same seed, same machine: same weights, however often the run was interrupted."""

    def __post_init__(self) -> None:
        check(0 < self.kimg < math.inf, f"kimg = {self.kimg:g} must be positive and finite.")
        check(0 < self.tick_kimg < math.inf, f"tick_kimg = {self.tick_kimg:g} must be positive and finite.")
        check(self.batch is None or self.batch >= 2, f"batch = {self.batch} must be at least 2.")
        check(self.micro_batch is None or self.micro_batch >= 1, "micro_batch must be at least 1.")
        check(self.learning_rate is None or self.learning_rate > 0, "learning_rate must be positive.")
        check(self.r1_gamma is None or self.r1_gamma >= 0, "r1_gamma must not be negative.")
        check(self.path_length_weight >= 0, "path_length_weight must not be negative.")
        check(0 <= self.style_mixing <= 1, f"style_mixing = {self.style_mixing:g} must lie in 0..1.")
        check(self.ema_kimg is None or self.ema_kimg > 0, "ema_kimg must be positive.")
        check(self.augment_p is None or 0 <= self.augment_p <= 1, "augment_p must lie in 0..1.")
        idle = self.augment == "none" and bool(self.augment_p)
        check(not idle, f"augment = none, but augment_p = {self.augment_p}.", "Leave one of them out.")
        check(-1 < self.ada_target < 1, f"ada_target = {self.ada_target:g} must lie between -1 and 1.")
        check(self.ada_kimg > 0, f"ada_kimg = {self.ada_kimg:g} must be positive.")
        check(self.last_layers >= 1, "last_layers must be at least 1.")
        check(self.freeze_d >= 0, "freeze_d must not be negative.")
        check(self.samples >= 1, "samples must be at least 1.")
        check(self.metric_faces == 0 or self.metric_faces >= 16, "metric_faces must be 0 or at least 16.")
        check(self.patience >= 0, "patience must not be negative.")
        check(self.seed >= 0, f"seed = {self.seed} must not be negative.")
        one = not (self.label and self.conditional)
        check(one, "label and conditional exclude each other.", "A network of one class needs no label.")


@dataclass(frozen=True, slots=True)
class GenerateConfig:
    """Draw faces from one or several generators; a seed always gives the same face."""

    seeds: str = "0-999"
    """Which faces, as ranges of seeds: 0-15,20,33-40. Each checkpoint draws all of them, and of each class
    where it knows classes. The latent is numpy.random.RandomState(seed).randn(1, z_dim)."""
    classes: tuple[str, ...] = ()
    """Draw these classes alone; none named: all there are."""
    psi: float = 0.8
    """Truncation: 1 keeps all variety, 0 gives the average face."""
    psi_layers: tuple[str, ...] = ()
    """Another psi for ranges of style layers, such as 0-5=0.5 6-13=0.9; layers not named take psi. Layer 0 is
    that of 4 px, 1 and 2 of 8 px, 3 and 4 of 16 px, and so on. NVIDIA's psi 0.7 with cutoff 8 is --psi 1
    --psi-layers 0-7=0.7."""
    noise: Literal["random", "const", "none"] = "random"
    """Fine detail: drawn from the face's seed, the same for all faces, or left out."""
    precision: Precision = "float32"
    """Type of feature maps and convolutions above 4 px. bfloat16 is faster where the machine computes in it,
    and changes pixels by a few of 255; auto takes it there."""

    def __post_init__(self) -> None:
        parse_seeds(self.seeds)
        parse_psi_layers(self.psi_layers)
        check_psi(self.psi)


def preset_for(name: PresetName, resolution: int) -> Preset:
    """The named preset; auto goes by resolution."""
    if name != "auto":
        return PRESETS[name]
    fitting = (size for size in _AUTO if size >= resolution)
    return PRESETS[_AUTO[next(fitting, max(_AUTO))]]


def architecture(preset: Preset, resolution: int, classes: tuple[str, ...]) -> Architecture:
    """Raises ConfigError unless the resolution is a power of two from 8 to 1024."""
    fits = 8 <= resolution <= 1024 and resolution & (resolution - 1) == 0
    problem = f"Faces of {resolution} px: StyleGAN2 needs a power of two from 8 to 1024."
    check(fits, problem, "Make them again with such a --size, 64 or 128 for instance.")
    return Architecture(
        resolution=resolution,
        channel_base=preset.channel_base,
        channel_max=preset.channel_max,
        z_dim=preset.z_dim,
        w_dim=preset.z_dim,
        mapping_layers=preset.mapping_layers,
        deviation_group=preset.deviation_group,
        classes=classes,
    )
