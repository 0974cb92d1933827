"""Training epochs of a classifier, and its validation."""

# N faces, C channels, H x W pixels, M outputs, K classes or lesion types

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from anonderm.classify.augment import augment
from anonderm.classify.config import Monitor, TrainClassifierConfig
from anonderm.classify.schedules import rate_factor
from anonderm.classify.sync_batchnorm import convert_sync_batchnorm, set_batch_shard
from anonderm.core.distributed import SINGLE, World
from anonderm.core.errors import Diverged
from anonderm.core.launch import step_generator
from anonderm.metrics.confusion import measures
from anonderm.models.classifier.batch_shard import BatchShard
from anonderm.models.classifier.heads import Targets
from anonderm.models.classifier.label_encoding import is_ordered
from anonderm.models.classifier.lesion_cnn import draw_dropout_from
from anonderm.models.classifier.network import Classifier

_VAL_BATCH = 64

Metrics = dict[str, float | None]


@dataclass(frozen=True)
class LabelledFaces:
    """Faces as uint8 [N, C, H, W] at the network's size, and their targets."""

    pixels: Tensor
    targets: Targets


@dataclass
class Progress:
    """Epochs done, and the weights and metrics of the best one so far (counted from 1)."""

    epoch: int = 0
    best_epoch: int = 0
    best: Metrics = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def after_epoch(self, weights: dict[str, Tensor], metrics: Metrics, monitor: Monitor) -> None:
        """Count an epoch; it becomes the best if the monitored metric is better, or equal at a lower loss."""
        self.epoch += 1
        if not self.best or _rank(metrics, monitor) > _rank(self.best, monitor):
            self.best_epoch, self.best = self.epoch, metrics
            self.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}


def _rank(metrics: Metrics, monitor: Monitor) -> tuple[float, float]:
    loss = float("inf") if metrics["loss"] is None else metrics["loss"]
    value = -loss if monitor == "loss" else metrics[monitor]
    return (float("-inf") if value is None else value), -loss


