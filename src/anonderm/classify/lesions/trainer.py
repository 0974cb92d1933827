"""The steps of a detector's training."""

from __future__ import annotations

import math

import torch
from torch import nn

from anonderm.classify.lesions.config import TrainDetectorConfig
from anonderm.classify.lesions.draw import Tiles
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
from anonderm.models.lesion_detector.torchvision_weights import start_from

_WARM_UP = 0.1  # share of the steps over which the rate rises
_MOST_GRADIENT = 10.0


class Trainer:
    """A network, its optimiser and its faces; everything random in a step comes from (seed, step)."""

    def __init__(
        self, config: TrainDetectorConfig, architecture: Architecture, learn: FaceSet, choose: FaceSet
    ) -> None:
        self.config, self._choose = config, choose
        kinds = kinds_of(learn)
        with torch.random.fork_rng(devices=[]):  # torchvision's initialisers draw from the global generator
            torch.manual_seed(config.seed)
            network = build(architecture, kinds)
        if config.weights:
            start_from(network, config.weights)
        network = network.to(device()).to(memory_format=torch.channels_last)
        self.detector = Detector(network, architecture, kinds, dict.fromkeys(kinds, 0.5))
        self._tiles = Tiles(config, learn, architecture.tile, kinds)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )

    def step(self, step: int) -> float:
        """One update; the loss. Raises Diverged."""
        generator = step_generator(self.config.seed, step)
        tiles, targets = self._tiles.draw(self.config.batch, generator)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * one_cycle((step + 0.5) / self.config.steps)
        network = self.detector.network.train()
        if self.config.weights:  # statistics of few tiles are worse than those that came with the weights
            network.get_submodule("backbone.body").eval()
        on = device()
        with torch.random.fork_rng(devices=[on] if on.startswith("cuda") else []):
            # Which anchors and finds count in the loss is drawn by torchvision, from the global generator.
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
        nn.utils.clip_grad_norm_(network.parameters(), _MOST_GRADIENT)
        self.optimiser.step()
        return value

    def judge(self, run: RunDir, what: str) -> dict[str, list[Matches]]:
        """The finds on every validation face, matched to its true boxes."""
        found = [
            self.detector.find(self._choose.image(face)) for face in run.progress(self._choose.faces, what)
        ]
        return matches_by_kind(found, [face.lesions for face in self._choose], self.detector.kinds)


def all_steps(trainer: Trainer, run: RunDir) -> StepProgress:
    """Train to the end; tested and saved now and then, and saved when asked to stop (KeyboardInterrupt)."""
    config, progress = (
        trainer.config,
        resume_training(run.folder, StepProgress(), trainer.detector.network, trainer.optimiser),
    )
    run.rewind_metrics(progress.step)
    with run.bar("training the detector", config.steps, progress.step) as bar, deferred_stop() as stop:
        while progress.step < config.steps:
            loss = progress.after_step(trainer.step(progress.step))
            bar.advance(note=f"loss {loss:.2f}")
            if progress.step % config.val_interval == 0 or progress.step == config.steps:
                _test(trainer, progress, run)
                save_training(run.folder, progress, trainer.detector.network, trainer.optimiser)
            elif stop.requested:
                save_training(run.folder, progress, trainer.detector.network, trainer.optimiser)
            if stop.requested:
                raise KeyboardInterrupt
    return progress


def _test(trainer: Trainer, progress: StepProgress, run: RunDir) -> None:
    map50, map50_95 = mean_average_precision(trainer.judge(run, "testing on the validation faces"))
    loss = progress.after_evaluation(trainer.detector.network.state_dict(), map50)
    run.metrics(progress.step, loss=loss, val_map50=map50, val_map50_95=map50_95)


def one_cycle(done: float) -> float:
    """Factor of the peak rate: a cosine from 1/25 up to 1, then down to 0 (Smith and Topin 2018)."""
    if done < _WARM_UP:
        return 1 - 0.96 * (1 + math.cos(math.pi * done / _WARM_UP)) / 2
    return (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP))) / 2
