"""The training loop: when to tick, when to stop, and what to do about NaN."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from anonderm.core.errors import Diverged
from anonderm.core.launch import Stop, deferred_stop
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT
from anonderm.gan.batch_split import BatchSplit
from anonderm.gan.config import StepSettings, TrainGanConfig
from anonderm.gan.phases import ADA_INTERVAL, Values, train_step
from anonderm.gan.ticks import Schedule, Ticker
from anonderm.gan.training_images import TrainingImages
from anonderm.gan.training_state import TrainingState

MAX_ROLLBACKS = 3

_PHASES = {
    "loss_d": "discriminator",
    "r1": "R1",
    "loss_g": "generator",
    "path_length": "path length",
    "path_length_penalty": "path length",
}
_ADVICE = "Start another run with a smaller learning_rate or a larger r1_gamma"


@dataclass
class TrainingLoop:
    """A training in progress."""

    config: TrainGanConfig
    settings: StepSettings
    split: BatchSplit
    schedule: Schedule
    images: TrainingImages
    state: TrainingState
    ticker: Ticker
    run: RunDir
    _unchecked: list[tuple[int, Values]] = field(default_factory=list)

    def train(self) -> None:
        """Step until the end of the schedule, or until `patience` ticks in a row brought no improvement.

        On SIGTERM or Ctrl-C, save a snapshot and raise KeyboardInterrupt. Raises Diverged.
        """
        schedule, state = self.schedule, self.state
        if self.config.on_nan == "rollback" and not self._snapshot.exists():
            self._save()
        with (
            deferred_stop() as stop,
            self.run.bar("training (kimg)", schedule.kimg(schedule.steps), schedule.kimg(state.step)) as bar,
        ):
            while state.step < schedule.steps and not 0 < self.config.patience <= state.best.ticks_since:
                before = state.step
                self._step(stop)
                bar.advance(
                    schedule.kimg(state.step - before),
                    note=f"{self.ticker.seconds_per_kimg():.1f} s/kimg, p {state.augment.p:.2f}",
                )

    def _step(self, stop: Stop) -> None:
        state = self.state
        values = train_step(state, self.images, self.settings, self.split)
        state.stats.add(values)
        self.ticker.count_step()
        self._unchecked.append((state.step, values))
        is_tick, stops = self.schedule.is_tick(state.step), self._stops(stop)
        if is_tick or stops or state.step % ADA_INTERVAL == 0:
            problem = self._find_nan(weights=is_tick or stops)
            if problem:
                self._recover(problem)
                return
        if is_tick:
            self.ticker.tick(state)
        if stops:
            self._stop()

    def _stops(self, stop: Stop) -> bool:
        """Whether to stop after this step; several processes agree on it only every few steps."""
        if self.run.world.size == 1:
            return stop.requested
        return self.state.step % ADA_INTERVAL == 0 and self.run.world.any(stop.requested)

    def _find_nan(self, weights: bool) -> str:
        """Describe the first value since the last check that is NaN or infinite; empty if there is none."""
        values = [(step, name, value) for step, named in self._unchecked for name, value in named.items()]
        self._unchecked.clear()
        # A single transfer from the device.
        finite = torch.stack([value.float() for *_, value in values]).isfinite().tolist()
        if not all(finite):
            step, name, _ = values[finite.index(False)]
            return f"{self._place(step)}, {_PHASES.get(name, name)} phase: {name} is NaN or infinite."
        if weights and not self.state.is_finite():
            return f"{self._place(self.state.step)}: a weight is NaN or infinite."
        return ""

    def _place(self, step: int) -> str:
        tick = (step - 1) // self.schedule.tick_steps + 1
        return f"tick {tick}, step {step}, {self.schedule.kimg(step):g} kimg"

    def _recover(self, problem: str) -> None:
        """Return to the last snapshot with half the learning rate, or raise Diverged."""
        if self.config.on_nan == "stop":
            raise Diverged(problem, f"{self._last_snapshot()} {_ADVICE}, or with --on-nan rollback.")
        if self.state.rollbacks == MAX_ROLLBACKS:
            times = f"The learning rate was already halved {MAX_ROLLBACKS} times."
            raise Diverged(problem, f"{times} {self._last_snapshot()} {_ADVICE}.")
        rollbacks = self.state.rollbacks + 1
        if self.run.world.is_main:
            self.state.load(self._snapshot)
            self.state.set_rollbacks(rollbacks)
        self.state.broadcast(self.run.world)
        self._save()
        self.ticker.restart_clock()
        self.run.log(
            f"{problem} Back to step {self.state.step}, learning rate {self.state.learning_rate:.3g} "
            f"(rollback {rollbacks} of {MAX_ROLLBACKS})"
        )

    def _save(self) -> None:
        if self.run.world.is_main:
            self.state.save(self._snapshot)

    def _stop(self) -> None:
        self._save()
        kimg = self.schedule.kimg(self.state.step)
        self.run.log(f"stopped at {kimg:g} kimg; the state is saved, and the same command resumes from there")
        raise KeyboardInterrupt

    @property
    def _snapshot(self) -> Path:
        return self.run.folder / SNAPSHOT

    def _last_snapshot(self) -> str:
        if not self._snapshot.exists():
            return "There is no snapshot yet."
        return f"The last good snapshot is {self._snapshot}."