class Trainer:
    """A classifier, its optimiser and its data; each epoch has its own random generator.

    Several processes share every batch, and all end with the weights of a single process. Raises ConfigError
    where a step has fewer faces than there are processes.
    """

    def __init__(
        self,
        config: TrainClassifierConfig,
        classifier: Classifier,
        train: LabelledFaces,
        val: LabelledFaces,
        world: World = SINGLE,
    ) -> None:
        self.config, self.classifier, self.train, self.val, self.world = config, classifier, train, val, world
        self.ordered = is_ordered(classifier.head_type, classifier.classes)
        epoch_faces = config.epoch_faces or len(train.targets)
        self.steps = math.ceil(epoch_faces / config.batch)
        BatchShard.of(epoch_faces // self.steps, world)
        if world.size > 1:
            convert_sync_batchnorm(classifier)
        classifier.backbone.requires_grad_(not config.freeze_backbone)
        self.optimiser = _optimiser(config, [p for p in classifier.parameters() if p.requires_grad])
        self.weights_K = _class_weights(classifier, train.targets) if config.class_weights else None

    def train_epoch(self, epoch: int, after_step: Callable[[], None]) -> tuple[float, float]:
        """One pass over the epoch's faces; mean loss and accuracy of its batches. Raises Diverged."""
        generator = step_generator(self.config.seed, epoch)
        order_N = rows_of_epoch(self.config, len(self.train.targets), epoch, generator)
        self._set_training_mode(generator)
        loss_sum = correct = 0.0
        for step, rows in enumerate(order_N.tensor_split(self.steps), start=epoch * self.steps):
            rate = rate_factor(self.config.schedule, step, self.config.epochs * self.steps)
            for group in self.optimiser.param_groups:
                group["lr"] = self.config.learning_rate * rate
            shard = BatchShard.of(len(rows), self.world)
            pixels_NCHW = self.train.pixels[rows[shard.rows]].float() / 255
            pixels_NCHW = augment(pixels_NCHW, self.config, generator, shard)
            loss, accuracy = self._step(pixels_NCHW, self.train.targets.rows(rows), shard)
            loss_sum += loss * len(rows)
            correct += accuracy * len(rows)
            after_step()
        if not math.isfinite(loss_sum):
            raise Diverged(f"The classifier's loss became {loss_sum}.", "Set a lower learning_rate.")
        return loss_sum / len(order_N), correct / len(order_N)

    def _set_training_mode(self, generator: torch.Generator) -> None:
        dropout_seed = int(torch.randint(2**62, (), generator=generator))
        dropout_generator = torch.Generator(self.train.pixels.device).manual_seed(dropout_seed)
        draw_dropout_from(dropout_generator, self.classifier)
        self.classifier.train()
        if self.config.freeze_backbone:
            self.classifier.backbone.eval()  # its batch norms keep their statistics

    def _step(self, pixels_NCHW: Tensor, targets: Targets, shard: BatchShard) -> tuple[float, float]:
        """One step with this rank's faces and the whole batch's targets; loss and accuracy of the batch."""
        set_batch_shard(self.classifier, shard)
        with self._precision():
            outputs_NM = self.classifier(pixels_NCHW)
        outputs_NM = shard.gather(outputs_NM.float())
        head = self.classifier.head_type
        loss = head.loss(outputs_NM, targets, self.weights_K, self.config.label_smoothing)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self.world.size > 1:
            self.world.all_reduce([p.grad for p in self.classifier.parameters() if p.grad is not None])
        self.optimiser.step()
        predicted = head.predict(head.probabilities(outputs_NM.detach()).cpu().numpy())
        return loss.item(), float((predicted == targets.labels.cpu().numpy()).mean())

    def validate(self) -> Metrics:
        """Loss and metrics on the validation faces; None for a metric that these leave undefined."""
        self.classifier.eval()
        head, targets = self.classifier.head_type, self.val.targets
        outputs_NM = self._val_outputs()
        probabilities_NK = head.probabilities(outputs_NM).cpu().numpy()
        predicted = head.predict(probabilities_NK)
        metrics = measures(targets.labels.cpu().numpy(), predicted, probabilities_NK, self.ordered)
        metrics["loss"] = head.loss(outputs_NM, targets, None, 0.0).item()
        return {name: value if math.isfinite(value) else None for name, value in metrics.items()}

    def _val_outputs(self) -> Tensor:
        pixels_NCHW = self.val.pixels
        outputs_NM = torch.zeros(
            len(pixels_NCHW), self.classifier.head_type.outputs, device=pixels_NCHW.device
        )
        batches = list(zip(pixels_NCHW.split(_VAL_BATCH), outputs_NM.split(_VAL_BATCH), strict=True))
        with torch.inference_mode(), self._precision():
            for bytes_NCHW, batch_NM in batches[self.world.rank :: self.world.size]:
                batch_NM.copy_(self.classifier(bytes_NCHW.float() / 255))
        self.world.all_reduce([outputs_NM])
        return outputs_NM

    def _precision(self) -> AbstractContextManager[None]:
        low = self.config.precision == "bfloat16"
        return torch.autocast(self.train.pixels.device.type, torch.bfloat16, enabled=low)


def rows_of_epoch(
    config: TrainClassifierConfig, count: int, epoch: int, generator: torch.Generator
) -> Tensor:
    """Rows of `count` faces to train on: each once, or the next `epoch_faces` of successive shuffles."""
    size = config.epoch_faces
    if size is None:
        return torch.randperm(count, generator=generator)
    first = epoch * size
    shuffles = range(first // count, (first + size - 1) // count + 1)
    row_N = np.concatenate(
        [np.random.default_rng((config.seed, each)).permutation(count) for each in shuffles]
    )
    skipped = first - shuffles[0] * count
    return torch.from_numpy(row_N[skipped : skipped + size])


def _optimiser(config: TrainClassifierConfig, parameters: list[Tensor]) -> torch.optim.Optimizer:
    kinds: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "rmsprop": torch.optim.RMSprop,
        "sgd": partial(torch.optim.SGD, momentum=0.9),
    }
    return kinds[config.optimiser](parameters, config.learning_rate, weight_decay=config.weight_decay)


def _class_weights(classifier: Classifier, targets: Targets) -> Tensor:
    """[K]: equal total weight for every class, or for having and not having a lesion type."""
    count, classes = len(targets), len(classifier.classes)
    if classifier.head_type.name == "multi-label":
        positive_K = targets.labels.sum(0)
        return (count - positive_K).clamp(min=1) / positive_K
    return (count / (classes * torch.bincount(targets.labels, minlength=classes))).float()
