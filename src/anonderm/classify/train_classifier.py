"""train-classifier: labelled faces -> a classifier, from the epoch with the best validation metric."""

import torch

from anonderm.classify.config import TrainClassifierConfig
from anonderm.classify.split import split_by_class, split_by_types
from anonderm.classify.trainer import LabelledFaces, Progress, Trainer
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.config import command_line
from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet
from anonderm.core.launch import device
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT, broadcast_training, resume_training, save_training
from anonderm.models.classifier.backbones import RANDOM, initial_weights, published_normalisation
from anonderm.models.classifier.heads import Head, LabelDistribution
from anonderm.models.classifier.label_encoding import (
    classes_and_head,
    count_agreement,
    encode_targets,
    require_lesions,
    types_on,
)
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import to_bytes


def train_classifier(config: TrainClassifierConfig, faces: FaceSet, run: RunDir) -> Checkpoint:
    """Train on split train (or on faces without a split), select the epoch on val; never read split test.

    Run again in the same folder, it continues after the last complete epoch and ends with the same weights.
    Several processes end with the weights of one, up to rounding. Raises BadLabel, TooFewImages, ConfigError,
    MissingPath, MissingWeights, BrokenArtefact or Diverged.
    """
    split = split_by_types if config.head == "multi-label" else split_by_class
    train, val = split(_with_targets(config, faces, run), config.seed)
    classes, head = classes_and_head(config.head, config.count_bounds, train)
    size = config.size or train.image(train.faces[0]).shape[0]
    classifier, origin = _new_classifier(config, classes, head, size, run)
    train_set, val_set = (_load(part, classifier) for part in (train, val))
    _log_summary(train, val, classifier, run)
    _check_monitor(config, val_set, classifier)
    published = published_normalisation(config.backbone) if origin != RANDOM else None
    if published is not None:
        classifier.normalise(*published)
    else:
        classifier.normalise_like(train_set.pixels)
    classifier = classifier.to(device()).to(memory_format=torch.channels_last)
    progress = _train_epochs(Trainer(config, classifier, train_set, val_set, run.world), run)
    metrics = ", ".join(f"{name} {value:.3f}" for name, value in progress.best.items() if value is not None)
    run.log(f"best epoch by {config.monitor}: {progress.best_epoch}; validation metrics: {metrics}")
    card = CheckpointCard(
        kind="classifier",
        architecture={
            "backbone": config.backbone,
            "drop_strides": config.drop_strides,
            "head": head.describe(),
        },
        resolution=size,
        pixel_range=(0.0, 1.0),
        classes=classes,
        data_digest=faces.digest,
        licence=train.licence,
        command=command_line("train-classifier", config),
        notes={
            "trained_on": train.origin,
            "weights": origin,
            "n": len(train),
            "n_held_out": len(val),
            "best_epoch": progress.best_epoch,
            **{f"val_{name}": value for name, value in progress.best.items()},
            "mean": classifier.mean.flatten().tolist(),
            "std": classifier.std.flatten().tolist(),
        },
    )
    path = run.folder / "checkpoint.safetensors"
    if not run.world.is_main:
        return Checkpoint(path, card)
    checkpoint = Checkpoint.save(path, progress.best_weights, card)
    (run.folder / SNAPSHOT).unlink(missing_ok=True)
    return checkpoint


def _with_targets(config: TrainClassifierConfig, faces: FaceSet, run: RunDir) -> FaceSet:
    """The faces about which what the head learns is known. Raises BadLabel if these are too few."""
    if config.head not in ("multi-label", "label-distribution"):
        return faces
    known = require_lesions(faces, boxes=config.head == "label-distribution")
    if len(known) < len(faces):
        run.log(f"{len(faces) - len(known)} faces whose lesions are unknown are left out")
    return known


