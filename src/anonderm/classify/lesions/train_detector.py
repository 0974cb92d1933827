"""train-detector: faces with lesion boxes -> a lesion detector."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch

from anonderm.classify.lesions.config import TrainDetectorConfig
from anonderm.classify.lesions.split import split_boxes
from anonderm.classify.lesions.thresholds import best_threshold
from anonderm.classify.lesions.trainer import Trainer, train_steps
from anonderm.core import imagenet
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.config import command_line
from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT
from anonderm.models.lesion_detector.anchors import fit_tiles_and_anchors
from anonderm.models.lesion_detector.kinds import lesion_counts, with_known_boxes
from anonderm.models.lesion_detector.network import Architecture

_MEASURED = 100  # faces from which image sizes and colour statistics are taken


def train_detector(config: TrainDetectorConfig, faces: FaceSet, run: RunDir) -> Checkpoint:
    """Train on the boxes of split train, select the step by mAP50 on val; never read split test.

    Run again in the same folder, it continues and ends with the same weights. Raises TooFewImages,
    MissingPath, BrokenArtefact (weights that do not fit) or Diverged.
    """
    boxed = with_known_boxes(faces.where(split=("train", "val", None)), config.class_agnostic)
    train, val = split_boxes(boxed, config.seed)
    counts = ", ".join(f"{count} {kind}" for kind, count in lesion_counts(train).items())
    run.log(f"training on {len(train)} faces ({counts}), selecting the step on {len(val)}")
    trainer = Trainer(config, _architecture(config, train, run), train, val)
    progress = train_steps(trainer, run)
    run.log(f"best step: {progress.best_step}, with a mAP50 of {progress.best_measure:.3f} on the val faces")
    trainer.detector.network.load_state_dict(progress.best_weights)
    matches = trainer.validate(run, "choosing score thresholds")
    card = CheckpointCard(
        kind="detector",
        architecture=asdict(trainer.detector.architecture),
        resolution=config.size,
        pixel_range=(0.0, 1.0),
        classes=trainer.detector.kinds,
        data_digest=faces.digest,
        licence=train.licence,
        command=command_line("train-detector", config),
        notes={
            "thresholds": {kind: best_threshold(of_faces) for kind, of_faces in matches.items()},
            "n": len(train),
            "n_lesions": lesion_counts(train),
            "n_held_out": len(val),
            "best_step": progress.best_step,
            "val_map50": progress.best_measure,
            "weights": config.weights_file.name if config.weights_file else None,
        },
    )
    checkpoint = Checkpoint.save(run.folder / "checkpoint.safetensors", progress.best_weights, card)
    (run.folder / SNAPSHOT).unlink(missing_ok=True)
    return checkpoint


def _architecture(config: TrainDetectorConfig, train: FaceSet, run: RunDir) -> Architecture:
    """Fit tiles and anchors to the lesions of the training faces, and log them."""
    rows = np.linspace(0, len(train) - 1, min(_MEASURED, len(train))).astype(int)
    images = [train.image(train.faces[row]) for row in run.progress(rows.tolist(), "measuring the faces")]
    lesions = [lesion for face in train for lesion in face.lesions]
    max_tile = max(min(image_HWC.shape[:2]) for image_HWC in images)
    tile, anchors = fit_tiles_and_anchors(lesions, max_tile, config.size, config.lesion_size)
    levels = " / ".join(", ".join(f"{side:g}" for side in level) for level in anchors)
    run.log(
        f"tiles of {tile} px, scaled by {config.size / tile:.2f}; anchors of {levels} px at strides "
        "4 / 8 / 16 of the scaled tile"
    )
    mean, std = (imagenet.MEAN, imagenet.STD) if config.weights_file else _statistics(images)
    return Architecture(config.network, tile, config.size, anchors, config.overlap, mean, std)


def _statistics(images: list[Pixels]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, of pixels in 0..1."""
    moments = torch.zeros(2, 3, dtype=torch.float64)
    for image_HWC in images:
        pixels_PC = torch.tensor(image_HWC).reshape(-1, 3).double() / 255
        moments += torch.stack([pixels_PC.mean(dim=0), pixels_PC.square().mean(dim=0)]) / len(images)
    mean_C, square_C = moments
    std_C = (square_C - mean_C.square()).clamp(min=1e-6).sqrt()
    return tuple(mean_C.tolist()), tuple(std_C.tolist())
