"""Everything that a killed training needs to go on to the same weights, in one safetensors file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anonderm.core.errors import BrokenArtefact
from anonderm.core.rundir import RunDir

FILE = "state.safetensors"


@dataclass
class Progress:
    """How far training came, and the weights of the best epoch so far (counted from 1)."""

    epoch: int = 0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    best_loss: float = float("inf")
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def after_epoch(self, weights: dict[str, Tensor], accuracy: float, loss: float) -> None:
        """Count one epoch; it is the best if more faces are right, or as many at a lower loss."""
        self.epoch += 1
        if (accuracy, -loss) > (self.best_accuracy, -self.best_loss):
            self.best_epoch, self.best_accuracy, self.best_loss = self.epoch, accuracy, loss
            self.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}


def save(run: RunDir, progress: Progress, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    from safetensors.torch import save_file

    tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best/{name}": tensor for name, tensor in progress.best_weights.items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{name}": tensor for name, tensor in state.items()}
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    numbers = {
        "epoch": progress.epoch,
        "best_epoch": progress.best_epoch,
        "best_accuracy": progress.best_accuracy,
        "best_loss": progress.best_loss,
    }
    run.save_state(FILE, lambda path: save_file(plain, path, metadata={"progress": json.dumps(numbers)}))


def resume(run: RunDir, network: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
    """Put network and optimiser back where `save` left them; without a file, a fresh Progress.

    Raises BrokenArtefact for a damaged file.
    """
    path = run.folder / FILE
    if not path.exists():
        return Progress()
    tensors, numbers = _read(path)
    network.load_state_dict(_under("network/", tensors))
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in _under("optimiser/", tensors).items():
        index, name = key.split("/")
        states.setdefault(int(index), {})[name] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})
    return Progress(**numbers, best_weights=_under("best/", tensors))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            return tensors, json.loads(file.metadata()["progress"])
    except (SafetensorError, KeyError, TypeError) as error:
        raise BrokenArtefact(
            f"{path}: damaged training state ({error}).",
            f"Delete {path.parent} and run the same command again.",
        ) from error


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
