"""The stage `latents interpolate`: a video that moves through the w of several seeds.

K waypoints, F frames, L style layers, D size of w.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import MissingExtra, StorageError
from anonderm.core.files import atomic_path
from anonderm.core.images import read_image, write_png
from anonderm.core.rundir import RunDir
from anonderm.gan.latents.config import InterpolateConfig
from anonderm.models.stylegan2.range_options import parse_seeds
from anonderm.models.stylegan2.sampling import BATCH, LoadedGenerator, synthesise


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
    batches = [range(start, min(start + BATCH, len(frames))) for start in range(0, len(frames), BATCH)]
    missing = [batch for batch in batches if not all(frames[index].exists() for index in batch)]
    with run.bar("drawing frames", len(batches), len(batches) - len(missing)) as bar:
        for batch in missing:
            images = synthesise(model.generator, curve_FLD[batch.start : batch.stop], "const")
            for index, image_HWC in zip(batch, images, strict=True):
                write_png(frames[index], image_HWC)
            bar.advance()
    video = run.folder / "video.mp4"
    size = model.generator.arch.resolution
    write_video(video, run.progress(frames, "writing the video"), size, config.fps)
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


def write_video(path: Path, frames: Iterable[Path], size: int, fps: int) -> None:
    """Write square images as MP4 (VP9), which browsers play and which needs no patented or GPL encoder.

    Raises MissingExtra if OpenCV has no encoder, StorageError.
    """
    import cv2

    with atomic_path(path) as temporary:
        writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*"vp09"), fps, (size, size))
        if not writer.isOpened():
            raise MissingExtra(f"{path}: this OpenCV cannot write VP9.", "pip install opencv-python-headless")
        for file in frames:
            writer.write(read_image(file)[:, :, ::-1])
        writer.release()
        if not temporary.exists() or temporary.stat().st_size == 0:
            raise StorageError(f"{path}: the video could not be written.", "Check whether the disk is full.")
