"""One classifier in training: an epoch over the training faces, and its measures on the held-out ones.

Shapes: N faces, C channels, H x W pixels, M outputs, K classes or lesion types.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anonderm.classify.augment import augment
from anonderm.classify.config import TrainClassifierConfig
from anonderm.classify.progress import Measures
from anonderm.classify.sync_batchnorm import convert_sync_batchnorm, tell
from anonderm.core.distributed import SINGLE, World
from anonderm.core.errors import Diverged
from anonderm.core.launch import step_generator
from anonderm.metrics.grading import measures
from anonderm.models.classifier.batch_share import Part
from anonderm.models.classifier.lesion_cnn import draw_dropout_from
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.targets import is_ordered
from anonderm.models.classifier.truth import Truth

_WARM_UP = 0.2  # share of the steps over which the one-cycle schedule rises
_JUDGED_AT_ONCE = 64


@dataclass(frozen=True)
class Labelled:
    """Faces as uint8 [N, C, H, W] at the network's size, and what is to be said about them."""

    pixels: Tensor
    truth: Truth


class Trainer:
    """A classifier, its optimiser and its data; every epoch draws from its own generator.

    Several processes share every batch, and all end with the weights of one that trains alone. Raises
    ConfigError where a step has fewer faces than there are processes.
    """

    def __init__(
        self,
        config: TrainClassifierConfig,
        classifier: Classifier,
        learning: Labelled,
        choosing: Labelled,
        world: World = SINGLE,
    ) -> None:
        self.world = world
        self.config, self.classifier, self.learning, self.choosing = config, classifier, learning, choosing
        self.ordered = is_ordered(classifier.reading, classifier.classes)
        shown = config.epoch_faces or len(learning.truth)
        self.steps = math.ceil(shown / config.batch)
        Part.of(shown // self.steps, world)
        if world.size > 1:
            convert_sync_batchnorm(classifier)
        classifier.backbone.requires_grad_(not config.freeze_backbone)
        self.optimiser = _optimiser(config, [p for p in classifier.parameters() if p.requires_grad])
        self.weights_K = _class_weights(classifier, learning.truth) if config.class_weights else None

    def learn_epoch(self, epoch: int, after_step: Callable[[], None]) -> tuple[float, float]:
        """Show the epoch's training faces; returns mean loss and share of right answers on the way."""
        generator = step_generator(self.config.seed, epoch)
        order_N = rows_of_epoch(self.config, len(self.learning.truth), epoch, generator)
        dropout_seed = int(torch.randint(2**62, (), generator=generator))
        draw_dropout_from(
            torch.Generator(self.learning.pixels.device).manual_seed(dropout_seed), self.classifier
        )
        loss_sum = right = 0.0
        self.classifier.train()
        if self.config.freeze_backbone:
            self.classifier.backbone.eval()  # its batch norms keep what they know
        for step, rows in enumerate(order_N.tensor_split(self.steps)):
            rate = self.config.learning_rate * self._schedule(epoch * self.steps + step)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            part = Part.of(len(rows), self.world)
            own_NCHW = self.learning.pixels[rows[part.rows]].float() / 255
            own_NCHW = augment(own_NCHW, self.config, generator, part)
            loss, is_right = self._learn(own_NCHW, self.learning.truth.rows(rows), part)
            loss_sum += loss * len(rows)
            right += is_right * len(rows)
            after_step()
        if not math.isfinite(loss_sum):
            raise Diverged(f"The classifier's loss became {loss_sum}.", "Try a smaller learning_rate.")
        return loss_sum / len(order_N), right / len(order_N)

    def _learn(self, own_NCHW: Tensor, truth: Truth, part: Part) -> tuple[float, float]:
        """One step by own faces of a batch and by the truth of all of it."""
        tell(part, self.classifier)
        with self._precision():
            outputs_NM = self.classifier(own_NCHW)
        outputs_NM = part.gather(outputs_NM.float())
        reading = self.classifier.reading
        loss = reading.loss(outputs_NM, truth, self.weights_K, self.config.label_smoothing)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self.world.size > 1:
            self.world.all_reduce([p.grad for p in self.classifier.parameters() if p.grad is not None])
        self.optimiser.step()
        decided = reading.decide(reading.probabilities(outputs_NM.detach()).cpu().numpy())
        return loss.item(), float((decided == truth.answers.cpu().numpy()).mean())

    def judge(self) -> Measures:
        """Measures on the held-out faces, loss among them; None for one that they leave undefined."""
        self.classifier.eval()
        reading, truth = self.classifier.reading, self.choosing.truth
        pixels_NCHW = self.choosing.pixels
        outputs_NM = torch.zeros(len(pixels_NCHW), reading.outputs, device=pixels_NCHW.device)
        batches = list(zip(*(each.split(_JUDGED_AT_ONCE) for each in (pixels_NCHW, outputs_NM)), strict=True))
        with torch.inference_mode(), self._precision():
            for bytes_NCHW, batch_NM in batches[self.world.rank :: self.world.size]:
                batch_NM.copy_(self.classifier(bytes_NCHW.float() / 255))
        self.world.all_reduce([outputs_NM])
        probabilities_NK = reading.probabilities(outputs_NM).cpu().numpy()
        decided = reading.decide(probabilities_NK)
        numbers = measures(truth.answers.cpu().numpy(), decided, probabilities_NK, self.ordered)
        numbers["loss"] = reading.loss(outputs_NM, truth, None, 0.0).item()
        return {name: value if math.isfinite(value) else None for name, value in numbers.items()}

    def _precision(self) -> AbstractContextManager[None]:
        low = self.config.precision == "bfloat16"
        return torch.autocast(self.learning.pixels.device.type, torch.bfloat16, enabled=low)

    def _schedule(self, step: int) -> float:
        """Factor of the highest rate; one-cycle: cosine from 1/25 up, then down (Smith and Topin 2018)."""
        done = (step + 0.5) / (self.config.epochs * self.steps)
        match self.config.schedule:
            case "constant":
                return 1.0
            case "cosine":
                return (1 + math.cos(math.pi * done)) / 2
        if done < _WARM_UP:
            return 1 - 0.96 * (1 + math.cos(math.pi * done / _WARM_UP)) / 2
        return (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP))) / 2


