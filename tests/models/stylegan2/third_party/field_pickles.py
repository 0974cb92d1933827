"""Pickles in the layouts of NVIDIA's programs, written from this package's networks.

Written from knowledge of the formats, without any of their code: module states under the names of
stylegan2-ada-pytorch and stylegan3, and variables under those of the TensorFlow StyleGAN2.
"""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anonderm.models.stylegan2.discriminator import Discriminator
from anonderm.models.stylegan2.generator import Generator, StyledConvolution, ToRGB
from anonderm.models.stylegan2.layers import Linear

SOURCE = "raise SystemExit('the source code in the pickle was run')"
_FILTER = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


@dataclass
class Module:
    """One of their modules before it is nested in its parent."""

    class_name: str
    attributes: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Tensor] = field(default_factory=dict)
    buffers: dict[str, Tensor] = field(default_factory=dict)


Modules = dict[str, Module]
"""By place, such as synthesis.b8.conv0; the network itself is at ""."""


def nvidia_generator(generator: Generator) -> Modules:
    arch = generator.arch
    modules = {
        "": Module("Generator", {"z_dim": arch.z_dim, "img_channels": 3}),
        "synthesis": Module(
            "SynthesisNetwork", {"img_channels": 3, "num_ws": np.int64(generator.style_layers)}
        ),
        "mapping": Module("MappingNetwork", {"w_avg_beta": 0.998}, buffers={"w_avg": generator.w_average}),
    }
    _mapping(modules, generator.mapping)
    places = [("b4", generator.first), *zip((f"b{s}" for s in arch.sizes[1:]), generator.blocks, strict=True)]
    for name, block in places:
        place = f"synthesis.{name}"
        modules[place] = Module("SynthesisBlock", {"architecture": "skip", "img_channels": 3}, {}, _filter())
        if name == "b4":
            modules[place].parameters["const"] = block.constant[0]
        else:
            _styled(modules, f"{place}.conv0", block.grow, arch.clamp, up=True)
        _styled(modules, f"{place}.conv1", block.convolution, arch.clamp, up=False)
        rgb: ToRGB = block.to_rgb
        modules[f"{place}.torgb"] = Module(
            "ToRGBLayer", {"conv_clamp": arch.clamp}, {"weight": rgb.weight, "bias": rgb.bias}
        )
        _dense(modules, f"{place}.torgb.affine", rgb.style)
    return modules


def nvidia_discriminator(discriminator: Discriminator) -> Modules:
    arch = discriminator.arch
    modules = {"": Module("Discriminator", {"img_channels": 3})}
    if discriminator.mapping is not None:
        modules["mapping"] = Module("MappingNetwork", {"w_avg_beta": None})
        _mapping(modules, discriminator.mapping)
    for size, block in zip(reversed(arch.sizes[1:]), discriminator.blocks, strict=True):
        place, clamp = f"b{size}", arch.clamp
        modules[place] = Module(
            "DiscriminatorBlock", {"architecture": "resnet", "img_channels": 3}, {}, _filter()
        )
        if size == arch.resolution:
            modules[f"{place}.fromrgb"] = _plain_convolution(discriminator.from_rgb, "lrelu", clamp)
        modules[f"{place}.conv0"] = _plain_convolution(block.convolution, "lrelu", clamp)
        modules[f"{place}.conv1"] = _plain_convolution(block.shrink, "lrelu", clamp)
        modules[f"{place}.skip"] = _plain_convolution(block.short_cut, "linear", None)
    modules["b4"] = Module("DiscriminatorEpilogue", {"architecture": "resnet", "img_channels": 3})
    modules["b4.mbstd"] = Module("MinibatchStdLayer", {"group_size": arch.deviation_group, "num_channels": 1})
    modules["b4.conv"] = _plain_convolution(discriminator.convolution, "lrelu", arch.clamp)
    _dense(modules, "b4.fc", discriminator.dense, "lrelu")
    _dense(modules, "b4.out", discriminator.logit)
    return modules


def _mapping(modules: Modules, mapping: Any) -> None:
    if mapping.embed is not None:
        _dense(modules, "mapping.embed", mapping.embed)
    for index, layer in enumerate(mapping.layers):
        _dense(modules, f"mapping.fc{index}", layer, "lrelu", rate=0.01)


def _dense(modules: Modules, place: str, layer: Linear, activation: str = "linear", rate: float = 1) -> None:
    attributes = {
        "activation": activation,
        "bias_gain": rate,
        "weight_gain": np.float64(rate) / np.sqrt(layer.weight.shape[1]),
    }
    modules[place] = Module("FullyConnectedLayer", attributes, {"weight": layer.weight, "bias": layer.bias})


