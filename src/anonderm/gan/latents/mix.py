"""The stage `latents mix`: one labelled sheet of style mixing.

R faces in rows, C in columns, L style layers, D size of w. Source: Karras et al. 2019 (StyleGAN), sec. 3.1.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.images import Pixels, write_png
from anonderm.core.rundir import RunDir
from anonderm.gan.latents.config import MixConfig
from anonderm.gan.latents.sheet import labelled_sheet
from anonderm.models.stylegan2.range_options import parse_layers, parse_seeds
from anonderm.models.stylegan2.sampling import LoadedGenerator


def mix(config: MixConfig, checkpoint: Checkpoint, run: RunDir) -> Path:
    """Write sheet.png: the faces of the rows, and each of them with the chosen layers of each column's face.

    Raises ConfigError (no such layer or class), InputError, BrokenArtefact.
    """
    model = LoadedGenerator.of(checkpoint, config.label)
    rows, columns = parse_seeds(config.rows), parse_seeds(config.columns)
    layers = parse_layers(config.layers, model.generator.style_layers)
    row_RLD, column_CLD = (model.styles(seeds, config.psi, config.psi_layers) for seeds in (rows, columns))
    mixed_RCLD = mixed(row_RLD, column_CLD, layers)
    images = model.draw(torch.cat([row_RLD, column_CLD, mixed_RCLD.flatten(0, 1)]), run)
    path = run.folder / "sheet.png"
    write_png(path, _sheet(images, rows, columns, config.layers))
    return path


def _sheet(images_NHW3: Pixels, rows: Sequence[int], columns: Sequence[int], layers: str) -> Pixels:
    """The faces of the rows on the left, those of the columns on top, mixed ones inside; a white corner."""
    grid = np.full((len(rows) + 1, len(columns) + 1, *images_NHW3.shape[1:]), 255, np.uint8)
    plain = len(rows) + len(columns)
    grid[1:, 0], grid[0, 1:] = images_NHW3[: len(rows)], images_NHW3[len(rows) : plain]
    grid[1:, 1:] = images_NHW3[plain:].reshape(grid[1:, 1:].shape)
    row_names = [f"layers {layers} from:", *(f"seed {seed}" for seed in rows)]
    return labelled_sheet(grid, row_names, ["", *(f"seed {seed}" for seed in columns)])


def mixed(row_RLD: Tensor, column_CLD: Tensor, layers: range) -> Tensor:
    """w [R, C, L, D]: that of the column in `layers`, otherwise that of the row."""
    w_RCLD = row_RLD[:, None].repeat(1, len(column_CLD), 1, 1)
    chosen = slice(layers.start, layers.stop)
    w_RCLD[:, :, chosen] = column_CLD[None, :, chosen]
    return w_RCLD