def rows_of_epoch(
    config: TrainClassifierConfig, count: int, epoch: int, generator: torch.Generator
) -> Tensor:
    """Rows of `count` faces to show: each once, or the next `epoch_faces` of one shuffle after another."""
    shown = config.epoch_faces
    if shown is None:
        return torch.randperm(count, generator=generator)
    first = epoch * shown
    shuffles = range(first // count, (first + shown - 1) // count + 1)
    row_N = np.concatenate(
        [np.random.default_rng((config.seed, each)).permutation(count) for each in shuffles]
    )
    skipped = first - shuffles[0] * count
    return torch.from_numpy(row_N[skipped : skipped + shown])


def _optimiser(config: TrainClassifierConfig, parameters: list[Tensor]) -> torch.optim.Optimizer:
    rate, decay = config.learning_rate, config.weight_decay
    match config.optimiser:
        case "adam":
            return torch.optim.Adam(parameters, rate, weight_decay=decay)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, rate, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=decay)
    return torch.optim.AdamW(parameters, rate, weight_decay=decay)


def _class_weights(classifier: Classifier, truth: Truth) -> Tensor:
    """[K]: so that all classes weigh the same, or having a type as much as not having it."""
    count, classes = len(truth), len(classifier.classes)
    if classifier.reading.name == "multi-label":
        with_it_K = truth.answers.sum(0)
        return (count - with_it_K).clamp(min=1) / with_it_K
    return (count / (classes * torch.bincount(truth.answers, minlength=classes))).float()
