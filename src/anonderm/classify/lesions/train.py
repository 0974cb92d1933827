"""train-detector: faces with lesion boxes -> a network that finds lesions."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch

from anonderm.classify.lesions.config import TrainDetectorConfig
from anonderm.classify.lesions.split import split_boxes
from anonderm.classify.lesions.thresholds import best_threshold
from anonderm.classify.lesions.trainer import Trainer, all_steps
from anonderm.core import imagenet
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.config import command_line
from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT
from anonderm.models.lesion_detector import sizes
from anonderm.models.lesion_detector.kinds import lesion_counts, with_known_boxes
from anonderm.models.lesion_detector.network import Architecture

_MEASURED = 100  # faces from which sizes and colours are taken


def train_detector(config: TrainDetectorConfig, faces: FaceSet, run: RunDir) -> Checkpoint:
    """Train on the boxes of split train, choose the step by mAP50 on val; split test is never read.

    Run again in the same folder, it goes on to the same weights. Raises TooFewImages, MissingPath,
    BrokenArtefact (weights that do not fit) or Diverged.
    """
    boxed = with_known_boxes(faces.where(split=("train", "val", None)), config.one_kind)
    learn, choose = split_boxes(boxed, config.seed)
    counts = ", ".join(f"{count} {kind}" for kind, count in lesion_counts(learn).items())
    run.log(f"learning from {len(learn)} faces ({counts}), choosing the step on {len(choose)}")
    trainer = Trainer(config, _architecture(config, learn, run), learn, choose)
    progress = all_steps(trainer, run)
    run.log(
        f"step {progress.best_step} is the best: mAP50 {progress.best_measure:.3f} on the validation faces"
    )
    trainer.detector.network.load_state_dict(progress.best_weights)
    matches = trainer.judge(run, "choosing the score from which a find counts")
    notes = {
        "thresholds": {kind: best_threshold(of_faces) for kind, of_faces in matches.items()},
        "n": len(learn),
        "n_lesions": lesion_counts(learn),
        "n_held_out": len(choose),
        "best_step": progress.best_step,
        "val_map50": progress.best_measure,
        "weights": config.weights.name if config.weights else None,
    }
    card = CheckpointCard(
        kind="detector",
        architecture=asdict(trainer.detector.architecture),
        resolution=config.side,
        pixel_range=(0.0, 1.0),
        classes=trainer.detector.kinds,
        data_digest=faces.digest,
        licence=learn.licence,
        command=command_line("train-detector", config),
        notes=notes,
    )
    checkpoint = Checkpoint.save(run.folder / "checkpoint.safetensors", progress.best_weights, card)
    (run.folder / SNAPSHOT).unlink(missing_ok=True)
    return checkpoint


def _architecture(config: TrainDetectorConfig, learn: FaceSet, run: RunDir) -> Architecture:
    """Tiles and anchors that suit the training faces' lesions; says which."""
    rows = np.linspace(0, len(learn) - 1, min(_MEASURED, len(learn))).astype(int)
    pictures = [learn.image(learn.faces[row]) for row in run.progress(rows.tolist(), "measuring the faces")]
    lesions = [lesion for face in learn for lesion in face.lesions]
    largest = max(min(image_HWC.shape[:2]) for image_HWC in pictures)
    geometry = sizes.fit(lesions, largest, config.side, config.lesion_side)
    levels = " / ".join(", ".join(f"{side:g}" for side in level) for level in geometry.anchors)
    run.log(
        f"tiles of {geometry.tile} px, enlarged {geometry.enlarge:.2f} times; anchors of {levels} px at "
        "strides 4 / 8 / 16 of the enlarged tile"
    )
    mean, std = (imagenet.MEAN, imagenet.STD) if config.weights else _statistics(pictures)
    return Architecture(
        config.network, geometry.tile, geometry.side, geometry.anchors, config.overlap, mean, std
    )


def _statistics(pictures: list[Pixels]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, of pixels in 0..1."""
    moments = torch.zeros(2, 3, dtype=torch.float64)
    for image_HWC in pictures:
        pixels_PC = torch.tensor(image_HWC).reshape(-1, 3).double() / 255
        moments += torch.stack([pixels_PC.mean(dim=0), pixels_PC.square().mean(dim=0)]) / len(pictures)
    mean_C, square_C = moments
    std_C = (square_C - mean_C.square()).clamp(min=1e-6).sqrt()
    return tuple(mean_C.tolist()), tuple(std_C.tolist())
