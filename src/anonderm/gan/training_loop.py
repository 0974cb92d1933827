"""The steps of a training run: when to tick, when to stop, and what to do about numbers that are none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from anonderm.core.errors import Diverged
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT
from anonderm.core.stop import Stop, deferred_stop
from anonderm.gan.batch_split import Split
from anonderm.gan.config import TrainGanConfig
from anonderm.gan.phases import ADA_EVERY, Numbers, train_step
from anonderm.gan.step_settings import StepSettings
from anonderm.gan.ticks import Plan, Ticker
from anonderm.gan.training_images import TrainingImages
from anonderm.gan.training_state import TrainState

MOST_ROLLBACKS = 3

_PHASES = {
    "loss_d": "discriminator",
    "r1": "R1",
    "loss_g": "generator",
    "path_length": "path length",
    "path_length_penalty": "path length",
}


@dataclass
class Loop:
    """A training under way."""

    config: TrainGanConfig
    settings: StepSettings
    split: Split
    plan: Plan
    images: TrainingImages
    state: TrainState
    ticker: Ticker
    run: RunDir

    def __post_init__(self) -> None:
        self._unchecked: list[tuple[int, Numbers]] = []

    def train(self) -> None:
        """Step until the plan's end, or until too many ticks in a row were not kept.

        On SIGTERM or Ctrl-C saves a snapshot and raises KeyboardInterrupt. Raises Diverged.
        """
        plan, state = self.plan, self.state
        if self.config.on_nan == "rollback" and not self._snapshot.exists():
            self._save()
        with (
            deferred_stop() as stop,
            self.run.bar("training (kimg)", plan.kimg(plan.steps), plan.kimg(state.step)) as bar,
        ):
            while state.step < plan.steps and not self._is_past_its_best():
                before = state.step
                self._step(stop)
                bar.advance(
                    plan.kimg(state.step - before),
                    note=f"{self.ticker.pace():.1f} s/kimg, p {state.augment.p:.2f}",
                )

    def _is_past_its_best(self) -> bool:
        return 0 < self.config.patience <= self.state.best.unkept

    def _step(self, stop: Stop) -> None:
        state = self.state
        numbers = train_step(state, self.images, self.settings, self.split)
        state.sums.add(numbers)
        self.ticker.stepped()
        self._unchecked.append((state.step, numbers))
        ticks, stops = self.plan.ticks_at(state.step), self._stops(stop)
        if ticks or stops or state.step % ADA_EVERY == 0:
            trouble = self._trouble(weights=ticks or stops)
            if trouble:
                self._recover(trouble)
                return
        if ticks:
            self.ticker.tick(state)
        if stops:
            self._stop()

    def _stops(self, stop: Stop) -> bool:
        """Whether to stop after this step; several processes ask each other only now and then."""
        if self.run.world.size == 1:
            return stop.requested
        return self.state.step % ADA_EVERY == 0 and self.run.world.any(stop.requested)

    def _trouble(self, weights: bool) -> str:
        """The first number since the last look that is NaN or infinite, in words; empty if there is none."""
        seen = [(step, name, value) for step, numbers in self._unchecked for name, value in numbers.items()]
        self._unchecked.clear()
        bad = _not_finite([value for *_, value in seen])
        if any(bad):
            step, name, _ = seen[bad.index(True)]
            return f"{self._place(step)}, {_PHASES.get(name, name)} phase: {name} is NaN or infinite."
        if weights and not self.state.is_finite():
            return f"{self._place(self.state.step)}: a weight is NaN or infinite."
        return ""

    def _place(self, step: int) -> str:
        return f"tick {(step - 1) // self.plan.tick_steps + 1}, step {step}, {self.plan.kimg(step):g} kimg"

    def _recover(self, trouble: str) -> None:
        """Go back to the last snapshot with half the learning rate, or raise Diverged."""
        if self.config.on_nan == "stop":
            raise Diverged(trouble, f"{self._last_good()} {_ADVICE}, or with --on-nan rollback.")
        if self.state.rollbacks == MOST_ROLLBACKS:
            times = f"The learning rate was lowered {MOST_ROLLBACKS} times already."
            raise Diverged(trouble, f"{times} {self._last_good()} {_ADVICE}.")
        rollbacks = self.state.rollbacks + 1
        if self.run.world.is_main:
            self.state.load(self._snapshot)
            self.state.slow_down(rollbacks)
        self.state.follow(self.run.world)
        self._save()
        self.ticker.restart_clock()
        self.run.log(
            f"{trouble} Back to step {self.state.step}, learning rate {self.state.learning_rate:.3g} "
            f"(rollback {rollbacks} of {MOST_ROLLBACKS})"
        )

    def _save(self) -> None:
        if self.run.world.is_main:
            self.state.save(self._snapshot)

    def _stop(self) -> None:
        self._save()
        self.run.log(
            f"stopped at {self.plan.kimg(self.state.step):g} kimg with everything saved; "
            "the same command goes on from there"
        )
        raise KeyboardInterrupt

    @property
    def _snapshot(self) -> Path:
        return self.run.folder / SNAPSHOT

    def _last_good(self) -> str:
        if not self._snapshot.exists():
            return "There is no snapshot yet."
        return f"The last good snapshot is {self._snapshot}."


_ADVICE = "Start another run with a smaller learning_rate or a larger r1_gamma"


def _not_finite(values: list[Tensor]) -> list[bool]:
    """One look at the device for all of them."""
    return (~torch.stack([value.float() for value in values]).isfinite()).tolist() if values else []
