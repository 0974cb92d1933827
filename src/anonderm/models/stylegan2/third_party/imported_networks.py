"""Imported networks: tensors under the names of this package, and the architecture that they imply.

C feature maps, K classes.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from anonderm.core.errors import InputError
from anonderm.models.stylegan2.architecture import SMALLEST, Architecture
from anonderm.models.stylegan2.layers import MAPPING_RATE

_KNOWN = (
    "Only StyleGAN2 as in configurations E and F (skip generator, residual discriminator) can be imported."
)


Convert = Callable[[str, Tensor, int], tuple[str, Tensor]]
"""A tensor's name in the pickle, the tensor, and the resolution -> its name here, and the tensor to store."""


@dataclass
class ImportedNetworks:
    """The tensors of both networks under the names of this package; `discriminator` may be empty."""

    generator: dict[str, Tensor] = field(default_factory=dict)
    discriminator: dict[str, Tensor] = field(default_factory=dict)
    clamp: float | None = None
    deviation_group: int | None = 4


def unsupported(what: str) -> InputError:
    """The error for a network that this package cannot represent exactly."""
    return InputError(f"{what}.", _KNOWN)


def require(name: str, value: object, *known: object) -> None:
    """Raise InputError unless an option has one of the known values."""
    if value not in known:
        raise unsupported(f"{name} = {value!r} is not supported, only {known[0]!r}")


def resolution_of(names: Iterable[str], pattern: str) -> int:
    """The largest block, by names such as `synthesis.b64.conv0.weight`; `pattern` has one group, the size.

    Raises InputError if sizes are missing, which also limits the memory used.
    """
    found = sorted({int(match[1]) for match in (re.match(pattern, name) for name in names) if match})
    wanted = [SMALLEST * 2**index for index in range(len(found))]
    if len(found) < 2 or found != wanted:
        raise unsupported(f"blocks of {', '.join(map(str, found)) or 'no'} px")
    return found[-1]


def same_mapping_rate(tensors: dict[str, Tensor], rate: float) -> None:
    """Rescale a mapping network to the multiplier of this package, so that its output stays the same."""
    for name, tensor in tensors.items():
        if name.startswith("mapping.layers.") and rate != MAPPING_RATE:
            tensors[name] = tensor * (rate / MAPPING_RATE)


def architecture(found: ImportedNetworks, classes: tuple[str, ...]) -> Architecture:
    """The architecture that the shapes imply. Without `classes`, they are named 0, 1, ...

    Raises InputError if a tensor is missing or the number of classes is wrong.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in found.generator.items()}
    count = _width(shapes, "mapping.embed.weight", 1) if "mapping.embed.weight" in shapes else 0
    if classes and len(classes) != count:
        raise InputError(
            f"{len(classes)} classes were named, but the network has {count}.",
            f"Name {count} classes with --classes, in the order of the labels of its training.",
        )
    w_dim = _width(shapes, "w_average", 0)
    channels = {SMALLEST: _width(shapes, "first.constant", 1)}
    for index in range(_count(shapes, "blocks.")):
        channels[SMALLEST * 2 ** (index + 1)] = _width(shapes, f"blocks.{index}.convolution.weight", 0)
    label_mapping = {name: tuple(tensor.shape) for name, tensor in found.discriminator.items() if count}
    return Architecture(
        resolution=max(channels),
        channel_base=max(size * width for size, width in channels.items()),
        channel_max=max(channels.values()),
        z_dim=_width(shapes, "mapping.layers.0.weight", 1) - (w_dim if count else 0),
        w_dim=w_dim,
        mapping_layers=_count(shapes, "mapping.layers."),
        deviation_group=found.deviation_group,
        classes=classes or tuple(str(index) for index in range(count)),
        label_layers=_count(label_mapping, "mapping.layers.") if label_mapping else None,
        label_dim=_width(label_mapping, "mapping.embed.weight", 0) if label_mapping else None,
        clamp=found.clamp,
    )


def _width(shapes: Mapping[str, tuple[int, ...]], name: str, axis: int) -> int:
    if name not in shapes:
        raise unsupported(f"the network has no {name} (the name used here)")
    if axis >= len(shapes[name]):
        raise unsupported(f"{name} (the name used here) has the shape {shapes[name]}")
    return shapes[name][axis]


def _count(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> int:
    """The number of layers in a list."""
    return len({name.removeprefix(prefix).split(".")[0] for name in shapes if name.startswith(prefix)})
