"""Initial weights of a ResNet detector from a file in torchvision's format."""

from __future__ import annotations

import re
from pathlib import Path

from torch import nn

from anonderm.core.errors import BrokenArtefact
from anonderm.core.tensorfiles import read_weights

_BODY = "backbone.body."


def load_torchvision_weights(network: nn.Module, path: Path) -> int:
    """Copy every tensor of the file that matches one of the network by name and shape; returns how many.

    The file holds a state dict (safetensors, or a pickle from which only tensors are read) of torchvision's
    Faster R-CNN, or of its ResNet classifier, whose convolutions become the backbone. Raises MissingPath, or
    BrokenArtefact if a tensor of the backbone is missing.
    """
    own = network.state_dict()
    stored = read_weights(path, "Give a .pth or .safetensors file from torchvision.")
    theirs = {_our_name(name): tensor for name, tensor in stored.items()}
    copied = {name: x for name, x in theirs.items() if name in own and own[name].shape == x.shape}
    missing = [
        name for name in own if name.startswith(_BODY) and name not in copied and "num_batches" not in name
    ]
    if missing:
        raise BrokenArtefact(
            f"{path}: not the weights of this network ({missing[0].removeprefix(_BODY)} does not fit).",
            "Set --network to the network in the file's name, such as resnet50.",
        )
    network.load_state_dict({**own, **copied})
    return len(copied)


def _our_name(name: str) -> str:
    """The name in current torchvision, whose pyramid blocks have an index that weights of 2019 lack."""
    if not name.startswith(("backbone.", "rpn.", "roi_heads.")):
        return _BODY + name
    name = re.sub(r"(fpn\.\w+_blocks\.\d+)\.(weight|bias)$", r"\1.0.\2", name)
    return re.sub(r"(rpn\.head\.conv)\.(weight|bias)$", r"\1.0.0.\2", name)
