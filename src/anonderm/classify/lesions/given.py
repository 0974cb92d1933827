"""Weights that torchvision publishes, from a file that the user has, as a start for a ResNet detector."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor, nn

from anonderm.core.errors import BrokenArtefact, MissingPath

# Of pixels in 0..1, as torchvision's weights expect them.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_BODY = "backbone.body."


def start_from(network: nn.Module, path: Path) -> int:
    """Take over every tensor of the file that the network has, by name and shape; returns how many.

    The file holds a state dict (safetensors, or a pickle of which nothing but tensors is read) of
    torchvision's Faster R-CNN, or of its ResNet classifier, whose convolutions become the backbone. Raises
    MissingPath, or BrokenArtefact where the backbone is not all there.
    """
    own = network.state_dict()
    theirs = {_our_name(name): tensor for name, tensor in _read(path).items()}
    taken = {name: x for name, x in theirs.items() if name in own and own[name].shape == x.shape}
    missing = [
        name for name in own if name.startswith(_BODY) and name not in taken and "num_batches" not in name
    ]
    if missing:
        raise BrokenArtefact(
            f"{path}: not the weights of this network (no {missing[0].removeprefix(_BODY)} of its shape).",
            "Choose --network as the file's name says, such as resnet50.",
        )
    network.load_state_dict({**own, **taken})
    return len(taken)


def _our_name(name: str) -> str:
    """Names as torchvision has them today: weights of 2019 had no number inside a pyramid's block."""
    if not name.startswith(("backbone.", "rpn.", "roi_heads.")):
        return _BODY + name
    name = re.sub(r"(fpn\.\w+_blocks\.\d+)\.(weight|bias)$", r"\1.0.\2", name)
    return re.sub(r"(rpn\.head\.conv)\.(weight|bias)$", r"\1.0.0.\2", name)


def _read(path: Path) -> dict[str, Tensor]:
    from pickle import UnpicklingError

    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise MissingPath(f"{path}: no such file.", "Give a .pth or .safetensors file of torchvision.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
    except (SafetensorError, UnpicklingError, AttributeError, EOFError, OSError, RuntimeError) as error:
        raise BrokenArtefact(f"{path}: not a state dict of tensors ({error}).") from error