def _new_classifier(
    config: TrainClassifierConfig, classes: tuple[str, ...], head: Head, size: int, run: RunDir
) -> tuple[Classifier, str]:
    """The untrained classifier, and the origin of its backbone's weights."""
    start = initial_weights(config.backbone, config.weights, config.weights_file)
    with torch.random.fork_rng(devices=[]):  # initialisers draw from the global generator
        torch.manual_seed(config.seed)
        classifier = Classifier(
            config.backbone,
            classes,
            size,
            config.drop_strides,
            head_type=head,
            dropout=config.dropout,
            start=start,
        )
    origin = start.origin if start else RANDOM
    run.log(f"initial weights of the backbone {config.backbone}: {origin}")
    if config.freeze_backbone and origin == RANDOM:
        run.log("Caution: the backbone is frozen with random weights; only the last layer is trained.")
    return classifier, origin


def _load(faces: FaceSet, classifier: Classifier) -> LabelledFaces:
    bytes_NCHW = to_bytes(faces.pixels(classifier.size), classifier.size)
    targets = encode_targets(faces, classifier.classes, classifier.head_type)
    return LabelledFaces(bytes_NCHW.to(device()), targets.to(device()))


def _log_summary(train: FaceSet, val: FaceSet, classifier: Classifier, run: RunDir) -> None:
    """Log what is learned, and how reliable the labels are."""
    head = classifier.head_type
    counts = train.label_counts
    if head.name == "multi-label":
        counts = {name: sum(name in types_on(face) for face in train) for name in classifier.classes}
    listed = ", ".join(f"{count} {name}" for name, count in counts.items())
    run.log(f"training on {len(train)} faces ({listed}), selecting the epoch on {len(val)}")
    if head.name in ("corn", "label-distribution"):
        run.log(f"grades in order: {' < '.join(classifier.classes)}")
    if isinstance(head, LabelDistribution):
        share = count_agreement(head, encode_targets(train, classifier.classes, head))
        bounds = ", ".join(map(str, head.bounds))
        run.log(f"class and lesion count agree on {share:.0%} of the faces (highest counts: {bounds})")


def _check_monitor(config: TrainClassifierConfig, val: LabelledFaces, classifier: Classifier) -> None:
    """Raise ConfigError where the validation faces leave the monitored metric undefined."""
    labels = val.targets.labels
    if classifier.head_type.name == "multi-label":
        count_K = labels.sum(0)
        undefined_K = count_K == 0
        if config.monitor == "macro_auc":
            undefined_K = undefined_K | (count_K == len(labels))
    else:
        undefined_K = torch.bincount(labels, minlength=len(classifier.classes)) == 0
    missing = [
        name for name, undefined in zip(classifier.classes, undefined_K.tolist(), strict=True) if undefined
    ]
    if missing and config.monitor in ("macro_f1", "macro_auc"):
        raise ConfigError(
            f"monitor = {config.monitor}: not defined for {', '.join(missing)} on the validation faces.",
            "Set monitor = loss, or give a larger val split.",
        )


def _train_epochs(trainer: Trainer, run: RunDir) -> Progress:
    config, classifier, optimiser = trainer.config, trainer.classifier, trainer.optimiser
    progress = Progress()
    if run.world.is_main:
        progress = resume_training(run.folder, progress, classifier, optimiser)
    progress = broadcast_training(run.world, progress, classifier, optimiser)
    run.rewind_metrics(progress.epoch)
    total, done = (trainer.steps * epochs for epochs in (config.epochs, progress.epoch))
    with run.bar("training the classifier", total, done) as bar:
        for epoch in range(progress.epoch, config.epochs):
            if config.patience is not None and progress.epoch - progress.best_epoch >= config.patience:
                run.log(f"stopped after epoch {progress.epoch}: {config.patience} epochs without improvement")
                break
            loss, accuracy = trainer.train_epoch(epoch, bar.advance)
            metrics = trainer.validate()
            val_metrics = {f"val_{name}": value for name, value in metrics.items()}
            run.metrics(epoch + 1, loss=loss, accuracy=accuracy, **val_metrics)
            progress.after_epoch(classifier.state_dict(), metrics, config.monitor)
            if run.world.is_main:
                save_training(run.folder, progress, classifier, optimiser)
    return progress
