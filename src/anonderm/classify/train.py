"""Training a classifier: learn on the training faces, keep the epoch that is best on the held-out ones."""

from __future__ import annotations

from typing import Any

import torch

from anonderm.classify.config import TrainClassifierConfig
from anonderm.classify.progress import Progress
from anonderm.classify.split import split_by_class, split_by_types
from anonderm.classify.trainer import Labelled, Trainer
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.config import command_line
from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet
from anonderm.core.launch import device
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT, broadcast_training, resume_training, save_training
from anonderm.models.classifier.backbones import RANDOM, published_normalisation, start_weights
from anonderm.models.classifier.heads import Reading
from anonderm.models.classifier.label_distribution import LabelDistribution
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import to_bytes
from anonderm.models.classifier.targets import count_agreement, need_lesions, reading_for, truth_of, types_on


def train_classifier(config: TrainClassifierConfig, faces: FaceSet, run: RunDir) -> Checkpoint:
    """Train on the rows of split train (or of none), choose the epoch on val; split test is never read.

    Run again in the same folder, it goes on after the last whole epoch, to the same weights; the processes of
    torchrun come to those too, but for rounding. Raises BadLabel, TooFewImages, ConfigError, MissingPath,
    MissingWeights, BrokenArtefact or Diverged.
    """
    split = split_by_types if config.head == "multi-label" else split_by_class
    learn, choose = split(faces, config.seed)
    classes, reading = reading_for(config.head, config.count_bounds, learn)
    size = config.size or learn.image(learn.faces[0]).shape[0]
    classifier, origin = _new_classifier(config, classes, reading, size)
    learning, choosing = (_labelled(part, classifier) for part in (learn, choose))
    _tell(learn, choose, classifier, run)
    _need_measure(config, choose, classifier)
    run.log(f"the backbone {config.backbone} starts from weights: {origin}")
    if config.freeze_backbone and origin == RANDOM:
        run.log("Caution: a frozen backbone of random weights; only the last layer learns anything.")
    normalisation = published_normalisation(config.backbone) if origin != RANDOM else None
    if normalisation is not None:
        classifier.normalise(*normalisation)
    else:
        classifier.normalise_like(learning.pixels)
    classifier = classifier.to(device()).to(memory_format=torch.channels_last)
    progress = _all_epochs(Trainer(config, classifier, learning, choosing, run.world), run)
    shown = ", ".join(f"{name} {value:.3f}" for name, value in progress.best.items() if value is not None)
    run.log(f"epoch {progress.best_epoch} is the best by {config.monitor}; on the held-out faces: {shown}")
    card = CheckpointCard(
        kind="classifier",
        architecture={
            "backbone": config.backbone,
            "drop_strides": config.drop_strides,
            "head": reading.describe(),
        },
        resolution=size,
        pixel_range=(0.0, 1.0),
        classes=classes,
        data_digest=faces.digest,
        licence=learn.licence,
        command=command_line("train-classifier", config),
        notes=_notes(progress, learn, choose, classifier, origin),
    )
    path = run.folder / "checkpoint.safetensors"
    if not run.world.is_main:
        return Checkpoint(path, card)
    checkpoint = Checkpoint.save(path, progress.best_weights, card)
    (run.folder / SNAPSHOT).unlink(missing_ok=True)
    return checkpoint


def _new_classifier(
    config: TrainClassifierConfig, classes: tuple[str, ...], reading: Reading, size: int
) -> tuple[Classifier, str]:
    """The untrained classifier, and what its backbone starts from."""
    start = start_weights(config.backbone, config.weights, config.weights_file)
    with torch.random.fork_rng(devices=[]):  # initialisers draw from the global generator
        torch.manual_seed(config.seed)
        classifier = Classifier(
            config.backbone,
            classes,
            size,
            config.drop_strides,
            reading=reading,
            dropout=config.dropout,
            start=start,
        )
    return classifier, start.origin if start else RANDOM


