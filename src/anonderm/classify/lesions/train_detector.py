"""train-detector: faces with lesion boxes -> a lesion detector."""

import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch
from torch import nn

from anonderm.classify.lesions.config import TrainDetectorConfig
from anonderm.classify.lesions.tile_sampler import TileSampler
from anonderm.classify.schedules import rate_factor
from anonderm.core import imagenet
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.config import command_line
from anonderm.core.errors import Diverged, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels
from anonderm.core.launch import device, step_generator
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT, train_steps
from anonderm.core.splits import hold_out_people, train_and_val
from anonderm.metrics.average_precision import (
    IOU_THRESHOLDS,
    Matches,
    matches_by_kind,
    mean_average_precision,
)
from anonderm.models.lesion_detector.kinds import kinds_of, lesion_counts, with_known_boxes
from anonderm.models.lesion_detector.network import Architecture, build, load_torchvision_weights
from anonderm.models.lesion_detector.predict import Detector
from anonderm.models.lesion_detector.tiles import fit_tiles_and_anchors

_MEASURED = 100  # faces from which image sizes and colour statistics are taken
_WARM_UP = 0.1  # share of the steps over which the learning rate rises
_MAX_GRADIENT_NORM = 10.0
_DEFAULT_THRESHOLD = 0.5


def train_detector(config: TrainDetectorConfig, faces: FaceSet, run: RunDir) -> Checkpoint:
    """Train on the boxes of split train, select the step by mAP50 on val; never read split test.

    Run again in the same folder, it continues and ends with the same weights. Raises TooFewImages,
    MissingPath, BrokenArtefact (weights that do not fit) or Diverged.
    """
    usable = faces.where(split=("train", "val", None))
    boxed = with_known_boxes(usable, config.class_agnostic)
    if len(boxed) < len(usable):
        run.log(f"{len(usable) - len(boxed)} faces whose lesions are unknown are left out")
    train, val = _split(boxed, config.seed)
    counts = ", ".join(f"{count} {kind}" for kind, count in lesion_counts(train).items())
    run.log(f"training on {len(train)} faces ({counts}), selecting the step on {len(val)}")
    trainer = Trainer(config, train, val, run)
    network = trainer.detector.network
    progress = train_steps(
        network, trainer.optimiser, trainer.step, trainer.validate, run, config.steps, config.val_interval
    )
    run.log(f"best step: {progress.best_step}, with a mAP50 of {progress.best_measure:.3f} on the val faces")
    network.load_state_dict(progress.best_weights)
    matches = trainer.matches("choosing score thresholds")
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
            "thresholds": {kind: _best_threshold(of_faces) for kind, of_faces in matches.items()},
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


def _split(faces: FaceSet, seed: int) -> tuple[FaceSet, FaceSet]:
    """Faces to train on and to validate on. Raises TooFewImages if either part has no lesion."""
    rng = np.random.default_rng(seed)
    train, val = train_and_val(faces, lambda known: hold_out_people(known, max(1, known.people // 5), rng))
    for part, purpose in ((train, "train on"), (val, "select the best step with")):
        if not any(face.lesions for face in part):
            raise TooFewImages(
                f"{faces.folder}: no face with lesion boxes is left to {purpose} "
                f"({len(faces)} faces in all; those of the test split are not used).",
                "Give photos of several people with boxes, from `anonderm phantom` or `anonderm ingest`.",
            )
    return train, val


def _architecture(config: TrainDetectorConfig, train: FaceSet, run: RunDir) -> Architecture:
    """Fit tiles and anchors to the lesions of the training faces, and log them."""
    rows = np.linspace(0, len(train) - 1, min(_MEASURED, len(train))).astype(int)
    images = [train.image(train.faces[row]) for row in run.progress(rows.tolist(), "measuring the faces")]
    lesions = [lesion for face in train for lesion in face.boxes]
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


class Trainer:
    """Network, optimiser and faces; everything random in a step comes from (seed, step)."""

    def __init__(self, config: TrainDetectorConfig, train: FaceSet, val: FaceSet, run: RunDir) -> None:
        self.config, self._val, self._run = config, val, run
        architecture = _architecture(config, train, run)
        kinds = kinds_of(train)
        with torch.random.fork_rng(devices=[]):  # torchvision's initialisers draw from the global generator
            torch.manual_seed(config.seed)
            network = build(architecture, kinds)
        if config.weights_file:
            load_torchvision_weights(network, config.weights_file)
        network = network.to(device()).to(memory_format=torch.channels_last)
        self.detector = Detector(network, architecture, kinds, dict.fromkeys(kinds, 0.5))
        self._tiles = TileSampler(config, train, architecture.tile, kinds)
        self.optimiser = torch.optim.AdamW(network.parameters(), weight_decay=config.weight_decay)

    def step(self, step: int) -> float:
        """One update; the loss. Raises Diverged."""
        generator = step_generator(self.config.seed, step)
        tiles, targets = self._tiles.draw(self.config.batch, generator)
        network = self.detector.network.train()
        if self.config.weights_file:  # pretrained statistics are better than those of a few tiles
            network.get_submodule("backbone.body").eval()
        on = device()
        with torch.random.fork_rng(devices=[on] if on.startswith("cuda") else []):
            # torchvision samples the anchors and proposals of the loss with the global generator.
            torch.manual_seed(generator.initial_seed())
            losses = network(
                [tile.to(on) for tile in tiles],
                [{name: values.to(on) for name, values in target.items()} for target in targets],
            )
        loss = torch.stack(list(losses.values())).sum()
        value = loss.item()
        if not math.isfinite(value):
            raise Diverged(f"step {step}: the detector's loss is {value}.", "Lower --learning-rate.")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), _MAX_GRADIENT_NORM)
        rate = rate_factor("one-cycle", step, self.config.steps, _WARM_UP)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * rate
        self.optimiser.step()
        return value

    def validate(self) -> dict[str, float]:
        map50, map50_95 = mean_average_precision(self.matches("detecting on the validation faces"))
        return {"val_map50": map50, "val_map50_95": map50_95}

    def matches(self, description: str) -> dict[str, list[Matches]]:
        """The detections on every validation face, matched to its true boxes."""
        faces = self._run.progress(self._val.faces, description)
        detections = [self.detector.detect(self._val.image(face)) for face in faces]
        return matches_by_kind(detections, [face.boxes for face in self._val], self.detector.kinds)


def _best_threshold(of_faces: Sequence[Matches]) -> float:
    """The threshold with the best F1 at an IoU of 0.5 for one kind; 0.5 if no detection is correct."""
    scores_N = np.concatenate([matches.scores_N for matches in of_faces])
    correct_N = np.concatenate([matches.correct_TN[IOU_THRESHOLDS.index(0.5)] for matches in of_faces])
    lesions = sum(matches.lesions for matches in of_faces)
    order_N = np.argsort(-scores_N, kind="stable")
    hits_N = np.cumsum(correct_N[order_N])
    if len(hits_N) == 0 or hits_N[-1] == 0:
        return _DEFAULT_THRESHOLD
    f1_N = 2 * hits_N / (np.arange(1, len(hits_N) + 1) + lesions)
    return float(scores_N[order_N][f1_N.argmax()])
