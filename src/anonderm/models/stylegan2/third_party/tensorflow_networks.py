"""The pickles of the TensorFlow StyleGAN2 and StyleGAN2-ADA: (G, D, Gs), each with options and variables.

Convolutions are stored as [height, width, in, out], dense layers as [in, out], biases of styles minus 1.
"""

import re
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
from anonderm.models.stylegan2.third_party.safe_pickle import TensorFlowNetwork, plain_array

_FIRST_VERSION, _ADA_VERSION = 4, 5
_LAYERS = {"Conv": "convolution", "Conv0_up": "grow", "Conv1": "convolution", "ToRGB": "to_rgb"}
_D_LAYERS = {"Conv0": "convolution", "Conv1_down": "shrink", "Skip": "short_cut"}
_LAST = {"Conv": "convolution", "Dense0": "dense"}
# Options that need a certain value (if present), and options that follow from shapes or change no image.
_REQUIRED = {
    "num_channels": 3,
    "use_noise": True,
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "normalize_latents": True,
    "mbstd_num_features": 1,
}
_IGNORED = {
    *("latent_size", "label_size", "dlatent_size", "resolution", "fmap_base", "fmap_max", "fmap_min"),
    *("fmap_decay", "mapping_layers", "mapping_fmaps", "label_fmaps", "mapping_lrmul", "num_fp16_res"),
    *("conv_clamp", "mbstd_group_size", "architecture", "resample_kernel", "w_avg_beta", "dlatent_avg_beta"),
    *("truncation_psi", "truncation_cutoff", "truncation_psi_val", "truncation_cutoff_val"),
    *("style_mixing_prob", "structure", "conditioning", "fused_modconv", "freeze_layers", "dtype"),
    *("randomize_noise", "is_validation", "is_training"),
}
_NUMBERS = {"mapping_lrmul", "conv_clamp", "mbstd_group_size"}


def find(networks: tuple[TensorFlowNetwork, ...]) -> ImportedNetworks:
    """The moving average of the generator (Gs) and the discriminator. Raises InputError."""
    _generator, discriminator, average = networks
    options, options_d = _options(average, "skip"), _options(discriminator, "resnet")
    if options.get("conv_clamp") != options_d.get("conv_clamp"):
        raise unsupported("conv_clamp differs between Gs and D")
    whole_batch_is_default = discriminator.state["version"] >= _ADA_VERSION
    found = ImportedNetworks(
        clamp=options.get("conv_clamp"),
        deviation_group=options_d.get("mbstd_group_size", None if whole_batch_is_default else 4),
    )
    _convert(found.generator, _variables(average), _generator_tensor)
    same_mapping_rate(found.generator, options.get("mapping_lrmul", 0.01))
    _convert(found.discriminator, _variables(discriminator), _discriminator_tensor)
    same_mapping_rate(found.discriminator, options_d.get("mapping_lrmul", 0.1))
    return found


def _options(network: TensorFlowNetwork, architecture: str) -> dict[str, Any]:
    """The options of a network. Raises InputError for those that this package does not support."""
    state = network.state
    if not {"version", "static_kwargs", "variables", "components"} <= state.keys():
        raise InputError("a Network without version, static_kwargs, components or variables.")
    if not isinstance(state["version"], int) or state["version"] < _FIRST_VERSION:
        raise unsupported(f"a network of format {state['version']!r}, older than StyleGAN2's")
    options = state["static_kwargs"]
    if not isinstance(options, dict):
        raise InputError("a Network whose static_kwargs are not a dict.")
    for name, value in options.items():
        if name in _REQUIRED:
            require(name, value, _REQUIRED[name])
        elif name not in _IGNORED:
            raise unsupported(f"the option {name} = {value!r}")
    require("architecture", options.get("architecture", architecture), architecture)
    require("resample_kernel", options.get("resample_kernel"), [1, 3, 3, 1], (1, 3, 3, 1), None)
    for name in _NUMBERS & options.keys():
        if options[name] is not None and not (isinstance(options[name], int | float) and options[name] > 0):
            raise unsupported(f"the option {name} = {options[name]!r}")
    return options


def _variables(network: Any, prefix: str = "") -> dict[str, Tensor]:
    """All variables by name; those of components are prefixed with the name of the component."""
    if not isinstance(network, TensorFlowNetwork) or prefix.count("/") > 1:
        raise unsupported(f"a component {prefix} that StyleGAN2 does not have")
    found = {}
    for name, value in network.state["variables"]:
        found[f"{prefix}{name}"] = torch.tensor(plain_array(value))
    for name, component in network.state["components"].items():
        found |= _variables(component, f"{prefix}{name}/")
    return found