def _labelled(faces: FaceSet, classifier: Classifier) -> Labelled:
    bytes_NCHW = to_bytes(faces.pixels(classifier.size), classifier.size)
    truth = truth_of(faces, classifier.classes, classifier.reading)
    return Labelled(bytes_NCHW.to(device()), truth.to(device()))


def _tell(learn: FaceSet, choose: FaceSet, classifier: Classifier, run: RunDir) -> None:
    """From what is learned, and what a reader of the results must know of it."""
    reading = classifier.reading
    counts = learn.label_counts
    if reading.name == "multi-label":
        counts = {name: sum(name in types_on(face) for face in learn) for name in classifier.classes}
    listed = ", ".join(f"{count} {name}" for name, count in counts.items())
    run.log(f"learning from {len(learn)} faces ({listed}), choosing the epoch on {len(choose)}")
    if reading.name in ("corn", "label-distribution"):
        run.log(f"grades in order: {' < '.join(classifier.classes)}")
    if reading.name in ("multi-label", "label-distribution"):
        bare = need_lesions(learn, boxes=reading.name == "label-distribution")
        run.log(f"{bare} faces that are not healthy have no lesion noted; they count as free of lesions")
    if isinstance(reading, LabelDistribution):
        share = count_agreement(reading, truth_of(learn, classifier.classes, reading))
        bounds = ", ".join(map(str, reading.bounds))
        run.log(f"on {share:.0%} of the faces the class is that of the lesion count (up to {bounds})")


def _need_measure(config: TrainClassifierConfig, choose: FaceSet, classifier: Classifier) -> None:
    """Raise ConfigError where the held-out faces leave the measure of the best epoch undefined."""
    truth = truth_of(choose, classifier.classes, classifier.reading).answers
    if classifier.reading.name == "multi-label":
        seen_K, count = truth.sum(0), len(truth)
        short_K = (seen_K == 0) | (seen_K == count) if config.monitor == "macro_auc" else seen_K == 0
    else:
        short_K = torch.bincount(truth, minlength=len(classifier.classes)) == 0
    missing = [name for name, short in zip(classifier.classes, short_K.tolist(), strict=True) if short]
    if missing and config.monitor in ("macro_f1", "macro_auc"):
        raise ConfigError(
            f"monitor = {config.monitor}: not defined for {', '.join(missing)} on the held-out faces.",
            "Give best = loss, or a larger val split.",
        )


def _notes(
    progress: Progress, learn: FaceSet, choose: FaceSet, classifier: Classifier, origin: str
) -> dict[str, Any]:
    return {
        "trained_on": learn.origin,
        "weights": origin,
        "n": len(learn),
        "n_held_out": len(choose),
        "best_epoch": progress.best_epoch,
        **{f"val_{name}": value for name, value in progress.best.items()},
        "mean": classifier.mean.flatten().tolist(),
        "std": classifier.std.flatten().tolist(),
    }


def _all_epochs(trainer: Trainer, run: RunDir) -> Progress:
    config = trainer.config
    progress = Progress()
    if run.world.is_main:
        progress = resume_training(run.folder, progress, trainer.classifier, trainer.optimiser)
    progress = broadcast_training(run.world, progress, trainer.classifier, trainer.optimiser)
    run.rewind_metrics(progress.epoch)
    total, done = (trainer.steps * epochs for epochs in (config.epochs, progress.epoch))
    with run.bar("training the classifier", total, done) as bar:
        for epoch in range(progress.epoch, config.epochs):
            if config.patience is not None and progress.epoch - progress.best_epoch >= config.patience:
                run.log(f"stopped after epoch {progress.epoch}: {config.patience} without a better one")
                break
            loss, accuracy = trainer.learn_epoch(epoch, bar.advance)
            measures = trainer.judge()
            held_out = {f"val_{name}": value for name, value in measures.items()}
            run.metrics(epoch + 1, loss=loss, accuracy=accuracy, **held_out)
            progress.after_epoch(trainer.classifier.state_dict(), measures, config.monitor)
            if run.world.is_main:
                save_training(run.folder, progress, trainer.classifier, trainer.optimiser)
    return progress
