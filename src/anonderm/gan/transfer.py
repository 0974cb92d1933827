"""Transfer learning: what a training takes over from its base, and which layers then learn.

Three modes (`transfer`):

whole        every layer learns. Source: Karras et al. 2020 (limited data), sec. 5.
last-layers  only the last layers learn, in each network in the order in which it computes: G's highest
             resolutions, as AcneGAN describes, so that the shape of a face stays the base's and skin is
             learned; and D's lowest resolutions with its head. D's first layers see pixels and tell edges and
             textures, which faces share; they stay, as in Freeze-D (Mo et al. 2020).
mapping      only G's mapping network learns, against a D that learns as a whole: G keeps drawing what it can
             draw, and learns which of it to draw.

Layers for which the base has nothing start fresh and always learn, whatever the mode.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.config import check
from anonderm.gan.config import TrainGanConfig
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.checkpoint import PATH_LENGTH_MEAN, load_discriminator, load_generator
from anonderm.models.stylegan2.class_layers import (
    CLASS_LAYERS_D,
    CLASS_LAYERS_G,
    fit_discriminator,
    fit_generator,
    told,
)
from anonderm.models.stylegan2.discriminator import Discriminator
from anonderm.models.stylegan2.generator import Generator


def check_against_base(config: TrainGanConfig, base: Checkpoint | None) -> None:
    """Raise ConfigError where a setting keeps layers of a base and there is none."""
    hint = "Give one with --base, or leave the setting out."
    check(base is not None or config.transfer == "whole", f"transfer = {config.transfer} needs a base.", hint)
    check(base is not None or config.freeze_d == 0, f"freeze_d = {config.freeze_d} needs a base.", hint)


@dataclass
class Taken:
    """What came from the base: lines for the log, and the names of the tensors that stayed fresh."""

    lines: list[str] = field(default_factory=list)
    fresh: set[str] = field(default_factory=set)
    path_length_mean: float = 0.0


def transfer(
    generator: Generator, discriminator: Discriminator, base: Checkpoint, label: str | None
) -> Taken:
    """Copy from the base whatever fits.

    Tensors of the same name, shape and resolution are kept; those that depend on the classes are fitted (see
    gan/classes.py), `label` being the one class that an unconditional network will be trained on. The names
    of what is fresh start with `generator.` or `discriminator.`. Raises InputError or BrokenArtefact.
    """
    device = str(generator.w_average.device)
    base_g, base_d = load_generator(base, device), load_discriminator(base, device)
    same_classes = base_g.arch.classes == generator.arch.classes
    taken = Taken(path_length_mean=_path_length_mean(base))
    for name, network, tensors, of_classes in (
        ("generator", generator, base_g.state_dict(), CLASS_LAYERS_G),
        ("discriminator", discriminator, _by_resolution(base_d, discriminator), CLASS_LAYERS_D),
    ):
        usable = {
            key: value for key, value in tensors.items() if same_classes or not key.startswith(of_classes)
        }
        copied, fresh = _copy_matching(network, usable)
        rest = f"; fresh: {', '.join(fresh)}" if fresh else ""
        taken.lines.append(f"{name}: {copied} tensors from {base.path.name}{rest}")
        taken.fresh |= {f"{name}.{key}" for key in fresh}
    if not same_classes:
        fit_generator(generator, base_g, label)
        fit_discriminator(discriminator, base_d, label)
        taken.lines.append(told(base_g.arch.classes, generator.arch.classes, label))
    return taken


def _path_length_mean(base: Checkpoint) -> float:
    mean = base.tensors().get(PATH_LENGTH_MEAN)
    return 0.0 if mean is None else float(mean)


def _by_resolution(base: Discriminator, wanted: Discriminator) -> dict[str, Tensor]:
    """The base's tensors, its blocks numbered as those of a network for another size.

    D counts its blocks from the largest resolution down. Its first layer belongs to the size of its images.
    """
    shift = len(wanted.blocks) - len(base.blocks)
    tensors = {}
    for name, tensor in base.state_dict().items():
        if name.startswith("blocks."):
            _, number, rest = name.split(".", 2)
            tensors[f"blocks.{int(number) + shift}.{rest}"] = tensor
        elif shift == 0 or not name.startswith("from_rgb."):
            tensors[name] = tensor
    return tensors


@torch.no_grad()
def _copy_matching(network: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[int, list[str]]:
    """Copy every tensor whose name and shape match; return how many, and the names that keep their values."""
    own = network.state_dict()
    matching = [name for name in own if name in tensors and tensors[name].shape == own[name].shape]
    for name in matching:
        own[name].copy_(tensors[name])
    return len(matching), [name for name in own if name not in matching]


def check_layers(config: TrainGanConfig, arch: Architecture) -> None:
    """Raise ConfigError where the networks have fewer layers than are to be frozen, or trained."""
    blocks = len(arch.sizes) - 1
    layers = 1 + 3 * blocks
    check(
        config.freeze_d <= layers,
        f"freeze_d = {config.freeze_d}: the discriminator for {arch.resolution} px has {layers} layers "
        "before its last ones.",
        f"Freeze at most {layers}.",
    )
    check(
        config.transfer != "last-layers" or config.last_layers <= blocks,
        f"last_layers = {config.last_layers}: networks for {arch.resolution} px have {blocks} resolutions "
        "above the smallest.",
        f"Train at most {blocks}, or choose transfer = whole.",
    )


def choose_trained(
    generator: Generator, discriminator: Discriminator, config: TrainGanConfig, fresh: Collection[str] = ()
) -> str:
    """Let only those parameters learn that the settings name, and the `fresh` ones; return what to log.

    `freeze_d` counts D's layers as NVIDIA's --freezed does. Raises ConfigError as check_layers does.
    """
    check_layers(config, generator.arch)
    frozen_d = list(discriminator.freezable()[: config.freeze_d])
    frozen_g: Sequence[nn.Module] = ()
    if config.transfer == "mapping":
        frozen_g = [generator.first, generator.blocks]
    elif config.transfer == "last-layers":
        first = len(generator.blocks) - config.last_layers
        frozen_g = [generator.mapping, generator.first, *generator.blocks[:first]]
        frozen_d += [discriminator.from_rgb, *discriminator.blocks[:first]]
    _freeze(generator, "generator", frozen_g, fresh)
    _freeze(discriminator, "discriminator", frozen_d, fresh)
    return f"learning: {_share(generator)} of the generator, {_share(discriminator)} of the discriminator"


def _freeze(network: nn.Module, name: str, frozen: Sequence[nn.Module], fresh: Collection[str]) -> None:
    kept = {id(parameter) for module in frozen for parameter in module.parameters()}
    for key, parameter in network.named_parameters():
        parameter.requires_grad_(id(parameter) not in kept or f"{name}.{key}" in fresh)


def _share(network: nn.Module) -> str:
    total = sum(parameter.numel() for parameter in network.parameters())
    learning = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    return f"{learning / total:.0%}"