def _convert(into: dict[str, Tensor], variables: dict[str, Tensor], convert: Convert) -> None:
    variables.pop("lod", None)  # the state of progressive growing, left over from StyleGAN
    for name in variables:
        if "_lod" in name or name.startswith(("mapping/LabelConcat", "LabelConcat")):
            raise unsupported(f"the variable {name}, of an earlier kind of network")
    resolution = resolution_of(variables, r"(?:synthesis/)?(\d{1,5})x\d")
    for name, tensor in variables.items():
        ours, value = convert(name, tensor, resolution)
        into[ours] = value.float()


def _generator_tensor(name: str, tensor: Tensor, resolution: int) -> tuple[str, Tensor]:
    match name.split("/"):
        case ["dlatent_avg"]:
            return "w_average", tensor
        case ["mapping", "LabelEmbed", part]:
            return f"mapping.embed.{part}", tensor.t()
        case ["mapping", layer, part] if layer.startswith("Dense"):
            return f"mapping.layers.{layer.removeprefix('Dense')}.{part}", tensor.t()
        case ["synthesis", "4x4", "Const", "const"]:
            return "first.constant", tensor
        case ["synthesis", noise] if noise.startswith("noise"):
            return _noise_map(noise.removeprefix("noise")), tensor
        case ["synthesis", block, layer, part] if layer in _LAYERS:
            power = _power(block)
            place = "first" if power == 2 else f"blocks.{power - 3}"
            ours, value = _styled(part, tensor, up=layer == "Conv0_up")
            return f"{place}.{_LAYERS[layer]}.{ours}", value
    raise unsupported(f"Gs has a variable {name}, which StyleGAN2 does not have")


def _styled(part: str, tensor: Tensor, *, up: bool) -> tuple[str, Tensor]:
    match part:
        case "mod_weight":
            return "style.weight", tensor.t()
        case "mod_bias":
            return "style.bias", tensor + 1
        case "weight" if up:
            # Stored for a correlation over the enlarged image; the transposed convolution needs it mirrored.
            return "weight", _axes(tensor, 2, 3, 0, 1).flip(2, 3)
        case "weight":
            return "weight", _axes(tensor, 3, 2, 0, 1)
    return part, tensor


def _axes(tensor: Tensor, *order: int) -> Tensor:
    if tensor.dim() != len(order):
        raise unsupported(f"a weight of shape {tuple(tensor.shape)}")
    return tensor.permute(order)


def _noise_map(index: str) -> str:
    """Noise maps are numbered over all layers: 0 at 4 px, then two per block."""
    if not re.fullmatch(r"\d{1,3}", index):
        raise unsupported(f"a noise map {index}")
    block, layer = divmod(int(index) - 1, 2)
    place = f"blocks.{block}.{('grow', 'convolution')[layer]}" if block >= 0 else "first.convolution"
    return f"{place}.noise"


def _power(block: str) -> int:
    """4x4 is 2, 8x8 is 3, ..."""
    if not re.fullmatch(r"\d{1,5}x\d{1,5}", block):
        raise unsupported(f"a part {block} instead of a block such as 8x8")
    return int(block.partition("x")[0]).bit_length() - 1


def _discriminator_tensor(name: str, tensor: Tensor, resolution: int) -> tuple[str, Tensor]:
    value = tensor.permute(3, 2, 0, 1) if tensor.dim() == 4 else tensor.t()
    match name.split("/"):
        case ["LabelEmbed", part]:
            return f"mapping.embed.{part}", value
        case [layer, part] if layer.startswith("Mapping"):
            return f"mapping.layers.{layer.removeprefix('Mapping')}.{part}", value
        case ["Output", part]:
            return f"logit.{part}", value
        case ["4x4", layer, part] if layer in _LAST:
            return f"{_LAST[layer]}.{part}", value
        case [block, "FromRGB", part] if block == f"{resolution}x{resolution}":
            return f"from_rgb.{part}", value
        case [block, layer, part] if layer in _D_LAYERS:
            index = resolution.bit_length() - 1 - _power(block)
            return f"blocks.{index}.{_D_LAYERS[layer]}.{part}", value
    raise unsupported(f"D has a variable {name}, which StyleGAN2 does not have")
