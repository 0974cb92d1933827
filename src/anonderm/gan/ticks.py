"""What training writes at every tick: metrics, a sheet of samples, the best weights so far, a snapshot."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from anonderm.core.images import Pixels, grid, write_png
from anonderm.core.launch import step_generator
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import SNAPSHOT
from anonderm.gan.config import TrainGanConfig
from anonderm.gan.tick_metrics import BestTick, TickEvaluator
from anonderm.gan.training_images import TrainingImages
from anonderm.gan.training_state import METRICS, SAMPLES, TickStats, TrainingState
from anonderm.models.stylegan2.generator import to_pixels

_BATCH = 32


@dataclass(frozen=True)
class Schedule:
    """The number of steps of a training, and of a tick; `batch` images a step."""

    steps: int
    tick_steps: int
    batch: int

    @staticmethod
    def of(config: TrainGanConfig, batch: int) -> Schedule:
        steps = math.ceil(config.kimg * 1000 / batch)
        return Schedule(steps, max(1, round(config.tick_kimg * 1000 / batch)), batch)

    def kimg(self, step: int) -> float:
        return step * self.batch / 1000

    def is_tick(self, step: int) -> bool:
        return step % self.tick_steps == 0 or step == self.steps


@dataclass
class Ticker:
    """Writes the files of each tick; as a context manager, it holds the TensorBoard file open."""

    config: TrainGanConfig
    run: RunDir
    schedule: Schedule
    images: TrainingImages
    evaluator: TickEvaluator | None
    first_step: int

    def __post_init__(self) -> None:
        self.run.rewind_metrics(self.schedule.kimg(self.first_step))
        self._seconds_per_kimg = math.nan
        self.restart_clock()

    def __enter__(self) -> Ticker:
        if self.run.world.is_main:
            folder = self.run.folder / "tensorboard"
            self._events = EventFile(folder, self.first_step * self.schedule.batch)
        return self

    def __exit__(self, *error: object) -> None:
        if self.run.world.is_main:
            self._events.close()

    def restart_clock(self) -> None:
        """Start measuring the speed anew."""
        self._clock, self._steps = time.monotonic(), 0

    def count_step(self) -> None:
        """Count one step for the speed."""
        self._steps += 1

    def seconds_per_kimg(self) -> float:
        """The speed since the last tick; before the first step, that of the last tick."""
        if self._steps:
            self._seconds_per_kimg = (time.monotonic() - self._clock) / self.schedule.kimg(self._steps)
        return self._seconds_per_kimg

    def tick(self, state: TrainingState) -> None:
        """Rank 0 evaluates and writes; all ranks get the best tick so far."""
        if self.run.world.is_main:
            self._write(state)
        state.stats = TickStats()
        state.best = BestTick(**self.run.world.broadcast_object(state.best.values()))
        self.restart_clock()

    def _write(self, state: TrainingState) -> None:
        """The snapshot comes last: after a kill, everything newer is written again."""
        kimg = self.schedule.kimg(state.step)
        row = state.stats.means() | {
            "ada_p": state.augment.p,
            "ada_sign": state.augment.sign,
            "learning_rate": state.learning_rate,
            "seconds_per_kimg": self.seconds_per_kimg(),
        }
        if self.evaluator is not None:
            row |= self._evaluate(state, self.evaluator)
        self.run.metrics(kimg, **row)
        self._events.add(state.step * self.schedule.batch, row)
        # The same latents at every tick, so that changes to each face can be followed.
        faces = self._faces(state, self.config.samples, SAMPLES)
        sheet = grid(faces, columns=math.ceil(math.sqrt(self.config.samples)))
        write_png(self.run.folder / f"samples/kimg-{kimg:010.3f}.png", sheet)
        state.stats = TickStats()
        state.save(self.run.folder / SNAPSHOT)
        remove_best(self.run.folder, but=state.best.step)

    @torch.inference_mode()
    def _faces(self, state: TrainingState, count: int, stream: int) -> Pixels:
        """uint8 [count, H, W, 3] from the average generator."""
        random = step_generator(self.config.seed, stream, str(state.sign_sum.device))
        generator, batches = state.average, []
        for start in range(0, count, _BATCH):
            size = min(_BATCH, count - start)
            z_BZ = torch.randn(size, generator.arch.z_dim, generator=random, device=random.device)
            images = generator(z_BZ, self.images.labels(size, random), generator.random_noise(size, random))
            batches.append(to_pixels(images))
        return np.concatenate(batches)

    def _evaluate(self, state: TrainingState, evaluator: TickEvaluator) -> dict[str, float]:
        """Evaluate the average generator, and save its weights if this is the best tick so far."""
        metrics = evaluator.evaluate(self._faces(state, self.config.metric_faces, METRICS))
        kept = state.best.update(state.step, metrics)
        if kept:
            state.save_weights(best_file(self.run.folder, state.step))
        return asdict(metrics) | {"kept": float(kept)}


def best_file(folder: Path, step: int) -> Path:
    """The weights of the tick at this step; one file a step, as a kill may come before the next snapshot."""
    return folder / f"best-{step:09d}.safetensors"


def remove_best(folder: Path, but: int | None = None) -> None:
    """Delete the weights of all ticks except that at step `but`."""
    for path in folder.glob("best-*.safetensors"):
        if but is None or path != best_file(folder, but):
            path.unlink()


class EventFile:
    """A TensorBoard event file named after its first step; it overrides later steps in older files.

    TensorBoard's own writer puts the name of the machine into the file name.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"events.out.tfevents.{first_step:012d}"
        self._file = path.open("wb")
        self._records = RecordWriter(self._file)
        self._write(Event(file_version="brain.Event:2"))
        if first_step:
            self._write(Event(step=first_step + 1, session_log=SessionLog(status=SessionLog.START)))

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write one point of each curve."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self._write(Event(step=step, summary=Summary(value=values)))
        self._records.flush()

    def _write(self, event: object) -> None:
        event.wall_time = time.time()  # type: ignore[attr-defined]
        self._records.write(event.SerializeToString())  # type: ignore[attr-defined]

    def close(self) -> None:
        self._records.close()
