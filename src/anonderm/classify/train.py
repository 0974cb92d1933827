"""Training a classifier: learn on the training faces, keep the epoch that is best on the held-out ones.

Shapes: N faces, C channels, H x W pixels, D features, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.classify import snapshot
from anonderm.classify.augment import augment
from anonderm.classify.backbones import Classifier, cached_weights, published_normalisation
from anonderm.classify.config import TrainClassifierConfig
from anonderm.classify.predict import to_input
from anonderm.classify.split import learning_split
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.config import command_line
from anonderm.core.errors import Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.launch import device, step_generator
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT

_WARM_UP = 0.2  # share of the steps over which the one-cycle schedule rises


def train_classifier(config: TrainClassifierConfig, faces: FaceSet, run: RunDir) -> Checkpoint:
    """Train on the rows of split train (or of none), choose the epoch on val; split test is never read.

    Run again in the same folder, it goes on after the last whole epoch, to the same weights. Raises BadLabel,
    TooFewImages, ConfigError, MissingWeights or Diverged.
    """
    learn, choose = learning_split(faces, config.seed)
    counts = ", ".join(f"{count} {label}" for label, count in learn.label_counts.items())
    run.log(f"learning from {len(learn)} faces ({counts}), choosing the epoch on {len(choose)}")
    size = config.size or learn.image(learn.faces[0]).shape[0]
    classifier = _new_classifier(config, learn.labels, size)
    learning, choosing = (_tensors(part, classifier) for part in (learn, choose))
    if not config.pretrained:
        classifier.normalise_like(learning.pixels)
    classifier = classifier.to(device()).to(memory_format=torch.channels_last)
    trainer = _Trainer(config, classifier, learning, choosing)
    progress = _all_epochs(trainer, run)
    run.log(f"epoch {progress.best_epoch} is the best: {progress.best_accuracy:.1%} of the held-out faces")
    card = CheckpointCard(
        kind="classifier",
        architecture={"backbone": config.backbone, "skip_halvings": config.skip_halvings},
        resolution=size,
        pixel_range=(0.0, 1.0),
        classes=classifier.classes,
        data_digest=faces.digest,
        licence=learn.licence,
        command=command_line("train-classifier", config),
        notes={
            "trained_on": _origin(learn),
            "pretrained": config.pretrained,
            "n": len(learn),
            "n_held_out": len(choose),
            "best_epoch": progress.best_epoch,
            "val_accuracy": progress.best_accuracy,
            "mean": classifier.mean.flatten().tolist(),
            "std": classifier.std.flatten().tolist(),
        },
    )
    checkpoint = Checkpoint.save(run.folder / "checkpoint.safetensors", progress.best_weights, card)
    (run.folder / SNAPSHOT).unlink(missing_ok=True)
    return checkpoint


@dataclass(frozen=True)
class _Labelled:
    pixels: Tensor
    targets: Tensor


class _Trainer:
    """One classifier, its optimiser and its data; every epoch draws from its own generator."""

    def __init__(
        self, config: TrainClassifierConfig, classifier: Classifier, learning: _Labelled, choosing: _Labelled
    ) -> None:
        self.config, self.classifier, self.learning, self.choosing = config, classifier, learning, choosing
        self.steps = math.ceil(len(learning.targets) / config.batch)
        self.optimiser = torch.optim.AdamW(
            classifier.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        counts_K = torch.bincount(learning.targets, minlength=len(classifier.classes))
        weights_K = len(learning.targets) / (len(counts_K) * counts_K)
        self.weights_K = weights_K.to(learning.pixels) if config.class_weights else None

    def learn_epoch(self, epoch: int, after_step: Callable[[], None]) -> tuple[float, float]:
        """Show every training face once; returns mean loss and share of right answers on the way."""
        generator = step_generator(self.config.seed, epoch)
        order_N = torch.randperm(len(self.learning.targets), generator=generator)
        loss_sum = right = 0.0
        self.classifier.train()
        for step, rows in enumerate(order_N.tensor_split(self.steps)):
            for group in self.optimiser.param_groups:
                group["lr"] = self.config.learning_rate * self._one_cycle(epoch * self.steps + step)
            pixels_NCHW = augment(self.learning.pixels[rows], self.config, generator)
            targets_N = self.learning.targets[rows]
            features_ND = self.classifier.features(pixels_NCHW)
            logits_NK = self.classifier.head(_drop(features_ND, self.config.dropout, generator))
            loss = F.cross_entropy(
                logits_NK, targets_N, self.weights_K, label_smoothing=self.config.label_smoothing
            )
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            loss_sum += loss.item() * len(rows)
            right += (logits_NK.argmax(1) == targets_N).sum().item()
            after_step()
        if not math.isfinite(loss_sum):
            raise Diverged(f"The classifier's loss became {loss_sum}.", "Try a smaller learning_rate.")
        return loss_sum / len(order_N), right / len(order_N)

    def judge(self) -> tuple[float, float]:
        """Mean loss and accuracy on the held-out faces."""
        self.classifier.eval()
        with torch.inference_mode():
            batches = self.choosing.pixels.split(128)
            logits_NK = torch.cat([self.classifier(pixels_NCHW) for pixels_NCHW in batches])
            loss = F.cross_entropy(logits_NK, self.choosing.targets)
            return loss.item(), (logits_NK.argmax(1) == self.choosing.targets).float().mean().item()

    def _one_cycle(self, step: int) -> float:
        """Factor of the peak rate: cosine from 1/25 up to 1, then down to 0 (Smith and Topin 2018)."""
        done = (step + 0.5) / (self.config.epochs * self.steps)
        if done < _WARM_UP:
            return 1 - 0.96 * (1 + math.cos(math.pi * done / _WARM_UP)) / 2
        return (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP))) / 2


def _all_epochs(trainer: _Trainer, run: RunDir) -> snapshot.Progress:
    progress = snapshot.resume(run, trainer.classifier, trainer.optimiser)
    run.rewind_metrics(progress.epoch)
    total, done = (trainer.steps * epochs for epochs in (trainer.config.epochs, progress.epoch))
    with run.bar("training the classifier", total, done) as bar:
        for epoch in range(progress.epoch, trainer.config.epochs):
            loss, accuracy = trainer.learn_epoch(epoch, bar.advance)
            val_loss, val_accuracy = trainer.judge()
            run.metrics(epoch + 1, loss=loss, accuracy=accuracy, val_loss=val_loss, val_accuracy=val_accuracy)
            progress.after_epoch(trainer.classifier.state_dict(), val_accuracy, val_loss)
            snapshot.save(run, progress, trainer.classifier, trainer.optimiser)
    return progress


def _new_classifier(config: TrainClassifierConfig, classes: tuple[str, ...], size: int) -> Classifier:
    weights = cached_weights(config.backbone) if config.pretrained else None
    with torch.random.fork_rng(devices=[]):  # timm's initialisers draw from the global generator
        torch.manual_seed(config.seed)
        classifier = Classifier(config.backbone, classes, size, config.skip_halvings, weights)
    if config.pretrained:
        classifier.normalise(*published_normalisation(config.backbone))
    return classifier


def _tensors(faces: FaceSet, classifier: Classifier) -> _Labelled:
    targets = [classifier.classes.index(face.label) for face in faces if face.label is not None]
    pixels_NCHW = to_input(faces.pixels(classifier.size), classifier.size)
    return _Labelled(pixels_NCHW.to(device()), torch.tensor(targets, device=device()))


def _drop(features_ND: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Dropout from an explicit generator (Srivastava et al. 2014, inverted)."""
    kept_ND = torch.rand(features_ND.shape, generator=generator) >= share
    return features_ND * kept_ND.to(features_ND) / (1 - share)


def _origin(faces: FaceSet) -> str:
    synthetic = sum(face.checkpoint is not None for face in faces)
    return "real" if synthetic == 0 else "synthetic" if synthetic == len(faces) else "mixed"
