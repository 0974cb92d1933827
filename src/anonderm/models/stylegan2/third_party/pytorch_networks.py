"""The PyTorch pickles of stylegan2-ada-pytorch and stylegan3: their names and options for StyleGAN2.

They hold {"G_ema": module, "D": module, "G": ..., ...}, each with the state of a torch module.
"""

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from anonderm.core.errors import InputError
from anonderm.models.stylegan2.third_party.imported_networks import (
    Convert,
    ImportedNetworks,
    require,
    resolution_of,
    same_mapping_rate,
    unsupported,
)
from anonderm.models.stylegan2.third_party.safe_pickle import Stored

_TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0])
_LAYERS = {"conv0": "grow", "conv1": "convolution", "torgb": "to_rgb"}
_D_LAYERS = {"conv0": "convolution", "conv1": "shrink", "skip": "short_cut"}
_PARTS = {"affine": "style", "noise_const": "noise"}
_LAST = {"conv": "convolution", "fc": "dense", "out": "logit"}
_DEPTH = 4
_LINEAR = ("affine", "embed", "out", "skip")
_CLASSES = {
    "Generator",
    "Discriminator",
    "MappingNetwork",
    "FullyConnectedLayer",
    "SynthesisNetwork",
    "SynthesisBlock",
    "SynthesisLayer",
    "ToRGBLayer",
    "DiscriminatorBlock",
    "DiscriminatorEpilogue",
    "Conv2dLayer",
    "MinibatchStdLayer",
}


def find(content: dict[str, Any]) -> ImportedNetworks:
    """The moving average of the generator, and the discriminator if there is one. Raises InputError."""
    found = ImportedNetworks()
    clamps = _read(content["G_ema"], "Generator", found.generator, generator_tensor, found)
    if content.get("D") is not None:
        clamps |= _read(content["D"], "Discriminator", found.discriminator, discriminator_tensor, found)
    if len(clamps) > 1:
        values = ", ".join(sorted(map(str, clamps)))
        raise unsupported(f"conv_clamp differs between layers ({values})")
    found.clamp = clamps.pop() if clamps else None
    return found


def _read(
    network: Any, kind: str, tensors: dict[str, Tensor], convert: Convert, found: ImportedNetworks
) -> set[float | None]:
    """Fill `tensors` from one network; return its values of conv_clamp."""
    if not isinstance(network, Stored) or network.class_name != kind:
        held = getattr(network, "class_name", type(network).__name__)
        raise unsupported(f"a {held} instead of the {kind}")
    modules = dict(_modules(network, ""))
    names = [name for place, module in modules.items() for name in _own_tensors(place, module)]
    resolution = resolution_of(names, r"(?:synthesis\.)?b(\d{1,5})\.")
    clamps: set[float | None] = set()
    for place, module in modules.items():
        _check_options(place, module, found)
        if "conv_clamp" in module.state and not place.endswith("skip"):
            clamps.add(module.state["conv_clamp"])
        for name, tensor in _own_tensors(place, module).items():
            if name.endswith("resample_filter"):
                _check_filter(name, tensor)
            else:
                ours, value = convert(name, tensor, resolution)
                tensors[ours] = value.float()
    layers = [module for place, module in modules.items() if place.startswith("mapping.fc")]
    rates = {module.state.get("bias_gain") for module in layers}
    if len(rates) > 1 or not all(isinstance(rate, float | int) for rate in rates):
        raise unsupported(f"lr_multiplier differs between mapping layers ({rates})")
    for rate in rates:
        same_mapping_rate(tensors, float(rate))  # type: ignore[arg-type]
    return clamps


def _modules(module: Stored, place: str) -> Iterator[tuple[str, Stored]]:
    """Every module with its path, such as synthesis.b8.conv0."""
    if module.class_name not in _CLASSES or place.count(".") > _DEPTH:
        raise unsupported(f"{place or 'the network'} is a {module.class_name}, which StyleGAN2 does not have")
    yield place, module
    for name, child in _table(module, place, "_modules").items():
        if child is None:
            continue
        if not isinstance(child, Stored):
            raise InputError(f"{place}.{name}: a {type(child).__name__} instead of a module.")
        yield from _modules(child, f"{place}.{name}" if place else name)


def _own_tensors(place: str, module: Stored) -> dict[str, Tensor]:
    both = {**_table(module, place, "_parameters"), **_table(module, place, "_buffers")}
    tensors = {f"{place}.{name}": value for name, value in both.items() if value is not None}
    for name, value in tensors.items():
        if not isinstance(value, Tensor):
            raise InputError(f"{name}: a {type(value).__name__} instead of a tensor.")
    return tensors


