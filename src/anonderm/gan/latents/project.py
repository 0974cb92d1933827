"""The stage `latents project`: images -> w, reconstructions and distances, batch after batch.

N images, D size of w, H x W pixels.
"""

import json
import math
from collections.abc import Callable
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
from anonderm.models.stylegan2.projection import StyleDistribution, image_features, project
from anonderm.models.stylegan2.sampling import LoadedGenerator, target_images

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
    model = LoadedGenerator.of(checkpoint, config.label)
    features = image_features(config.distance, checkpoint, model.device)
    styles = StyleDistribution.of(model.sample_styles(_SAMPLES, step_generator(config.seed, 0)))
    writer = FaceSetWriter(run.folder / "faces")

    def project_batch(batch: FaceSet, on_step: Callable[[int, Tensor], None]) -> dict[str, np.ndarray]:
        target_N3HW = target_images(batch, checkpoint.card.resolution).to(model.device)
        found = project(model.generator, target_N3HW, features, styles, config, on_step)
        for face, image_HWC in zip(batch, to_pixels(found.images_N3HW), strict=True):
            writer.add(image_HWC, _reconstruction(face, checkpoint))
        return {"w": found.w_ND.cpu().numpy(), "distance": found.distance_N.cpu().numpy()}

    batches = list(faces.batches(config.batch))
    done = sum(str(index) in run.memory for index in range(len(batches)))
    run.rewind_metrics(done * config.steps)
    parts = []
    with run.bar("projecting", len(batches) * config.steps, done * config.steps) as bar:
        for index, batch in enumerate(batches):
            on_step = partial(_log_distance, run, bar, config.steps, index)
            parts.append(run.remember(str(index), partial(project_batch, batch, on_step)))
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in ("w", "distance")}
    return _write_results(arrays, faces, writer.finish(), checkpoint, config.distance, run)


def _log_distance(run: RunDir, bar: Bar, steps: int, batch: int, step: int, distance_N: Tensor) -> None:
    """Show the distances of a step of a batch, and write some of them to metrics.jsonl."""
    mean = float(distance_N.mean())
    bar.advance(note=f"distance {mean:.4f}")
    if step % _METRICS_INTERVAL == 0 or step == steps - 1:
        ends = {"nearest": float(distance_N.min()), "farthest": float(distance_N.max())}
        run.metrics(batch * steps + step + 1, distance=mean, **ends)


def _reconstruction(face: Face, checkpoint: Checkpoint) -> Face:
    return Face(
        face.id,
        label=face.label,
        source="anonderm latents project",
        licence=face.licence,
        checkpoint=checkpoint.digest,
        parents=(face.id,),
    )


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
    files = [run.folder / "projections.safetensors", run.folder / "sheet.png"]
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
