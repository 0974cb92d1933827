"""Everything that changes while a GAN trains, and its snapshot on disk."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anonderm.core.distributed import World
from anonderm.core.launch import step_generator
from anonderm.core.snapshot import (
    open_snapshot,
    optimiser_tensors,
    restore_optimiser,
    under_prefix,
    with_prefix,
    write_snapshot,
)
from anonderm.gan.tick_metrics import BestTick
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.discriminator import Discriminator, new_discriminator
from anonderm.models.stylegan2.generator import Generator, new_generator


@dataclass
class AdaptiveProbability:
    """The augmentation probability p, adjusted to keep the mean sign of D on real images at a target.

    It thereby follows D's overfitting. Source: Karras et al. 2020 (limited data), sec. 3, r_t.
    """

    p: float = 0.0
    sign: float = 0.0
    """The last measured r_t in -1..1; high where D overfits."""

    def adjust(self, sign: float, target: float, step: float) -> None:
        """Move p by `step` according to r_t, measured since the last call."""
        self.sign = sign
        self.p = min(max(self.p + math.copysign(step, sign - target), 0.0), 1.0)


class Sums(dict[str, Tensor]):
    """Sums of named values, on the device of the values."""

    def add(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self[name] = self[name] + value if name in self else value


class TickStats(Sums):
    """The sum of each value since the last tick and the number of steps that reported it, as a tensor [2].

    Snapshots include them, so that a run interrupted between two ticks reports the same means.
    """

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add the values of one step."""
        super().add({name: torch.stack([value, torch.ones_like(value)]) for name, value in values.items()})

    def means(self) -> dict[str, float]:
        pairs = {name: value.tolist() for name, value in self.items()}
        return {name: total / count for name, (total, count) in pairs.items()}


R1_INTERVAL = 16  # steps
PATH_LENGTH_INTERVAL = 4

# Streams of step_generator; those of the steps count from 0.
_INITIAL = 2**62
SAMPLES = _INITIAL + 1
METRICS = _INITIAL + 2