def _table(module: Stored, place: str, name: str) -> dict[str, Any]:
    table = module.state.get(name)
    if not isinstance(table, dict):
        raise InputError(f"{place or 'the network'}: not the state of a torch module (no {name}).")
    return table


def _check_options(place: str, module: Stored, found: ImportedNetworks) -> None:
    """Raise InputError for options that this package does not have; store the others in `found`."""
    state, layer = module.state, place.rpartition(".")[2]
    if module.class_name == "SynthesisBlock":
        require(f"{place}.architecture", state.get("architecture"), "skip")
    if module.class_name in ("DiscriminatorBlock", "DiscriminatorEpilogue"):
        require(f"{place}.architecture", state.get("architecture"), "resnet")
    if "activation" in state:
        require(f"{place}.activation", state["activation"], "linear" if layer in _LINEAR else "lrelu")
    if "img_channels" in state:
        require(f"{place}.img_channels", state["img_channels"], 3)
    if module.class_name == "SynthesisLayer":
        require(f"{place}.use_noise", state.get("use_noise"), True)
    if module.class_name == "FullyConnectedLayer" and not place.startswith("mapping.fc"):
        require(f"{place}.lr_multiplier", state.get("bias_gain"), 1)
    if module.class_name == "DiscriminatorEpilogue":
        _check_deviation(place, _table(module, place, "_modules").get("mbstd"), found)


def _check_deviation(place: str, layer: Any, found: ImportedNetworks) -> None:
    require(f"{place}.mbstd_num_channels", layer.state.get("num_channels") if layer else 0, 1)
    group = layer.state.get("group_size")
    if group is not None and (not isinstance(group, int) or group < 1):
        raise unsupported(f"{place}.mbstd_group_size = {group!r}")
    found.deviation_group = group


def _check_filter(name: str, tensor: Tensor) -> None:
    expected = torch.outer(_TAPS, _TAPS) / 64
    if tensor.shape != expected.shape or not torch.allclose(tensor.float(), expected):
        raise unsupported(f"{name} is not the low-pass filter [1, 3, 3, 1]")


def generator_tensor(name: str, tensor: Tensor, resolution: int) -> tuple[str, Tensor]:
    """A tensor of their generator under the name and in the shape of this package, as a view."""
    match name.split("."):
        case ["mapping", "w_avg"]:
            return "w_average", tensor
        case ["mapping", *rest]:
            return _mapping_name(name, rest), tensor
        case ["synthesis", "b4", "const"]:
            return "first.constant", tensor[None]
        case ["synthesis", block, layer, *parts] if layer in _LAYERS:
            place = "first" if block == "b4" else f"blocks.{_power(block) - 3}"
            ours = ".".join([place, _LAYERS[layer], *(_PARTS.get(part, part) for part in parts)])
            if parts == ["noise_const"]:
                return ours, tensor[None, None]
            # The up-convolution is stored as a convolution, whose transpose is used here.
            return ours, tensor.transpose(0, 1) if (layer, parts) == ("conv0", ["weight"]) else tensor
    raise unsupported(f"G_ema has a tensor {name}, which StyleGAN2 does not have")


def discriminator_tensor(name: str, tensor: Tensor, resolution: int) -> tuple[str, Tensor]:
    """The same for their discriminator."""
    match name.split("."):
        case ["mapping", *rest]:
            return _mapping_name(name, rest), tensor
        case ["b4", layer, part] if layer in _LAST:
            return f"{_LAST[layer]}.{part}", tensor
        case [block, "fromrgb", part] if block == f"b{resolution}":
            return f"from_rgb.{part}", tensor
        case [block, layer, part] if layer in _D_LAYERS:
            index = _power(f"b{resolution}") - _power(block)
            return f"blocks.{index}.{_D_LAYERS[layer]}.{part}", tensor
    raise unsupported(f"D has a tensor {name}, which StyleGAN2 does not have")


def _mapping_name(name: str, parts: list[str]) -> str:
    match parts:
        case ["embed", part]:
            return f"mapping.embed.{part}"
        case [layer, part] if layer.startswith("fc"):
            return f"mapping.layers.{layer.removeprefix('fc')}.{part}"
    raise unsupported(f"a tensor {name}, which StyleGAN2's mapping does not have")


def _power(block: str) -> int:
    """b4 is 2, b8 is 3, ..."""
    if not re.fullmatch(r"b\d{1,5}", block):
        raise unsupported(f"a part {block} instead of a block such as b8")
    return int(block[1:]).bit_length() - 1
