"""Published restorers, in any architecture that spandrel supports."""

# N faces, H x W pixels

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anonderm.core import launch
from anonderm.core.errors import BrokenArtefact, InputError, MissingExtra
from anonderm.core.images import Pixels
from anonderm.core.tensorfiles import read_tensors
from anonderm.models.restorers.restorer import Points, from_pixels, to_pixels

_FACE_SIDE = 512  # of every face restorer that spandrel supports
_TILE, _MARGIN = 256, 32


class SpandrelRestorer:
    """GFPGAN, RestoreFormer, the ESRGAN family and others, from a file of weights."""

    def __init__(self, path: Path) -> None:
        """Raises MissingExtra, InputError (no restorer), BrokenArtefact, or what `read_tensors` raises."""
        model = _load(path)
        self._device = launch.device()
        self._model = model.to(torch.device(self._device)).eval()
        self._tiled = model.tiling.name == "SUPPORTED"
        self.name = model.architecture.name
        self.framed = model.purpose == "FaceSR"
        self.side: int | None = _FACE_SIDE if self.framed else None
        self.scale = model.scale

    @torch.inference_mode()
    def __call__(self, images_NHWC: Pixels, points_N: Sequence[Points | None]) -> Pixels:
        images_NCHW = from_pixels(images_NHWC, self._device)
        tile = _TILE if self._tiled else max(images_NCHW.shape[2:])
        return to_pixels(in_tiles(self._model, images_NCHW, self.scale, tile, _MARGIN))


def _load(path: Path) -> Any:
    """The image model that spandrel recognises in the file."""
    try:
        import spandrel
    except ImportError as error:
        hint = "Install it: pip install 'anonderm[restore]'"
        raise MissingExtra("Published restorers need the package spandrel.", hint) from error
    # spandrel gets tensors, as its own reader would execute TorchScript files.
    tensors = spandrel.canonicalize_state_dict(read_tensors(path))
    try:
        model = spandrel.ModelLoader().load_from_state_dict(tensors)
    except spandrel.UnsupportedModelError as error:
        raise InputError(
            f"{path}: not a network that spandrel {spandrel.__version__} supports.",
            "Give weights of GFPGAN, RestoreFormer, ESRGAN or another supported network.",
        ) from error
    except (RuntimeError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BrokenArtefact(
            f"{path}: its tensors do not match their network ({reason}).", "Download it again."
        ) from error
    channels = (model.input_channels, model.output_channels)
    if not isinstance(model, spandrel.ImageModelDescriptor) or channels != (3, 3):
        raise InputError(
            f"{path}: {model.architecture.name} does not map colour images to colour images.",
            "Give the weights of a face restorer, such as GFPGAN or CodeFormer.",
        )
    return model


def in_tiles(
    network: Callable[[Tensor], Tensor], images_NCHW: Tensor, scale: int, tile: int, margin: int
) -> Tensor:
    """The output of a network for large images, tile by tile, so that memory does not grow with their size.

    Each tile is processed with a surrounding `margin` of pixels that is cropped afterwards; if the receptive
    field is not larger, the result equals that for the whole image.
    """
    height, width = images_NCHW.shape[2:]
    if max(height, width) <= tile:
        return network(images_NCHW)
    result = images_NCHW.new_empty(len(images_NCHW), 3, height * scale, width * scale)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            low_y, low_x = max(top - margin, 0), max(left - margin, 0)
            part = network(images_NCHW[:, :, low_y : top + tile + margin, low_x : left + tile + margin])
            rows = slice(top * scale, min(top + tile, height) * scale)
            columns = slice(left * scale, min(left + tile, width) * scale)
            y, x = (top - low_y) * scale, (left - low_x) * scale
            result[:, :, rows, columns] = part[
                :, :, y : y + rows.stop - rows.start, x : x + columns.stop - columns.start
            ]
    return result
