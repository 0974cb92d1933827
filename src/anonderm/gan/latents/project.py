"""The stage `latents project`: images -> w, reconstructions and distances, batch after batch.

N images, D size of w, H x W pixels.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path

import numpy as np
import torch
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
from anonderm.core.snapshot import open_snapshot, write_snapshot
from anonderm.gan.latents.config import ProjectConfig
from anonderm.gan.latents.sheet import labelled_sheet
from anonderm.models.stylegan2.generator import to_pixels
from anonderm.models.stylegan2.image_distance import ImageDistance, image_distance
from anonderm.models.stylegan2.loaded_generator import Model, target_images
from anonderm.models.stylegan2.projection import Projection, Spread, project

_SAMPLES = 10_000  # latents behind the mean and the spread of w
_CURVE_EVERY = 10  # steps
_ON_SHEET = 32


def project_images(config: ProjectConfig, checkpoint: Checkpoint, faces: FaceSet, run: RunDir) -> list[Path]:
    """Project every image; run again after a kill, it goes on with the batch that was cut short.

    projections.safetensors holds `w` [N, D] and `distance` [N], in the order of `ids` in its metadata; faces/
    the reconstructions, whose parents are the images; sheet.png the first pairs side by side; metrics.jsonl
    the distances as they fell. Raises TooFewImages, UnreadableImage, ConfigError, BrokenArtefact.
    """
    if not len(faces):
        raise TooFewImages(f"{faces.folder}: no image to project.", "Give at least one.")
    model = Model.open(checkpoint, config.label)
    device = str(model.generator.w_average.device)
    distance = image_distance(config.distance, checkpoint, device)
    spread = Spread.of(model.sample_styles(_SAMPLES, step_generator(config.seed, 0)))
    batches = list(faces.batches(config.batch))
    parts = [run.folder / "parts" / f"{index:06d}.safetensors" for index in range(len(batches))]
    done = sum(part.exists() for part in parts)
    run.rewind_metrics(done * config.steps)
    writer = FaceSetWriter(run.folder / "faces")
    with run.bar("projecting", len(parts) * config.steps, done * config.steps) as bar:
        for index in range(done, len(parts)):
            curve = _Curve(run, bar, index * config.steps, config.steps)
            target_N3HW = target_images(batches[index], checkpoint.card.resolution).to(device)
            found = project(model.generator, target_N3HW, distance, spread, config, curve)
            _keep(found, batches[index], checkpoint, writer)
            write_snapshot(parts[index], {"w": found.w_ND, "distance": found.distance_N}, {"batch": index})
    return _gathered(parts, faces, writer.finish(), checkpoint, distance, run)


@dataclasses.dataclass(frozen=True)
class _Curve:
    """Hears the distances [N] of each step, shows them, and keeps some in metrics.jsonl."""

    run: RunDir
    bar: Bar
    before: int
    steps: int

    def __call__(self, step: int, distance_N: Tensor) -> None:
        mean = float(distance_N.mean())
        self.bar.advance(note=f"distance {mean:.4f}")
        if step % _CURVE_EVERY == 0 or step == self.steps - 1:
            ends = {"nearest": float(distance_N.min()), "farthest": float(distance_N.max())}
            self.run.metrics(self.before + step + 1, distance=mean, **ends)


def _keep(found: Projection, faces: FaceSet, checkpoint: Checkpoint, writer: FaceSetWriter) -> None:
    pixels = to_pixels(found.images_N3HW)
    for face, image_HWC in zip(faces, pixels, strict=True):
        row = Face(face.id, label=face.label, parents=(face.id,), licence=face.licence)
        source = "anonderm latents project"
        writer.add(image_HWC, dataclasses.replace(row, source=source, checkpoint=checkpoint.digest))


def _gathered(
    parts: list[Path],
    faces: FaceSet,
    made: FaceSet,
    checkpoint: Checkpoint,
    distance: ImageDistance,
    run: RunDir,
) -> list[Path]:
    from safetensors.torch import save

    rows: list[dict[str, Tensor]] = []
    for part in parts:
        with open_snapshot(part) as (tensors, _):
            rows.append(tensors)
    tensors = {name: torch.cat([row[name] for row in rows]) for name in ("w", "distance")}
    ids = json.dumps([face.id for face in faces])
    metadata = {"ids": ids, "checkpoint": checkpoint.digest, "distance": distance.name}
    files = [run.folder / "projections.safetensors", run.folder / "sheet.png", made.folder / MANIFEST]
    write_bytes(files[0], save(tensors, metadata))
    write_png(files[1], _side_by_side(faces, made, tensors["distance"], checkpoint.card.resolution))
    run.log(f"distance left: {_summary(tensors['distance'])} ({distance.name})")
    shutil.rmtree(run.folder / "parts")
    return files


def _side_by_side(faces: FaceSet, made: FaceSet, distance_N: Tensor, size: int) -> Pixels:
    """The first images and their reconstructions."""
    shown = faces.faces[:_ON_SHEET]
    by_id = {face.id: face for face in made}
    pairs = [(resize(square(faces.image(face)), size), made.image(by_id[face.id])) for face in shown]
    names = [f"{face.id}: {float(left):.4f}" for face, left in zip(shown, distance_N, strict=False)]
    return labelled_sheet(np.stack([np.stack(pair) for pair in pairs]), names, ["image", "reconstruction"])


def _summary(distance_N: Tensor) -> str:
    ends = (float(distance_N.min()), float(distance_N.median()), float(distance_N.max()))
    if len(distance_N) == 1 or math.isclose(ends[0], ends[2]):
        return f"{ends[1]:.4f}"
    return f"median {ends[1]:.4f}, from {ends[0]:.4f} to {ends[2]:.4f}"
