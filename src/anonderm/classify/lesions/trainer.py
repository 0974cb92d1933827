"""Training steps of a lesion detector, and its validation."""

from __future__ import annotations

import math

import torch
from torch import nn

from anonderm.classify.lesions.config import TrainDetectorConfig
from anonderm.classify.lesions.tile_sampler import TileSampler
from anonderm.classify.schedules import learning_rates
from anonderm.core.errors import Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.launch import device, step_generator
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import StepProgress, resume_training, save_training
from anonderm.core.stop import deferred_stop
from anonderm.metrics.average_precision import Matches, matches_by_kind, mean_average_precision
from anonderm.models.lesion_detector.kinds import kinds_of
from anonderm.models.lesion_detector.network import Architecture, build
from anonderm.models.lesion_detector.predict import Detector
from anonderm.models.lesion_detector.torchvision_weights import load_torchvision_weights

_WARM_UP = 0.1  # share of the steps over which the learning rate rises
_MAX_GRADIENT_NORM = 10.0


class Trainer:
    """A network, its optimiser and its faces; everything random in a step comes from (seed, step)."""

    def __init__(
        self, config: TrainDetectorConfig, architecture: Architecture, train: FaceSet, val: FaceSet
    ) -> None:
        self.config, self._val = config, val
        kinds = kinds_of(train)
        with torch.random.fork_rng(devices=[]):  # torchvision's initialisers draw from the global generator
            torch.manual_seed(config.seed)
            network = build(architecture, kinds)
        if config.weights_file:
            load_torchvision_weights(network, config.weights_file)
        network = network.to(device()).to(memory_format=torch.channels_last)
        self.detector = Detector(network, architecture, kinds, dict.fromkeys(kinds, 0.5))
        self._tiles = TileSampler(config, train, architecture.tile, kinds)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )

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
        self.optimiser.step()
        return value

    def validate(self, run: RunDir, description: str) -> dict[str, list[Matches]]:
        """The detections on every validation face, matched to its true boxes."""
        faces = run.progress(self._val.faces, description)
        detections = [self.detector.detect(self._val.image(face)) for face in faces]
        return matches_by_kind(detections, [face.lesions for face in self._val], self.detector.kinds)


def train_steps(trainer: Trainer, run: RunDir) -> StepProgress:
    """Train to the end, with a snapshot and validation every `val_interval` steps.

    When asked to stop, writes a snapshot and raises KeyboardInterrupt.
    """
    config, network, optimiser = trainer.config, trainer.detector.network, trainer.optimiser
    progress = resume_training(run.folder, StepProgress(), network, optimiser)
    rates = learning_rates(optimiser, "one-cycle", config.steps, progress.step, _WARM_UP)
    run.rewind_metrics(progress.step)
    with run.bar("training the detector", config.steps, progress.step) as bar, deferred_stop() as stop:
        while progress.step < config.steps:
            loss = progress.after_step(trainer.step(progress.step))
            rates.step()
            bar.advance(note=f"loss {loss:.2f}")
            is_due = progress.step % config.val_interval == 0 or progress.step == config.steps
            if is_due:
                _validate(trainer, progress, run)
            if is_due or stop.requested:
                save_training(run.folder, progress, network, optimiser)
            if stop.requested:
                raise KeyboardInterrupt
    return progress


def _validate(trainer: Trainer, progress: StepProgress, run: RunDir) -> None:
    map50, map50_95 = mean_average_precision(trainer.validate(run, "detecting on the validation faces"))
    loss = progress.after_evaluation(trainer.detector.network.state_dict(), map50)
    run.metrics(progress.step, loss=loss, val_map50=map50, val_map50_95=map50_95)
