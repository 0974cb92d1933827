"""Transfer learning: the weights that a training takes from its base, and the layers that it trains.

Three modes (`transfer`):

whole        Train all layers. Source: Karras et al. 2020 (limited data), sec. 5.
last-layers  Train only the last layers of each network: the highest resolutions of G, as AcneGAN describes,
             so that faces keep their shape and the skin is learned; and the lowest resolutions of D with its
             head. The first layers of D detect edges and textures, which all faces share; they stay frozen,
             as in Freeze-D (Mo et al. 2020).
mapping      Of G, train only the mapping network: the faces that G can draw stay the same, their frequencies
             change. D is trained as a whole.

Layers that the base lacks start from random weights and are trained in every mode.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.config import check
from anonderm.gan.config import TrainGanConfig
from anonderm.models.stylegan2 import class_layers
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.checkpoint import PATH_LENGTH_MEAN, load_discriminator, load_generator
from anonderm.models.stylegan2.discriminator import Discriminator
from anonderm.models.stylegan2.generator import Generator


def check_base_settings(config: TrainGanConfig, base: Checkpoint | None) -> None:
    """Raise ConfigError if a setting freezes layers of a base and there is no base."""
    hint = "Give one with --base, or remove the setting."
    check(base is not None or config.transfer == "whole", f"transfer = {config.transfer} needs a base.", hint)
    check(base is not None or config.freeze_d == 0, f"freeze_d = {config.freeze_d} needs a base.", hint)


@dataclass
class Transferred:
    """The result of a transfer: lines for the log, and the names of the tensors that were not in the base."""

    log: list[str] = field(default_factory=list)
    fresh: set[str] = field(default_factory=set)
    path_length_mean: float = 0.0


def transfer(
    generator: Generator, discriminator: Discriminator, base: Checkpoint, label: str | None
) -> Transferred:
    """Copy all matching weights from the base.

    Tensors of the same name, shape and resolution are copied; those that depend on the classes are converted
    (class_layers.py), where `label` is the class that an unconditional network will be trained on. The names
    in `fresh` start with `generator.` or `discriminator.`. Raises InputError or BrokenArtefact.
    """
    device = str(generator.w_average.device)
    base_g, base_d = load_generator(base, device), load_discriminator(base, device)
    same_classes = base_g.arch.classes == generator.arch.classes
    result = Transferred(path_length_mean=float(base.tensors().get(PATH_LENGTH_MEAN, 0.0)))
    for name, network, tensors, of_classes in (
        ("generator", generator, base_g.state_dict(), class_layers.CLASS_LAYERS_G),
        ("discriminator", discriminator, _by_resolution(base_d, discriminator), class_layers.CLASS_LAYERS_D),
    ):
        usable = {
            key: value for key, value in tensors.items() if same_classes or not key.startswith(of_classes)
        }
        copied, fresh = _copy_matching(network, usable)
        rest = f"; fresh: {', '.join(fresh)}" if fresh else ""
        result.log.append(f"{name}: {copied} tensors from {base.path.name}{rest}")
        result.fresh |= {f"{name}.{key}" for key in fresh}
    if not same_classes:
        class_layers.fit_generator(generator, base_g, label)
        class_layers.fit_discriminator(discriminator, base_d, label)
        result.log.append(class_layers.describe_classes(base_g.arch.classes, generator.arch.classes, label))
    return result


def _by_resolution(base: Discriminator, wanted: Discriminator) -> dict[str, Tensor]:
    """The tensors of the base, with the block numbers of a network for another resolution.

    D numbers its blocks from the highest resolution down. Its first layer is specific to the image size.
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
    """Copy every tensor whose name and shape match; return their number, and the names of all others."""
    own = network.state_dict()
    matching = [name for name in own if name in tensors and tensors[name].shape == own[name].shape]
    for name in matching:
        own[name].copy_(tensors[name])
    return len(matching), [name for name in own if name not in matching]


def check_layers(config: TrainGanConfig, arch: Architecture) -> None:
    """Raise ConfigError if more layers shall be frozen, or trained, than the networks have."""
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


def freeze_layers(
    generator: Generator, discriminator: Discriminator, config: TrainGanConfig, fresh: Collection[str] = ()
) -> str:
    """Freeze all parameters but the `fresh` ones and those that the settings train; return a log line.

    `freeze_d` counts the layers of D as NVIDIA's --freezed does. Raises the ConfigErrors of check_layers.
    """
    check_layers(config, generator.arch)
    frozen_d = list(discriminator.freezable()[: config.freeze_d])
    frozen_g: Sequence[nn.Module] = ()
    if config.transfer == "mapping":
        frozen_g = [generator.first, *generator.blocks]
    elif config.transfer == "last-layers":
        first = len(generator.blocks) - config.last_layers
        frozen_g = [generator.mapping, generator.first, *generator.blocks[:first]]
        frozen_d += [discriminator.from_rgb, *discriminator.blocks[:first]]
    _freeze(generator, "generator", frozen_g, fresh)
    _freeze(discriminator, "discriminator", frozen_d, fresh)
    return f"training {_share(generator)} of the generator, {_share(discriminator)} of the discriminator"


def _freeze(network: nn.Module, name: str, frozen: Sequence[nn.Module], fresh: Collection[str]) -> None:
    kept = {id(parameter) for module in frozen for parameter in module.parameters()}
    for key, parameter in network.named_parameters():
        parameter.requires_grad_(id(parameter) not in kept or f"{name}.{key}" in fresh)


def _share(network: nn.Module) -> str:
    total = sum(parameter.numel() for parameter in network.parameters())
    trained = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    return f"{trained / total:.0%}"
