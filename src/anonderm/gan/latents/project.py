"""The stage `latents project`: images -> w, reconstructions and distances, batch after batch.

N images, D size of w, H x W pixels.
"""

from __future__ import annotations

import dataclasses
import json
import math
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import MANIFEST, FaceSet, FaceSetWriter
from anonderm.core.files import write_bytes
from anonderm.core.images import Pixels, resize, square, write_png
from anonderm.core.launch import step_generator
from anonderm.core.progress import Bar
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.gan.latents.config import ProjectConfig
from anonderm.gan.latents.sheet import labelled_sheet
from anonderm.models.stylegan2.generator import to_pixels
from anonderm.models.stylegan2.image_distance import ImageDistance, image_distance
from anonderm.models.stylegan2.loaded_generator import LoadedGenerator, target_images
from anonderm.models.stylegan2.projection import StyleDistribution, project

_SAMPLES = 10_000  # latents for the mean and standard deviation of w
_METRICS_INTERVAL = 10  # steps
_ON_SHEET = 32


def project_images(config: ProjectConfig, checkpoint: Checkpoint, faces: FaceSet, run: RunDir) -> list[Path]:
    """Project every image. An interrupted run resumes with the batch that it had not finished.

    projections.safetensors holds `w` [N, D] and `distance` [N], in the order of `ids` in its metadata; faces/
    the reconstructions, whose parents are the images; sheet.png the first pairs side by side; metrics.jsonl
    the distances over the steps. Raises TooFewImages, UnreadableImage, ConfigError, BrokenArtefact.
    """
    if not len(faces):
        raise TooFewImages(f"{faces.folder}: no image to project.", "Give at least one.")
    projector = _Projector.of(config, checkpoint, FaceSetWriter(run.folder / "faces"))
    batches = list(faces.batches(config.batch))
    done = sum(str(index) in run.memory for index in range(len(batches)))
    run.rewind_metrics(done * config.steps)
    with run.bar("projecting", len(batches) * config.steps, done * config.steps) as bar:
        logs = [_DistanceLog(run, bar, index * config.steps, config.steps) for index in range(len(batches))]
        parts = [
            run.remember(str(index), partial(projector, batch, log))
            for index, (batch, log) in enumerate(zip(batches, logs, strict=True))
        ]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in ("w", "distance")}
    reconstructions = projector.writer.finish()
    return _write_results(arrays, faces, reconstructions, checkpoint, config.distance, run)


@dataclasses.dataclass(frozen=True)
class _DistanceLog:
    """Shows the distances [N] of each step of a batch, and writes some of them to metrics.jsonl."""

    run: RunDir
    bar: Bar
    first: int
    steps: int

    def __call__(self, step: int, distance_N: Tensor) -> None:
        mean = float(distance_N.mean())
        self.bar.advance(note=f"distance {mean:.4f}")
        if step % _METRICS_INTERVAL == 0 or step == self.steps - 1:
            ends = {"nearest": float(distance_N.min()), "farthest": float(distance_N.max())}
            self.run.metrics(self.first + step + 1, distance=mean, **ends)


@dataclasses.dataclass(frozen=True)
class _Projector:
    """Projects batches of images and writes their reconstructions."""

    config: ProjectConfig
    model: LoadedGenerator
    distance: ImageDistance
    styles: StyleDistribution
    writer: FaceSetWriter

    @staticmethod
    def of(config: ProjectConfig, checkpoint: Checkpoint, writer: FaceSetWriter) -> _Projector:
        model = LoadedGenerator.of(checkpoint, config.label)
        distance = image_distance(config.distance, checkpoint, model.device)
        styles = StyleDistribution.of(model.sample_styles(_SAMPLES, step_generator(config.seed, 0)))
        return _Projector(config, model, distance, styles, writer)

    def __call__(self, faces: FaceSet, log: _DistanceLog) -> dict[str, np.ndarray]:
        """The w and the distances of a batch."""
        checkpoint = self.model.checkpoint
        target_N3HW = target_images(faces, checkpoint.card.resolution).to(self.model.device)
        found = project(self.model.generator, target_N3HW, self.distance, self.styles, self.config, log)
        for face, image_HWC in zip(faces, to_pixels(found.images_N3HW), strict=True):
            row = Face(face.id, label=face.label, parents=(face.id,), licence=face.licence)
            source = "anonderm latents project"
            self.writer.add(image_HWC, dataclasses.replace(row, source=source, checkpoint=checkpoint.digest))
        return {"w": found.w_ND.cpu().numpy(), "distance": found.distance_N.cpu().numpy()}


def _write_results(
    arrays: dict[str, np.ndarray],
    faces: FaceSet,
    reconstructions: FaceSet,
    checkpoint: Checkpoint,
    distance_name: str,
    run: RunDir,
) -> list[Path]:
    from safetensors.numpy import save

    ids = json.dumps([face.id for face in faces])
    metadata = {"ids": ids, "checkpoint": checkpoint.digest, "distance": distance_name}
    files = [
        run.folder / "projections.safetensors",
        run.folder / "sheet.png",
        reconstructions.folder / MANIFEST,
    ]
    write_bytes(files[0], save(arrays, metadata))
    size = checkpoint.card.resolution
    write_png(files[1], _side_by_side(faces, reconstructions, arrays["distance"], size))
    run.log(f"remaining distance: {_summary(arrays['distance'])} ({distance_name})")
    return [*files, reconstructions.folder / MANIFEST]


def _side_by_side(faces: FaceSet, reconstructions: FaceSet, distance_N: np.ndarray, size: int) -> Pixels:
    """The first images and their reconstructions."""
    shown = faces.faces[:_ON_SHEET]
    by_id = {face.id: face for face in reconstructions}
    pairs = [
        (resize(square(faces.image(face)), size), reconstructions.image(by_id[face.id])) for face in shown
    ]
    names = [f"{face.id}: {float(left):.4f}" for face, left in zip(shown, distance_N, strict=False)]
    return labelled_sheet(np.stack([np.stack(pair) for pair in pairs]), names, ["image", "reconstruction"])


def _summary(distance_N: np.ndarray) -> str:
    ends = (float(distance_N.min()), float(np.median(distance_N)), float(distance_N.max()))
    if len(distance_N) == 1 or math.isclose(ends[0], ends[2]):
        return f"{ends[1]:.4f}"
    return f"median {ends[1]:.4f}, from {ends[0]:.4f} to {ends[2]:.4f}"
