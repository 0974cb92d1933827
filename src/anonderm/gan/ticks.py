"""What a training run leaves at every tick: metrics, a sheet of samples, the best so far, a snapshot."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from anonderm.core.images import Pixels, grid, write_png
from anonderm.core.launch import step_generator
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT
from anonderm.gan.best_tick import Best
from anonderm.gan.config import TrainGanConfig
from anonderm.gan.tensorboard_events import EventFile
from anonderm.gan.tick_metrics import HeldOut
from anonderm.gan.training_images import TrainingImages
from anonderm.gan.training_state import METRIC, SAMPLES, TrainState
from anonderm.gan.training_stats import TickSums
from anonderm.models.stylegan2.generator import to_pixels

_BATCH = 32


@dataclass(frozen=True)
class Plan:
    """How many steps to train, after how many to tick, and the images in each."""

    steps: int
    tick_steps: int
    batch: int

    @staticmethod
    def of(config: TrainGanConfig, batch: int) -> Plan:
        steps = math.ceil(config.kimg * 1000 / batch)
        return Plan(steps, max(1, round(config.tick_kimg * 1000 / batch)), batch)

    def kimg(self, step: int) -> float:
        return step * self.batch / 1000

    def ticks_at(self, step: int) -> bool:
        return step % self.tick_steps == 0 or step == self.steps


class Ticker:
    """Writes, at ticks, what a run leaves behind; a context that holds TensorBoard's file."""

    def __init__(
        self,
        config: TrainGanConfig,
        run: RunDir,
        plan: Plan,
        images: TrainingImages,
        held_out: HeldOut | None,
        start: int,
    ):
        self._config, self._run, self._plan, self._images, self._start = config, run, plan, images, start
        self._held_out = held_out
        run.rewind_metrics(plan.kimg(start))
        self._pace = math.nan
        self.restart_clock()

    def __enter__(self) -> Ticker:
        if self._run.world.is_main:
            self._events = EventFile(self._run.folder / "tensorboard", self._start * self._plan.batch)
        return self

    def __exit__(self, *error: object) -> None:
        if self._run.world.is_main:
            self._events.close()

    def restart_clock(self) -> None:
        """Measure the pace from here on."""
        self._clock, self._steps = time.monotonic(), 0

    def stepped(self) -> None:
        """Count one step for the pace."""
        self._steps += 1

    def pace(self) -> float:
        """Seconds per kimg since the last tick; just after it, of the tick."""
        if self._steps:
            self._pace = (time.monotonic() - self._clock) / self._plan.kimg(self._steps)
        return self._pace

    def tick(self, state: TrainState) -> None:
        """Let the leader measure and write, and tell the others what it keeps."""
        if self._run.world.is_main:
            self._write(state)
        state.sums = TickSums()
        state.best = Best(**self._run.world.broadcast_object(state.best.numbers()))
        self.restart_clock()

    def _write(self, state: TrainState) -> None:
        """The snapshot comes last: after a kill, what is newer than it is written again."""
        kimg = self._plan.kimg(state.step)
        row = state.sums.means() | {
            "ada_p": state.augment.p,
            "ada_sign": state.augment.sign,
            "learning_rate": state.learning_rate,
            "seconds_per_kimg": self.pace(),
        }
        if self._held_out is not None:
            row |= self._judge(state, self._held_out)
        self._run.metrics(kimg, **row)
        self._events.add(state.step * self._plan.batch, row)
        write_png(self._run.folder / f"samples/kimg-{kimg:010.3f}.png", self._sheet(state))
        state.sums = TickSums()
        state.save(self._run.folder / SNAPSHOT)
        forget_kept(self._run.folder, but=state.best.step)

    def _sheet(self, state: TrainState) -> Pixels:
        """The same latents at every tick, so that a reader can watch each face change."""
        count = self._config.samples
        return grid(self._faces(state, count, SAMPLES), columns=math.ceil(math.sqrt(count)))

    @torch.inference_mode()
    def _faces(self, state: TrainState, count: int, stream: int) -> Pixels:
        """uint8 [count, H, W, 3] by the average generator."""
        random = step_generator(self._config.seed, stream, str(state.signs.device))
        generator, pictures = state.average, []
        for start in range(0, count, _BATCH):
            size = min(_BATCH, count - start)
            z_BZ = torch.randn(size, generator.arch.z_dim, generator=random, device=random.device)
            images = generator(z_BZ, self._images.labels(size, random), generator.random_noise(size, random))
            pictures.append(to_pixels(images))
        return np.concatenate(pictures)

    def _judge(self, state: TrainState, held_out: HeldOut) -> dict[str, float]:
        """Measure the average generator, and keep it if it is as good as the best so far."""
        measured = held_out.measure(self._faces(state, self._config.metric_faces, METRIC))
        kept = state.best.judge(state.step, measured)
        if kept:
            state.keep(kept_file(self._run.folder, state.step))
        return {
            "kernel_distance": measured.kernel_distance,
            "kernel_distance_error": measured.error,
            "frechet_distance": measured.frechet_distance,
            "closer_than_expected": measured.closer_than_expected,
            "kept": float(kept),
        }


def kept_file(folder: Path, step: int) -> Path:
    """Where the tick at this step is kept; a file of its own, as a kill may come before the snapshot does."""
    return folder / f"kept-{step:09d}.safetensors"


def forget_kept(folder: Path, but: int | None = None) -> None:
    """Delete the kept ticks, but that of one step."""
    for path in folder.glob("kept-*.safetensors"):
        if but is None or path != kept_file(folder, but):
            path.unlink()
