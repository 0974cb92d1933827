"""Using a skin network: photo -> skin mask of the photo's own size."""

# C channels, H x W pixels of a photo, K classes, h x w pixels as the network sees it

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BrokenArtefact
from anonderm.core.imagenet import normalised
from anonderm.core.images import Pixels
from anonderm.core.tensorfiles import read_weights
from anonderm.models.skin_segmenter.bisenet import BiSeNet
from anonderm.models.skin_segmenter.preprocessing import scaled

Mask = NDArray[np.bool_]

CLASSES = ("background", "skin")

# What the community's 19-class weights call their outputs, in order (CelebAMask-HQ; Lee et al. 2020).
PARTS = (
    *("background", "skin", "left brow", "right brow", "left eye", "right eye", "glasses", "left ear"),
    *("right ear", "earring", "nose", "mouth", "upper lip", "lower lip", "neck", "necklace", "clothes"),
    *("hair", "hat"),
)
_SKIN_PARTS = ("skin", "nose")
_PARTS_SIZE = 512

_MULTIPLE = 32  # the deepest features have a pixel in so many
_SPECK = 0.2  # patches of skin smaller than this share of the largest one are left out


@dataclass(frozen=True)
class Segmenter:
    """A network in evaluation mode, the size at which it sees photos, and which of its classes are skin."""

    network: BiSeNet
    size: int
    skin_classes: tuple[int, ...]

    def mask(self, image_HWC: Pixels) -> Mask:
        """The skin of a photo of any size, bool [H, W]."""
        return tidied(self.margin(image_HWC) > 0)

    def margin(self, image_HWC: Pixels) -> NDArray[np.float32]:
        """How far the best class of skin is ahead of the best other one, float32 [H, W], in logits.

        The network sees the photo with its longer side at `size`; the margin, which is smooth, is enlarged to
        the photo's size, so that the mask has no steps.
        """
        height, width = image_HWC.shape[:2]
        longest = max(height, width)
        seen_h, seen_w = (
            max(_MULTIPLE, round(side * self.size / longest / _MULTIPLE) * _MULTIPLE)
            for side in (height, width)
        )
        pixels_hwC = scaled(image_HWC, seen_w, seen_h)
        device = next(self.network.parameters()).device
        x_1Chw = torch.tensor(pixels_hwC, device=device).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            logits_Khw = self.network(normalised(x_1Chw))[0].float().cpu()
        skin = list(self.skin_classes)
        others = [index for index in range(len(logits_Khw)) if index not in skin]
        margin_hw = logits_Khw[skin].amax(0) - logits_Khw[others].amax(0)
        return cv2.resize(margin_hw.numpy(), (width, height), interpolation=cv2.INTER_LINEAR)


def tidied(mask_HW: Mask) -> Mask:
    """Without patches much smaller than the largest: a wrong pixel would widen the box around all."""
    count, labels_HW, stats, _ = cv2.connectedComponentsWithStats(mask_HW.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    if count <= 2:
        return mask_HW
    kept = areas >= _SPECK * areas[1:].max()
    kept[0] = False
    return kept[labels_HW]


def load_segmenter(checkpoint: Checkpoint, device: str = "cpu") -> Segmenter:
    """The network of a checkpoint that train-skin wrote. Raises BrokenArtefact."""
    hint = "Give one that train-skin wrote, or phantom-skin."
    with checkpoint.opened_as("skin", "a skin network", hint) as card:
        network = BiSeNet(len(card.classes), int(card.architecture["width"]))
        network.load_state_dict(checkpoint.tensors())
        skin_classes = (card.classes.index("skin"),)
    return Segmenter(network.to(device).eval(), card.resolution, skin_classes)


def load_face_parsing(path: Path, device: str = "cpu") -> Segmenter:
    """The community's 19-class weights as they are published: a .pth or .safetensors file.

    Skin and nose count as skin. No code in the file is run. Raises MissingPath or BrokenArtefact.
    """
    network = BiSeNet(len(PARTS))
    load_published(network, path)
    skin_classes = tuple(PARTS.index(part) for part in _SKIN_PARTS)
    return Segmenter(network.to(device).eval(), _PARTS_SIZE, skin_classes)


def load_published(network: torch.nn.Module, path: Path, leave_out: Sequence[str] = ()) -> None:
    """Fill the network with a file's state dict, all of it but names that begin with one of `leave_out`.

    Raises MissingPath or BrokenArtefact.
    """
    hint = "Give the file as its authors publish it."
    tensors = {
        name.removeprefix("module."): tensor
        for name, tensor in read_weights(path, hint).items()
        if not name.startswith(tuple(leave_out))
    }
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        first_line = str(error).partition("\n")[0]
        raise BrokenArtefact(f"{path}: not the weights of this network ({first_line}).", hint) from error
