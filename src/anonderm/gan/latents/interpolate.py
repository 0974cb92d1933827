"""The stage `latents interpolate`: a video that moves through the w of several seeds.

K waypoints, F frames, L style layers, D size of w.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.images import write_png
from anonderm.core.rundir import RunDir
from anonderm.gan.latents.config import InterpolateConfig
from anonderm.gan.latents.video import write_video
from anonderm.models.stylegan2 import sampling
from anonderm.models.stylegan2.loaded_generator import LoadedGenerator
from anonderm.models.stylegan2.range_options import parse_seeds


def interpolate(config: InterpolateConfig, checkpoint: Checkpoint, run: RunDir) -> Path:
    """Draw the frames, then write video.mp4. An interrupted run resumes with the frames it has.

    Raises ConfigError (no such layer or class), MissingExtra, InputError, BrokenArtefact.
    """
    model = LoadedGenerator.of(checkpoint, config.label)
    curve_FLD = closed_curve(
        model.styles(parse_seeds(config.seeds), config.psi, config.psi_layers), config.frames
    )
    folder = run.folder / "frames"
    frames = [folder / f"{index:06d}.png" for index in range(len(curve_FLD))]
    batches = [
        range(start, min(start + sampling.BATCH, len(frames)))
        for start in range(0, len(frames), sampling.BATCH)
    ]
    missing = [batch for batch in batches if not all(frames[index].exists() for index in batch)]
    with run.bar("drawing frames", len(batches), len(batches) - len(missing)) as bar:
        for batch in missing:
            images = sampling.synthesise(model.generator, curve_FLD[batch.start : batch.stop], "const")
            for index, image_HWC in zip(batch, images, strict=True):
                write_png(frames[index], image_HWC)
            bar.advance()
    video = run.folder / "video.mp4"
    write_video(video, run.progress(frames, "writing the video"), config.fps)
    shutil.rmtree(folder)
    return video


def closed_curve(w_KLD: Tensor, frames: int) -> Tensor:
    """w [K * frames, L, D] along a smooth closed curve; every `frames`-th is exactly a waypoint.

    A periodic cubic spline: position, speed and acceleration are continuous, also at the start.
    """
    from scipy.interpolate import CubicSpline

    knots = torch.cat([w_KLD, w_KLD[:1]]).double().cpu().numpy()
    curve = CubicSpline(np.arange(len(knots)), knots, bc_type="periodic")
    times_F = np.arange(len(w_KLD) * frames) / frames
    return torch.from_numpy(curve(times_F)).to(w_KLD)
