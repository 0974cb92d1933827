"""Skin segmentation: photo -> skin mask of the photo's own size."""

# C channels, H x W pixels of a photo, K classes, h x w pixels of the network's input, S x S in training

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet
from anonderm.core.imagenet import normalised
from anonderm.core.images import Pixels
from anonderm.core.records import Face
from anonderm.core.tensorfiles import read_weights, weights_of
from anonderm.metrics.confusion import IGNORED
from anonderm.models.skin_segmenter.bisenet import BiSeNet

Mask = NDArray[np.bool_]

CLASSES = ("background", "skin")

# Outputs of the community's 19-class weights, in order (CelebAMask-HQ; Lee et al. 2020).
PARTS = (
    *("background", "skin", "left brow", "right brow", "left eye", "right eye", "glasses", "left ear"),
    *("right ear", "earring", "nose", "mouth", "upper lip", "lower lip", "neck", "necklace", "clothes"),
    *("hair", "hat"),
)
_SKIN_PARTS = ("skin", "nose")
_PARTS_SIZE = 512
_WIDEST = 1024  # channels

_MULTIPLE = 32  # the deepest features have a pixel in so many
_SPECK = 0.2  # patches of skin smaller than this share of the largest one are removed
_LITTLE_SKIN = "little skin"


@dataclass(frozen=True)
class Segmenter:
    """A network in evaluation mode, the side of its input, and which of its classes are skin."""

    network: BiSeNet
    size: int
    skin_classes: tuple[int, ...]

    def mask(self, image_HWC: Pixels) -> Mask:
        """The skin of a photo of any size, bool [H, W]."""
        return tidied(self.margin(image_HWC) > 0)

    def margin(self, image_HWC: Pixels) -> NDArray[np.float32]:
        """The best skin logit minus the best other logit, float32 [H, W].

        The longer side of the network's input is `size`; the margin, which is smooth, is enlarged to the
        photo's size, so that the mask has no steps.
        """
        height, width = image_HWC.shape[:2]
        longest = max(height, width)
        input_h, input_w = (
            max(_MULTIPLE, round(side * self.size / longest / _MULTIPLE) * _MULTIPLE)
            for side in (height, width)
        )
        pixels_hwC = scaled(image_HWC, input_w, input_h)
        device = next(self.network.parameters()).device
        x_1Chw = torch.tensor(pixels_hwC, device=device).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            logits_Khw = self.network(normalised(x_1Chw))[0].float().cpu()
        skin = list(self.skin_classes)
        others = [index for index in range(len(logits_Khw)) if index not in skin]
        margin_hw = logits_Khw[skin].amax(0) - logits_Khw[others].amax(0)
        return cv2.resize(margin_hw.numpy(), (width, height), interpolation=cv2.INTER_LINEAR)


def scaled(image_HWC: Pixels, width: int, height: int) -> Pixels:
    """Resampled with antialiasing, as in the community's face parsing."""
    if image_HWC.shape[:2] == (height, width):
        return image_HWC
    return np.asarray(Image.fromarray(image_HWC).resize((width, height), Image.Resampling.BILINEAR))


def load_pair(faces: FaceSet, face: Face, size: int) -> tuple[Pixels, NDArray[np.uint8]]:
    """A photo and its labels (0 background, 1 skin), fitted into a square: [S, S, 3] and [S, S].

    Outside a photo that is not square, the picture is black and the label IGNORED.
    """
    image_HWC, mask_HW = faces.image(face), faces.mask(face)
    scale = size / max(image_HWC.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image_HWC.shape[:2])
    top, left = (size - height) // 2, (size - width) // 2
    inside = (slice(top, top + height), slice(left, left + width))
    square_SSC, labels_SS = np.zeros((size, size, 3), np.uint8), np.full((size, size), IGNORED, np.uint8)
    square_SSC[inside] = scaled(image_HWC, width, height)
    labels_SS[inside] = scaled(mask_HW.astype(np.uint8) * 255, width, height) > 127
    return square_SSC, labels_SS


def tidied(mask_HW: Mask) -> Mask:
    """Without patches much smaller than the largest: a wrong pixel would widen the bounding box."""
    count, labels_HW, stats, _ = cv2.connectedComponentsWithStats(mask_HW.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    if count <= 2:
        return mask_HW
    kept = areas >= _SPECK * areas[1:].max()
    kept[0] = False
    return kept[labels_HW]


def little_skin(mask_HW: Mask, min_share: float) -> str | None:
    """The reason to reject a face that shows too little skin, or None."""
    share = float(mask_HW.mean())
    enough = share >= min_share and mask_HW.any()
    return None if enough else f"{_LITTLE_SKIN}: {share:.2%} of the photo"


def is_little_skin(reason: str | None) -> bool:
    """Whether this is a reason given by `little_skin`."""
    return reason is not None and reason.startswith(_LITTLE_SKIN)


def load_segmenter(checkpoint: Checkpoint, device: str = "cpu") -> Segmenter:
    """The network of a checkpoint written by train-skin. Raises BrokenArtefact."""
    hint = "Give a checkpoint of train-skin, or phantom-skin."
    with checkpoint.opened_as("skin", "a skin network", hint) as card:
        width = int(card.architecture["width"])
        if not 0 < width <= _WIDEST:
            raise ValueError(f"width = {width}")
        network = BiSeNet(len(card.classes), width)
        network.load_state_dict(checkpoint.tensors())
        skin_classes = (card.classes.index("skin"),)
    return Segmenter(network.to(device).eval(), card.resolution, skin_classes)


def load_face_parsing(path: Path, device: str = "cpu") -> Segmenter:
    """The community's 19-class weights as published: a .pth or .safetensors file.

    Skin and nose count as skin. Code in the file is never executed. Raises MissingPath or BrokenArtefact.
    """
    network = BiSeNet(len(PARTS))
    load_published(network, path)
    skin_classes = tuple(PARTS.index(part) for part in _SKIN_PARTS)
    return Segmenter(network.to(device).eval(), _PARTS_SIZE, skin_classes)


def load_published(network: torch.nn.Module, path: Path, leave_out: Sequence[str] = ()) -> None:
    """Load a file's state dict into the network, except names that begin with one of `leave_out`.

    Raises MissingPath or BrokenArtefact.
    """
    hint = "Give the file as its authors publish it."
    tensors = {
        name.removeprefix("module."): tensor
        for name, tensor in read_weights(path, hint).items()
        if not name.startswith(tuple(leave_out))
    }
    with weights_of("this network", path, hint):
        network.load_state_dict(tensors)
