"""Weights that torchvision publishes, from a file that the user has, as a start for a ResNet detector."""

from __future__ import annotations

import re
from pathlib import Path

from torch import nn

from anonderm.core.errors import BrokenArtefact
from anonderm.core.tensorfiles import read_weights

_BODY = "backbone.body."


def start_from(network: nn.Module, path: Path) -> int:
    """Take over every tensor of the file that the network has, by name and shape; returns how many.

    The file holds a state dict (safetensors, or a pickle of which nothing but tensors is read) of
    torchvision's Faster R-CNN, or of its ResNet classifier, whose convolutions become the backbone. Raises
    MissingPath, or BrokenArtefact where the backbone is not all there.
    """
    own = network.state_dict()
    stored = read_weights(path, "Give a .pth or .safetensors file of torchvision.")
    theirs = {_our_name(name): tensor for name, tensor in stored.items()}
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
