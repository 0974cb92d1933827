"""Directions in w: their file, and a sheet of faces moved along them.

K directions, N faces, S steps, L style layers, D size of w.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anonderm.core.files import write_bytes
from anonderm.core.images import write_png
from anonderm.core.rundir import RunDir
from anonderm.gan.latents.config import ClassDirectionsConfig, SefaConfig
from anonderm.gan.latents.sheet import labelled_sheet
from anonderm.models.stylegan2.range_options import parse_seeds
from anonderm.models.stylegan2.sampling import LoadedGenerator


def moved(w_NLD: Tensor, direction_D: Tensor, alphas: Sequence[float], layers: range) -> Tensor:
    """w [N, S, L, D]: each w, with alpha times the direction added in `layers`."""
    w_NSLD = w_NLD[:, None].repeat(1, len(alphas), 1, 1)
    step_S1D = torch.tensor(alphas, dtype=w_NLD.dtype, device=w_NLD.device)[:, None, None] * direction_D
    w_NSLD[:, :, layers.start : layers.stop] += step_S1D
    return w_NSLD


def write_results(
    directions: dict[str, Tensor],
    layers: range,
    model: LoadedGenerator,
    config: SefaConfig | ClassDirectionsConfig,
    run: RunDir,
) -> list[Path]:
    """Write directions.safetensors and sheet.png: for each direction, faces from -alpha to +alpha.

    directions: vectors [D] by name, one unit of alpha long, which are added to w only in `layers`. They are
    stored as `directions` [K, D], with their names, the layers and the checkpoint as metadata.
    """
    from safetensors.torch import save

    seeds = parse_seeds(config.seeds)
    alphas = [float(alpha) for alpha in np.linspace(-config.alpha, config.alpha, config.columns)]
    w_NLD = model.styles(seeds, config.psi)
    rows_NSLD = [moved(w_NLD, each_D, alphas, layers) for each_D in directions.values()]
    images = model.draw(torch.cat(rows_NSLD).flatten(0, 1), run)
    rows = [f"{name}, seed {seed}" for name in directions for seed in seeds]
    columns = [f"{alpha:+.2g}" if alpha else "0" for alpha in alphas]
    grid = images.reshape(len(rows), len(columns), *images.shape[1:])
    files = [run.folder / "directions.safetensors", run.folder / "sheet.png"]
    metadata = {
        "names": json.dumps(list(directions)),
        "layers": f"{layers[0]}-{layers[-1]}",
        "checkpoint": model.checkpoint.digest,
    }
    write_bytes(files[0], save({"directions": torch.stack(list(directions.values())).cpu()}, metadata))
    write_png(files[1], labelled_sheet(grid, rows, columns))
    return files
