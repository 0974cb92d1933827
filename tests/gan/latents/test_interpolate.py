"""The video from face to face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from anonderm.core.errors import ConfigError
from anonderm.core.images import Pixels, write_png
from anonderm.core.rundir import RunDir
from anonderm.gan.latents.config import InterpolateConfig
from anonderm.gan.latents.interpolate import closed_curve, interpolate
from anonderm.models.stylegan2.sampling import LoadedGenerator, draw_faces, synthesise

CONFIG = InterpolateConfig(seeds="4,9,2", frames=8, fps=12, psi=0.6)


def test_frames_at_the_waypoints_are_the_images_of_generate(model: LoadedGenerator) -> None:
    curve = closed_curve(model.styles([4, 9, 2], 0.6), 8)
    assert len(curve) == 24
    faces = draw_faces(model.generator, [4, 9, 2], (0.6,) * 6, "const")
    assert np.array_equal(synthesise(model.generator, curve[::8], "const"), faces)


def test_the_curve_is_smooth_and_closed(model: LoadedGenerator) -> None:
    curve = closed_curve(model.styles([4, 9, 2, 7], 1.0).double(), 50)
    steps = torch.cat([curve, curve[:2]]).diff(dim=0)
    bends = steps.diff(dim=0).norm(dim=(1, 2))
    assert float(bends.max()) < 0.1 * float(steps.norm(dim=(1, 2)).max()), "no corner, at the seam neither"
    assert float(steps.norm(dim=(1, 2)).min()) > 0


def test_one_frame_per_seed_shows_only_the_faces(model: LoadedGenerator) -> None:
    w = model.styles([4, 9], 1.0)
    assert torch.equal(closed_curve(w, 1), w)


def test_a_video_needs_two_faces() -> None:
    with pytest.raises(ConfigError, match="at least two"):
        InterpolateConfig(seeds="3")


def read_video(path: Path) -> tuple[Pixels, float]:
    import cv2

    video = cv2.VideoCapture(str(path))
    rate, frames = video.get(cv2.CAP_PROP_FPS), []
    while (frame := video.read())[0]:
        frames.append(frame[1][:, :, ::-1])
    return np.stack(frames), rate


def test_the_video_holds_every_frame_and_resumes(save, tmp_path: Path) -> None:
    checkpoint = save()
    with RunDir.open(tmp_path / "run", "latents interpolate", CONFIG, {}) as run:
        # What an earlier call left: the first batch of 16 frames, here all black.
        for index in range(16):
            write_png(run.folder / f"frames/{index:06d}.png", np.zeros((16, 16, 3), np.uint8))
        frames, rate = read_video(interpolate(CONFIG, checkpoint, run))
        assert not (run.folder / "frames").exists()
    assert frames.shape == (24, 16, 16, 3)
    assert rate == 12
    assert frames[:16].mean() < 10, "frames that were there are not drawn again"
    generator = LoadedGenerator.of(checkpoint, None).generator
    off = np.abs(frames[16] - draw_faces(generator, [2, 4, 9], (0.6,) * 6, "const").astype(float))
    own, *others = off.mean(axis=(1, 2, 3))
    assert own < 0.5 * min(others), "compressed, yet the face of its seed and no other"
