"""Component dictionaries: features of sharp components, clustered, at four scales."""

# N faces, K entries, C channels, H x W pixels of a component's features

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.core.errors import BrokenArtefact
from anonderm.models.restorers.dfdnet.components import COMPONENTS

STRIDES = (2, 4, 8, 16)  # of the four feature maps; 256, 128, 64 and 32 px in file names
_SIDES = {"left_eye": 80, "right_eye": 80, "nose": 50, "mouth": 110}  # of an entry, in pixels of the picture
_EPSILON = 1e-5


def _moments(values_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel as in training: unbiased, with an epsilon."""
    variance, mean = torch.var_mean(values_NCHW, dim=(2, 3), keepdim=True)
    return mean, (variance + _EPSILON).sqrt()


def standardised(entries_KCHW: Tensor) -> Tensor:
    """Each channel of each entry with mean 0 and deviation 1, as `match` expects them."""
    mean, deviation = _moments(entries_KCHW)
    return (entries_KCHW - mean) / deviation


def match(entries_KCHW: Tensor, component_1CHW: Tensor) -> Tensor:
    """The entry most similar to a face's component, in that component's style and size, [1, C, h, w].

    Component AdaIN gives an entry the component's mean and deviation; the entry with the largest inner
    product is chosen. As the means contribute equally to all products, one matrix-vector product with the
    deviations suffices, and only the chosen entry is restyled.
    """
    size = entries_KCHW.shape[2:]
    like_entries = F.interpolate(component_1CHW, size, mode="bilinear", align_corners=False)
    mean, deviation = _moments(like_entries)
    products_K = entries_KCHW.flatten(1) @ (like_entries * deviation).flatten()
    chosen = int(products_K.argmax())
    restyled = entries_KCHW[chosen : chosen + 1] * deviation + mean
    return F.interpolate(restyled, component_1CHW.shape[2:])


def read_dictionaries(folder: Path, channels: tuple[int, ...]) -> dict[str, tuple[Tensor, ...]]:
    """Component -> its standardised entries [K, C, H, W] at each scale, finest first.

    folder: holds `{component}_{256,128,64,32}_center.npy`. channels: those of the four feature maps. Pickles
    are refused. Raises BrokenArtefact.
    """
    return {
        name: tuple(
            _read(folder / f"{name}_{512 // stride}_center.npy", count, _SIDES[name] // stride)
            for stride, count in zip(STRIDES, channels, strict=True)
        )
        for name in COMPONENTS
    }


def _read(path: Path, channels: int, side: int) -> Tensor:
    try:
        stored = np.load(path, allow_pickle=False)
        entries = torch.from_numpy(stored.astype(np.float32)).reshape(len(stored), channels, side, side)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise BrokenArtefact(
            f"{path}: not a dictionary of {channels} x {side} x {side} features ({error}).",
            "Download DictionaryCenter512 again: plain arrays of numbers, one row per entry.",
        ) from error
    return standardised(entries)
