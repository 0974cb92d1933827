"""Everything that changes while a GAN trains, and its snapshot on disk."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anonderm.core.distributed import World
from anonderm.core.launch import step_generator
from anonderm.core.snapshot import open_snapshot, under_prefix, with_prefix, write_snapshot
from anonderm.gan.augment.adaptive import AugmentProbability
from anonderm.gan.best_tick import Best
from anonderm.gan.optimiser import Adam
from anonderm.gan.training_stats import TickSums
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.discriminator import Discriminator, new_discriminator
from anonderm.models.stylegan2.generator import Generator, new_generator

R1_EVERY = 16
PATH_LENGTH_EVERY = 4

# Streams of step_generator beside those of the steps, which count from 0.
_INITIAL = 2**62
SAMPLES = _INITIAL + 1
METRIC = _INITIAL + 2


@dataclass
class TrainState:
    """Both players, the generator's moving average, both optimisers, and the counters."""

    generator: Generator
    discriminator: Discriminator
    average: Generator
    optimiser_g: Adam
    optimiser_d: Adam
    path_length_mean: Tensor
    signs: Tensor
    """Sum of the mean sign of D on real images since p was last steered."""
    rate: float
    """Adam's step size as configured."""
    augment: AugmentProbability = field(default_factory=AugmentProbability)
    sums: TickSums = field(default_factory=TickSums)
    best: Best = field(default_factory=Best)
    step: int = 0
    rollbacks: int = 0
    """How often training met NaN and went back; each time halves the learning rate."""

    @property
    def learning_rate(self) -> float:
        return self.rate * self.optimiser_g.scale

    def slow_down(self, rollbacks: int) -> None:
        """Set the learning rate of a training that went back so often."""
        self.rollbacks = rollbacks
        self.optimiser_g.scale = self.optimiser_d.scale = 0.5**rollbacks

    def is_finite(self) -> bool:
        """Whether no weight is NaN or infinite."""
        weights: list[Tensor] = [p for network in self._networks().values() for p in network.parameters()]
        return bool(torch.stack(torch._foreach_norm(weights, torch.inf)).isfinite().all())

    def save(self, path: Path) -> None:
        """Write the snapshot. Raises StorageError."""
        write_snapshot(path, *self._content())

    def load(self, path: Path) -> None:
        """Continue exactly where `save` was called. Raises BrokenArtefact."""
        with open_snapshot(path) as (tensors, numbers):
            self._restore(tensors, numbers)

    def follow(self, world: World) -> None:
        """Take over the state of rank 0."""
        tensors, numbers = self._content()
        told = world.broadcast_object({"names": list(tensors), "numbers": numbers})
        # The sums since the last tick are the only tensors that one process has and another has not.
        tensors = {name: tensors.get(name, torch.zeros_like(self.signs)) for name in told["names"]}
        world.broadcast(list(tensors.values()))
        if not world.is_main:
            self._restore(tensors, told["numbers"])

    def _content(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = {"signs": self.signs, "path_length_mean": self.path_length_mean} | self.sums.tensors()
        for prefix, network in self._networks().items():
            tensors |= with_prefix(prefix, network.state_dict())
        tensors |= self.optimiser_g.state("optimiser_g.") | self.optimiser_d.state("optimiser_d.")
        numbers = {
            "step": self.step,
            "rollbacks": self.rollbacks,
            "p": self.augment.p,
            "sign": self.augment.sign,
            "counts": self.sums.counts,
            "best": self.best.numbers(),
        }
        return tensors, numbers

    def _restore(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        for prefix, network in self._networks().items():
            network.load_state_dict(under_prefix(prefix, tensors))
        self.optimiser_g.load("optimiser_g.", tensors)
        self.optimiser_d.load("optimiser_d.", tensors)
        self.signs.copy_(tensors["signs"])
        self.path_length_mean.copy_(tensors["path_length_mean"])
        self.step, self.augment = numbers["step"], AugmentProbability(numbers["p"], numbers["sign"])
        self.sums = TickSums.of(tensors, numbers["counts"], self.signs.device)
        self.best = Best(**numbers["best"])
        self.slow_down(numbers["rollbacks"])

    def keep(self, path: Path) -> None:
        """Write what a checkpoint is made of. Raises StorageError."""
        tensors = with_prefix("average.", self.average.state_dict())
        tensors |= with_prefix("discriminator.", self.discriminator.state_dict())
        write_snapshot(path, tensors | {"path_length_mean": self.path_length_mean}, {"step": self.step})

    def take_kept(self, path: Path) -> None:
        """Go back to what `keep` wrote, for the checkpoint. Raises BrokenArtefact."""
        with open_snapshot(path) as (tensors, _):
            self.average.load_state_dict(under_prefix("average.", tensors))
            self.discriminator.load_state_dict(under_prefix("discriminator.", tensors))
            self.path_length_mean.copy_(tensors["path_length_mean"])

    def _networks(self) -> dict[str, Generator | Discriminator]:
        return {"generator.": self.generator, "discriminator.": self.discriminator, "average.": self.average}


def new_networks(arch: Architecture, seed: int, device: str) -> tuple[Generator, Discriminator]:
    """Fresh networks of a run."""
    random = step_generator(seed, _INITIAL)
    return new_generator(arch, random).to(device), new_discriminator(arch, random).to(device)


def new_state(
    generator: Generator, discriminator: Discriminator, rate: float, path_lengths: bool
) -> TrainState:
    """The state before the first step; the parameters that require no gradient will not be trained.

    Each lazy regulariser is a step of its own, so Adam's rates are stretched to keep the main loss's pace
    (Karras et al. 2020, appendix B).
    """
    device = generator.w_average.device
    return TrainState(
        generator=generator,
        discriminator=discriminator,
        average=copy.deepcopy(generator).eval().requires_grad_(False),
        optimiser_g=_adam(generator, rate, PATH_LENGTH_EVERY if path_lengths else None),
        optimiser_d=_adam(discriminator, rate, R1_EVERY),
        path_length_mean=torch.zeros((), device=device),
        signs=torch.zeros((), device=device),
        rate=rate,
    )


def _adam(network: torch.nn.Module, rate: float, every: int | None) -> Adam:
    stretch = every / (every + 1) if every else 1.0
    return Adam(network.parameters(), rate * stretch, 0.99**stretch)