@dataclass
class TrainingState:
    """Generator, discriminator, the generator's moving average, both optimisers, and all counters."""

    generator: Generator
    discriminator: Discriminator
    average: Generator
    optimiser_g: torch.optim.Adam
    optimiser_d: torch.optim.Adam
    path_length_mean: Tensor
    sign_sum: Tensor
    """Sum over steps of the mean sign of D on real images, since p was last adjusted."""
    base_learning_rate: float
    augment: AdaptiveProbability = field(default_factory=AdaptiveProbability)
    stats: TickStats = field(default_factory=TickStats)
    best: BestTick = field(default_factory=BestTick)
    step: int = 0
    rollbacks: int = 0
    """How often NaN values made training return to a snapshot; each time halves the learning rate."""

    @property
    def learning_rate(self) -> float:
        return self.base_learning_rate * 0.5**self.rollbacks

    def set_rollbacks(self, rollbacks: int) -> None:
        """Count rollbacks, and set the learning rate that follows from them."""
        self.rollbacks = rollbacks
        for optimiser in (self.optimiser_g, self.optimiser_d):
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * 0.5**rollbacks

    def is_finite(self) -> bool:
        """Whether all weights are finite."""
        weights: list[Tensor] = [p for network in self._networks().values() for p in network.parameters()]
        return bool(torch.stack(torch._foreach_norm(weights, torch.inf)).isfinite().all())

    def save(self, path: Path) -> None:
        """Write the snapshot. Raises StorageError."""
        write_snapshot(path, self._tensors(), self._values())

    def load(self, path: Path) -> None:
        """Restore the state that `save` wrote. Raises BrokenArtefact."""
        with open_snapshot(path) as (tensors, values):
            self._restore(tensors, values)

    def broadcast(self, world: World) -> None:
        """Give every rank the state of rank 0."""
        if world.size == 1:
            return
        tensors, values = world.broadcast_named(self._tensors()), world.broadcast_object(self._values())
        if not world.is_main:
            self._restore(tensors, values)

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {"sign_sum": self.sign_sum, "path_length_mean": self.path_length_mean}
        tensors |= with_prefix("stats.", self.stats)
        for prefix, network in self._networks().items():
            tensors |= with_prefix(prefix, network.state_dict())
        tensors |= optimiser_tensors("optimiser_g.", self.optimiser_g)
        return tensors | optimiser_tensors("optimiser_d.", self.optimiser_d)

    def _values(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "rollbacks": self.rollbacks,
            "p": self.augment.p,
            "sign": self.augment.sign,
            "best": self.best.values(),
        }

    def _restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        for prefix, network in self._networks().items():
            network.load_state_dict(under_prefix(prefix, tensors))
        restore_optimiser("optimiser_g.", self.optimiser_g, tensors)
        restore_optimiser("optimiser_d.", self.optimiser_d, tensors)
        self.sign_sum.copy_(tensors["sign_sum"])
        self.path_length_mean.copy_(tensors["path_length_mean"])
        self.step, self.augment = values["step"], AdaptiveProbability(values["p"], values["sign"])
        stats = under_prefix("stats.", tensors)
        self.stats = TickStats({name: value.to(self.sign_sum.device) for name, value in stats.items()})
        self.best = BestTick(**values["best"])
        self.set_rollbacks(values["rollbacks"])

    def save_weights(self, path: Path) -> None:
        """Write the tensors of a checkpoint. Raises StorageError."""
        tensors = with_prefix("average.", self.average.state_dict())
        tensors |= with_prefix("discriminator.", self.discriminator.state_dict())
        write_snapshot(path, tensors | {"path_length_mean": self.path_length_mean}, {"step": self.step})

    def load_weights(self, path: Path) -> None:
        """Restore what `save_weights` wrote. Raises BrokenArtefact."""
        with open_snapshot(path) as (tensors, _):
            self.average.load_state_dict(under_prefix("average.", tensors))
            self.discriminator.load_state_dict(under_prefix("discriminator.", tensors))
            self.path_length_mean.copy_(tensors["path_length_mean"])

    def _networks(self) -> dict[str, Generator | Discriminator]:
        return {"generator.": self.generator, "discriminator.": self.discriminator, "average.": self.average}


def new_networks(arch: Architecture, seed: int, device: str) -> tuple[Generator, Discriminator]:
    """Freshly initialised networks."""
    random = step_generator(seed, _INITIAL)
    return new_generator(arch, random).to(device), new_discriminator(arch, random).to(device)


def new_state(
    generator: Generator, discriminator: Discriminator, learning_rate: float, path_lengths: bool
) -> TrainingState:
    """The state before the first step. Parameters that require no gradient are not trained."""
    device = generator.w_average.device
    return TrainingState(
        generator=generator,
        discriminator=discriminator,
        average=copy.deepcopy(generator).eval().requires_grad_(False),
        optimiser_g=_adam(generator, learning_rate, PATH_LENGTH_INTERVAL if path_lengths else None),
        optimiser_d=_adam(discriminator, learning_rate, R1_INTERVAL),
        path_length_mean=torch.zeros((), device=device),
        sign_sum=torch.zeros((), device=device),
        base_learning_rate=learning_rate,
    )


def _adam(network: torch.nn.Module, learning_rate: float, interval: int | None) -> torch.optim.Adam:
    """Adam without momentum (Karras et al. 2018, appendix A.1).

    A lazy regulariser takes an extra step every `interval` steps, so the learning rate and beta_2 are scaled
    to keep the pace of the main loss (Karras et al. 2020, appendix B).
    """
    ratio = interval / (interval + 1) if interval else 1.0
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    lr = learning_rate * ratio
    return torch.optim.Adam([{"params": parameters, "lr": lr, "initial_lr": lr}], betas=(0.0, 0.99**ratio))
