"""The networks whose distances other papers report: Inception-v3 (FID, KID) and DINOv2 (FD).

The user provides the weights (`anonderm weights list`). Pictures are resized to the network's input by
Pillow's bicubic filter, antialiased when shrinking: the clean resizing of Parmar et al. 2022, in 8 bits.
"""

# N images, H x W pixels, C channels, D features

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from anonderm.core.errors import BrokenArtefact, MissingExtra
from anonderm.core.imagenet import normalised
from anonderm.core.images import Pixels
from anonderm.core.launch import device
from anonderm.core.tensorfiles import read_weights

INCEPTION_SIZE = 299
DINOV2_SIZE = 224

Embed = Callable[[Pixels], NDArray[np.float32]]

_BATCH = 32
# The network in timm for each width of DINOv2.
_DINOV2 = {
    384: "vit_small_patch14_dinov2",
    768: "vit_base_patch14_dinov2",
    1024: "vit_large_patch14_dinov2",
    1536: "vit_giant_patch14_dinov2",
}
_WHERE = "Get the published file: `anonderm weights list` says where."


def clean_resize(image_HWC: Pixels, size: int) -> Pixels:
    return np.asarray(Image.fromarray(image_HWC).resize((size, size), Image.Resampling.BICUBIC))


def inception(weights: Path) -> Embed:
    """The 2048 features before the last layer, by torch-fidelity's network and the published weights.

    Raises MissingExtra, or BrokenArtefact for a file without them.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise MissingExtra(
            "The Inception features need the package torch-fidelity.", "pip install 'anonderm[fidelity]'"
        ) from error
    state = read_weights(weights, _WHERE)
    # torch-fidelity unpickles the file, so it gets one that contains only these tensors.
    with tempfile.TemporaryDirectory() as folder:
        torch.save(state, Path(folder) / "weights.pth")
        try:
            network = FeatureExtractorInceptionV3("inception", ["2048"], str(Path(folder) / "weights.pth"))
        except RuntimeError as error:
            raise _unfit(weights, "Inception-v3 of the FID", error) from error
    network = network.eval().to(device())
    return _embedder(lambda x_NCHW: network(x_NCHW)[0], 2048)


def dinov2(weights: Path) -> Embed:
    """The class token of DINOv2, small, base, large or giant by its width.

    Raises BrokenArtefact for a file without such weights.
    """
    import timm
    from timm.models.vision_transformer import checkpoint_filter_fn

    state = read_weights(weights, _WHERE)
    width = state["cls_token"].shape[-1] if "cls_token" in state else 0
    if width not in _DINOV2:
        raise _unfit(weights, "DINOv2", f"its width is {width}")
    network = timm.create_model(_DINOV2[width], pretrained=False, num_classes=0, img_size=DINOV2_SIZE)
    try:
        network.load_state_dict(checkpoint_filter_fn(state, network))  # type: ignore[arg-type]
    except (RuntimeError, KeyError) as error:
        raise _unfit(weights, "DINOv2", error) from error
    network = network.eval().to(device())
    return _embedder(lambda x_NCHW: network(normalised(x_NCHW / 255)), width)


def _unfit(weights: Path, wanted: str, reason: object) -> BrokenArtefact:
    first = str(reason).strip().splitlines()[0]
    return BrokenArtefact(f"{weights}: not {wanted} ({first}).", _WHERE)


def _embedder(forward: Callable[[torch.Tensor], torch.Tensor], width: int) -> Embed:
    """Embed uint8 pixels of the network's input size, some at a time."""

    def embed(pixels_NHWC: Pixels) -> NDArray[np.float32]:
        rows = [np.zeros((0, width), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(pixels_NHWC), _BATCH):
                batch_NHWC = torch.from_numpy(np.array(pixels_NHWC[start : start + _BATCH]))
                rows.append(forward(batch_NHWC.permute(0, 3, 1, 2).to(device())).float().cpu().numpy())
        return np.concatenate(rows)

    return embed
