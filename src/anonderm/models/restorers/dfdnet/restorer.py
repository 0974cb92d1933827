"""DFDNet as a restorer, with its published checkpoint, latest_net_G.pth.

The checkpoint includes VGG-19, and stores convolutions as spectral normalisation does in training (Miyato et
al. 2018): a weight and the two vectors that estimate its largest singular value, by which it is divided here
once.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from anonderm.core import launch
from anonderm.core.errors import InputError
from anonderm.core.images import Pixels
from anonderm.core.tensorfiles import read_tensors, weights_of
from anonderm.models.restorers.dfdnet.components import COMPONENTS, SIDE, boxes_of
from anonderm.models.restorers.dfdnet.dictionary import STRIDES, read_dictionaries
from anonderm.models.restorers.dfdnet.network import DFDNet
from anonderm.models.restorers.restorer import Points, from_pixels, to_pixels

WEIGHTS, DICTIONARIES = "latest_net_G.pth", "DictionaryCenter512"
_PARTS = dict(zip(COMPONENTS, ("le", "re", "no", "mo"), strict=True))


class DfdnetRestorer:
    """Faces of 512 px in FFHQ's framing. Without points, components are at their average positions."""

    name = "dfdnet"
    side: int | None = SIDE
    scale = 1
    framed = True

    def __init__(self, folder: Path) -> None:
        """Raises what `load_published` raises."""
        self._device = launch.device()
        network, dictionaries = load_published(folder)
        self._network = network.to(self._device).eval()
        self._dictionaries = {
            name: tuple(each.to(self._device) for each in scales) for name, scales in dictionaries.items()
        }

    @torch.inference_mode()
    def __call__(self, images_NHWC: Pixels, points_N: Sequence[Points | None]) -> Pixels:
        boxes_N = [boxes_of(points_682) for points_682 in points_N]
        images_NCHW = from_pixels(images_NHWC, self._device) * 2 - 1
        return to_pixels((self._network(images_NCHW, boxes_N, self._dictionaries) + 1) / 2)


def published_names() -> dict[str, str]:
    """Name of each of our convolutions -> its name in the published checkpoint."""
    vgg = [0, 2, 5, 7, *range(10, 17, 2), *range(19, 26, 2), *range(28, 35, 2)]
    names = {f"features.layers.{index}": f"VggExtract.model.features.{index}" for index in vgg}
    pairs: dict[str, str] = {}  # of two convolutions each
    for part, short in _PARTS.items():
        for scale, stride in enumerate(STRIDES):
            pairs[f"confidence.{part}.{scale}"] = f"{short}_{512 // stride}"
    for branch in range(4):
        pairs[f"context.branches.{branch}"] = f"MSDilate.conv{branch + 1}"
    for stage in range(4):
        names[f"stages.{stage}.convolve"] = f"up{stage}.conv1.1"
        names[f"stages.{stage}.enlarge"] = f"up{stage}.convup.1"
        pairs[f"stages.{stage}.scale"] = f"up{stage}.ScaleModel1"
        pairs[f"stages.{stage}.shift"] = f"up{stage}.ShiftModel1"
    for residual in range(2):
        pairs[f"head.residuals.{residual}"] = f"up4.{residual + 2}.Model"
    names |= {f"{ours}.{number}": f"{theirs}.{number}" for ours, theirs in pairs.items() for number in (0, 2)}
    return names | {"context.join": "MSDilate.convi", "head.convolve": "up4.0", "head.to_rgb": "up4.4"}


def load_published(folder: Path) -> tuple[DFDNet, dict[str, tuple[Tensor, ...]]]:
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
