"""Loading DFDNet's published checkpoint, latest_net_G.pth, into our network.

It includes VGG-19, and stores convolutions as spectral normalisation does in training (Miyato et al. 2018): a
weight and the two vectors that estimate its largest singular value, by which it is divided here once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from anonderm.core.errors import InputError
from anonderm.core.tensorfiles import read_tensors, weights_of
from anonderm.models.restorers.dfdnet.components import COMPONENTS
from anonderm.models.restorers.dfdnet.dictionary import STRIDES, Dictionary, read_dictionaries
from anonderm.models.restorers.dfdnet.network import DFDNet

WEIGHTS, DICTIONARIES = "latest_net_G.pth", "DictionaryCenter512"
_VGG_INDICES = ((0, 2), (5, 7), (10, 12, 14, 16), (19, 21, 23, 25), (28, 30, 32, 34))
_PARTS = dict(zip(COMPONENTS, ("le", "re", "no", "mo"), strict=True))


def published_names() -> dict[str, str]:
    """Name of each of our convolutions -> its name in the published checkpoint."""
    names = dict(_vgg_names())
    for part, short in _PARTS.items():
        for scale, stride in enumerate(STRIDES):
            names |= _pair(f"confidence.{part}.{scale}", f"{short}_{512 // stride}", (0, 2))
    for branch in range(4):
        names |= _pair(f"context.branches.{branch}", f"MSDilate.conv{branch + 1}", (0, 2))
    names["context.join"] = "MSDilate.convi"
    for stage in range(4):
        names[f"stages.{stage}.convolve"] = f"up{stage}.conv1.1"
        names[f"stages.{stage}.enlarge"] = f"up{stage}.convup.1"
        names |= _pair(f"stages.{stage}.scale", f"up{stage}.ScaleModel1", (0, 2))
        names |= _pair(f"stages.{stage}.shift", f"up{stage}.ShiftModel1", (0, 2))
    for residual in range(2):
        names |= _pair(f"head.residuals.{residual}", f"up4.{residual + 2}.Model", (0, 2))
    return names | {"head.convolve": "up4.0", "head.to_rgb": "up4.4"}


def _vgg_names() -> Iterator[tuple[str, str]]:
    for block, indices in enumerate(_VGG_INDICES):
        for number, index in enumerate(indices):
            yield f"features.blocks.{block}.{number}", f"VggExtract.model.features.{index}"


def _pair(ours: str, theirs: str, numbers: tuple[int, int]) -> dict[str, str]:
    return {f"{ours}.first": f"{theirs}.{numbers[0]}", f"{ours}.second": f"{theirs}.{numbers[1]}"}


def load_published(folder: Path) -> tuple[DFDNet, dict[str, tuple[Dictionary, ...]]]:
    """Network and dictionaries from a published folder. Raises InputError or BrokenArtefact."""
    path = folder / WEIGHTS
    stored = read_tensors(path)
    first = stored.get("VggExtract.model.features.0.weight")
    if first is None:
        raise InputError(f"{path}: not DFDNet's checkpoint (it has no VGG-19).", "Give latest_net_G.pth.")
    with weights_of("DFDNet", path, "Download it again."):
        tensors = {
            f"{ours}.{kind}": values
            for ours, theirs in published_names().items()
            for kind, values in (("weight", _weight(stored, theirs)), ("bias", stored[f"{theirs}.bias"]))
        }
        network = DFDNet(width=len(first))
        network.load_state_dict(tensors)
    return network, read_dictionaries(folder / DICTIONARIES, network.features.channels)


def _weight(stored: Mapping[str, Tensor], name: str) -> Tensor:
    if f"{name}.weight" in stored:
        return stored[f"{name}.weight"]
    weight = stored[f"{name}.weight_orig"]
    largest = torch.dot(stored[f"{name}.weight_u"], weight.flatten(1) @ stored[f"{name}.weight_v"])
    return weight / largest
