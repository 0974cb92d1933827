"""Training snapshots: one safetensors file, replaced atomically, from which training resumes exactly.

`train_steps` is the loop of trainings that are counted in steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from anonderm.core.distributed import World
from anonderm.core.errors import BrokenArtefact
from anonderm.core.files import write_bytes
from anonderm.core.launch import deferred_stop
from anonderm.core.rundir import RunDir

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

SNAPSHOT = "state.safetensors"
_NUMBERS = "numbers"
_BEST = "best_weights"


class Progress(Protocol):
    """The progress of a training: a dataclass of JSON values, and the best weights so far."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    best_weights: dict[str, Tensor]


AnyProgress = TypeVar("AnyProgress", bound=Progress)


@dataclass
class StepProgress:
    """The steps completed, the loss since the last evaluation, and the best weights so far."""

    step: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0
    best_step: int = 0
    best_measure: float = -1.0
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def after_step(self, loss: float) -> float:
        """Count a step; return the mean loss since the last evaluation."""
        self.step += 1
        self.loss_sum += loss
        self.loss_steps += 1
        return self.loss_sum / self.loss_steps

    def after_evaluation(self, weights: Mapping[str, Tensor], measure: float) -> float:
        """Keep the weights if their measure (0..1) is the best; return the mean loss since the last call."""
        if measure > self.best_measure:
            self.best_step, self.best_measure = self.step, measure
            self.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}
        loss = self.loss_sum / max(1, self.loss_steps)
        self.loss_sum, self.loss_steps = 0.0, 0
        return loss


def write_snapshot(path: Path, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    """Write tensors, and JSON values to go with them. Raises StorageError."""
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # Not save_file of safetensors, whose own error type would hide that the disk is full.
    write_bytes(path, save(plain, metadata={_NUMBERS: json.dumps(dict(numbers))}))


@contextmanager
def open_snapshot(path: Path) -> Iterator[tuple[dict[str, Tensor], dict[str, Any]]]:
    """The tensors and JSON values of a snapshot; errors in reading or using them become BrokenArtefact."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            numbers = json.loads(file.metadata()[_NUMBERS])
        yield tensors, numbers
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, RuntimeError) as error:
        hint = f"Delete {path.parent} and run the same command again to start over."
        raise BrokenArtefact(f"{path}: not a snapshot of this training ({error}).", hint) from error


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, with `prefix` put before each name."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def under_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix`, which is removed from the names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def optimiser_tensors(prefix: str, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of a torch optimiser, named prefix + index of the parameter + / + name of the tensor."""
    return {
        f"{prefix}{index}/{name}": value
        for index, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimiser(prefix: str, optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore what `optimiser_tensors` returned."""
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in under_prefix(prefix, tensors).items():
        index, _, name = key.partition("/")
        states.setdefault(int(index), {})[name] = tensor
    optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})


def save_training(
    folder: Path, progress: Progress, network: torch.nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Write the state of a training after a step or epoch to folder/SNAPSHOT. Raises StorageError."""
    tensors = with_prefix("network/", network.state_dict()) | with_prefix("best/", progress.best_weights)
    tensors |= optimiser_tensors("optimiser/", optimiser)
    write_snapshot(folder / SNAPSHOT, tensors, _numbers(progress))


def _numbers(progress: Progress) -> dict[str, Any]:
    return {each.name: getattr(progress, each.name) for each in fields(progress) if each.name != _BEST}


def resume_training(
    folder: Path, fresh: AnyProgress, network: torch.nn.Module, optimiser: torch.optim.Optimizer
) -> AnyProgress:
    """Restore folder/SNAPSHOT and return its progress, or `fresh` if there is none. Raises BrokenArtefact."""
    path = folder / SNAPSHOT
    if not path.exists():
        return fresh
    with open_snapshot(path) as (tensors, numbers):
        network.load_state_dict(under_prefix("network/", tensors))
        restore_optimiser("optimiser/", optimiser, tensors)
        return replace(fresh, **numbers, best_weights=under_prefix("best/", tensors))


def train_steps(
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    step: Callable[[int], float],
    validate: Callable[[], dict[str, float]],
    run: RunDir,
    steps: int,
    val_interval: int,
) -> StepProgress:
    """Train to the last step; every `val_interval` steps and at the end, validate and write a snapshot.

    step: makes the update of this number and returns its loss. validate: the first of its metrics (0..1)
    selects the best step. On SIGTERM or Ctrl-C, writes a snapshot and raises KeyboardInterrupt.
    """
    progress = resume_training(run.folder, StepProgress(), network, optimiser)
    run.rewind_metrics(progress.step)
    with deferred_stop() as stop, run.bar("training the network", steps, progress.step) as bar:
        while progress.step < steps:
            loss = progress.after_step(step(progress.step))
            bar.advance(note=f"loss {loss:.3f}")
            is_due = progress.step % val_interval == 0 or progress.step == steps
            if is_due:
                metrics = validate()
                loss = progress.after_evaluation(network.state_dict(), next(iter(metrics.values())))
                run.metrics(progress.step, loss=loss, **metrics)
            if is_due or stop.requested:
                save_training(run.folder, progress, network, optimiser)
            if stop.requested:
                raise KeyboardInterrupt
    return progress


def broadcast_training(
    world: World, progress: AnyProgress, network: torch.nn.Module, optimiser: torch.optim.Optimizer
) -> AnyProgress:
    """Give all ranks the network, optimiser and progress of rank 0, and return the progress.

    Only rank 0 keeps the best weights, as it alone saves them.
    """
    world.broadcast(list(network.state_dict().values()))
    moments = world.broadcast_named(optimiser_tensors("", optimiser))
    numbers = world.broadcast_object(_numbers(progress))
    if world.is_main:
        return progress
    restore_optimiser("", optimiser, moments)
    return replace(progress, **numbers)