def _styled(modules: Modules, place: str, layer: StyledConvolution, clamp: float | None, *, up: bool) -> None:
    weight = layer.weight.transpose(0, 1) if up else layer.weight
    modules[place] = Module(
        "SynthesisLayer",
        {"use_noise": True, "activation": "lrelu", "conv_clamp": clamp, "act_gain": np.sqrt(2)},
        {"weight": weight, "bias": layer.bias, "noise_strength": layer.noise_strength},
        {**_filter(), "noise_const": layer.noise[0, 0]},
    )
    _dense(modules, f"{place}.affine", layer.style)


def _plain_convolution(layer: Any, activation: str, clamp: float | None) -> Module:
    tensors = {"weight": layer.weight, "bias": layer.bias}
    return Module("Conv2dLayer", {"activation": activation, "conv_clamp": clamp}, tensors, _filter())


def _filter() -> dict[str, Tensor]:
    return {"resample_filter": _FILTER}


def _reconstruct_persistent_obj(meta: Any) -> None:
    """Only its name is stored."""


class EasyDict(dict[str, Any]):
    """Stands for dnnlib.util.EasyDict."""


class Network:
    """Stands for dnnlib.tflib.network.Network."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def __getstate__(self) -> dict[str, Any]:
        return self.state


class _Persistent:
    """An object that pickles as NVIDIA's persistent modules do."""

    def __init__(self, class_name: str, state: dict[str, Any]) -> None:
        self.meta = {
            "type": "class",
            "version": 6,
            "module_src": SOURCE,
            "class_name": class_name,
            "state": state,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _reconstruct_persistent_obj, (self.meta,), None


_THEIR_MODULES = {
    "torch_utils.persistence": _reconstruct_persistent_obj,
    "dnnlib.util": EasyDict,
    "dnnlib.tflib.network": Network,
}
for _module, _thing in _THEIR_MODULES.items():
    _thing.__module__ = _module


@contextmanager
def _their_names() -> Iterator[None]:
    """Pickle stores functions and classes by name and looks whether these exist: here they do."""
    names = {".".join(name.split(".")[:depth]) for name in _THEIR_MODULES for depth in (1, 2, 3)}
    before = {name: sys.modules.get(name) for name in names}
    sys.modules |= {name: types.ModuleType(name) for name in names}
    for name, thing in _THEIR_MODULES.items():
        setattr(sys.modules[name], thing.__name__, thing)
    try:
        yield
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


def persistent(modules: Modules) -> _Persistent:
    """Nest the modules, each with the state of a torch module."""
    return _nested(modules, "")


def _nested(modules: Modules, place: str) -> _Persistent:
    module = modules[place]
    prefix = f"{place}." if place else ""
    children = [name for name in modules if name.startswith(prefix) and name != place]
    direct = [name for name in children if "." not in name.removeprefix(prefix)]
    parameters = {name: value for name, value in module.parameters.items() if value is not None}
    state = {
        "training": False,
        "_parameters": OrderedDict(
            (n, torch.nn.Parameter(v.detach().clone())) for n, v in parameters.items()
        ),
        "_buffers": OrderedDict((name, value.detach().clone()) for name, value in module.buffers.items()),
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": OrderedDict(),
        "_modules": OrderedDict((name.removeprefix(prefix), _nested(modules, name)) for name in direct),
        "_init_kwargs": EasyDict(channel_base=1024),
        **module.attributes,
    }
    return _Persistent(module.class_name, state)


def dumped(content: Any, protocol: int = 4) -> bytes:
    with _their_names():
        return pickle.dumps(content, protocol)


def pytorch_pickle(generator: Generator, discriminator: Discriminator | None, protocol: int = 4) -> bytes:
    """A network-snapshot-*.pkl as NVIDIA's PyTorch training writes it."""
    average = persistent(nvidia_generator(generator))
    content = {"training_set_kwargs": EasyDict(path="photos.zip"), "G": average, "augment_pipe": None}
    if discriminator is not None:
        content["D"] = persistent(nvidia_discriminator(discriminator))
    return dumped(content | {"G_ema": average}, protocol)


def tensorflow_networks(
    generator: Generator, discriminator: Discriminator, version: int = 4
) -> tuple[Network, ...]:
    """G, D and Gs with the variables of the TensorFlow StyleGAN2 (4) or StyleGAN2-ADA (5)."""
    arch = generator.arch
    mapping, synthesis = _tf_mapping(generator), _tf_synthesis(generator)
    options = EasyDict(
        num_channels=3,
        resolution=arch.resolution,
        label_size=len(arch.classes),
        fmap_base=arch.channel_base // 2,
    )
    components = EasyDict(
        synthesis=_network("G_synthesis", options, synthesis, version),
        mapping=_network("G_mapping", options, mapping, version),
    )
    own = {"lod": np.float32(0), "dlatent_avg": generator.w_average.numpy()}
    average = _network("Gs", EasyDict(options, mapping_layers=arch.mapping_layers), own, version, components)
    options_d = EasyDict(options, mbstd_group_size=arch.deviation_group, mapping_lrmul=0.01)
    return average, _network("D", options_d, _tf_discriminator(discriminator), version), average


def _network(
    name: str, options: EasyDict, variables: dict[str, Any], version: int, components: EasyDict | None = None
) -> Network:
    return Network(
        {
            "version": version,
            "name": name,
            "static_kwargs": dict(options),
            "components": dict(components or {}),
            "build_module_src": SOURCE,
            "build_func_name": "build",
            "variables": [(key, _numpy(value)) for key, value in variables.items()],
        }
    )


def _numpy(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.detach().numpy()
    return np.ascontiguousarray(value) if np.ndim(value) else np.float32(value)


def _hwio(weight_OIHW: Tensor) -> Tensor:
    return weight_OIHW.permute(2, 3, 1, 0)


def _tf_mapping(generator: Generator) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if generator.mapping.embed is not None:
        found |= _tf_dense("LabelEmbed", generator.mapping.embed)
    for index, layer in enumerate(generator.mapping.layers):
        found |= _tf_dense(f"Dense{index}", layer)
    return found


def _tf_dense(name: str, layer: Linear) -> dict[str, Any]:
    return {f"{name}/weight": layer.weight.T, f"{name}/bias": layer.bias}


def _tf_synthesis(generator: Generator) -> dict[str, Any]:
    found: dict[str, Any] = {"4x4/Const/const": generator.first.constant}
    found |= {f"noise{index}": layer.noise for index, layer in enumerate(generator.layers())}
    found |= _tf_styled("4x4/Conv", generator.first.convolution, up=False)
    found |= _tf_styled("4x4/ToRGB", generator.first.to_rgb, up=False)
    for size, block in zip(generator.arch.sizes[1:], generator.blocks, strict=True):
        found |= _tf_styled(f"{size}x{size}/Conv0_up", block.grow, up=True)
        found |= _tf_styled(f"{size}x{size}/Conv1", block.convolution, up=False)
        found |= _tf_styled(f"{size}x{size}/ToRGB", block.to_rgb, up=False)
    return found


def _tf_styled(name: str, layer: Any, *, up: bool) -> dict[str, Any]:
    weight = _hwio(layer.weight.transpose(0, 1)).flip(0, 1) if up else _hwio(layer.weight)
    found = {
        f"{name}/weight": weight,
        f"{name}/mod_weight": layer.style.weight.T,
        f"{name}/mod_bias": layer.style.bias - 1,
        f"{name}/bias": layer.bias,
    }
    if isinstance(layer, StyledConvolution):
        found[f"{name}/noise_strength"] = layer.noise_strength
    return found


def _tf_discriminator(discriminator: Discriminator) -> dict[str, Any]:
    found: dict[str, Any] = {"lod": np.float32(0)}
    top = discriminator.arch.resolution
    found |= _tf_plain(f"{top}x{top}/FromRGB", discriminator.from_rgb)
    for size, block in zip(reversed(discriminator.arch.sizes[1:]), discriminator.blocks, strict=True):
        found |= _tf_plain(f"{size}x{size}/Conv0", block.convolution)
        found |= _tf_plain(f"{size}x{size}/Conv1_down", block.shrink)
        found |= _tf_plain(f"{size}x{size}/Skip", block.short_cut)
    found |= _tf_plain("4x4/Conv", discriminator.convolution)
    found |= _tf_dense("4x4/Dense0", discriminator.dense) | _tf_dense("Output", discriminator.logit)
    if discriminator.mapping is not None:
        found |= _tf_dense("LabelEmbed", discriminator.mapping.embed)
        for index, layer in enumerate(discriminator.mapping.layers):
            found |= _tf_dense(f"Mapping{index}", layer)
    return found


def _tf_plain(name: str, layer: Any) -> dict[str, Any]:
    found = {f"{name}/weight": _hwio(layer.weight)}
    return found if layer.bias is None else found | {f"{name}/bias": layer.bias}
