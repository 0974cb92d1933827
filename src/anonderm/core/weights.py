"""The one register of weights that did not come out of the user's own run.

Nothing that was trained on other people's photos ships with the package: what ships was trained on phantom
faces, which the package draws itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import MissingWeights

SHIPPED = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True, slots=True)
class Weights:
    name: str
    purpose: str
    licence: str

    @property
    def path(self) -> Path:
        return SHIPPED / f"{self.name}.safetensors"


REGISTER = {
    weights.name: weights
    for weights in (
        Weights(
            "phantom-64",
            "GAN of healthy phantom faces, 64 px: the base for `train-gan --base phantom-64`",
            "Apache-2.0",
        ),
        Weights(
            "phantom-encoder",
            "face embedding of 128 numbers, trained on phantom faces, for fidelity and privacy",
            "Apache-2.0",
        ),
    )
}


def load(name: str) -> Checkpoint:
    """A registered checkpoint. Raises MissingWeights, naming those there are."""
    if name not in REGISTER:
        raise MissingWeights(f"No weights are called {name!r}.", f"Known: {', '.join(REGISTER)}.")
    if not REGISTER[name].path.exists():
        raise MissingWeights(
            f"{REGISTER[name].path}: the shipped weights {name!r} are missing.", "Reinstall anonderm."
        )
    return Checkpoint.load(REGISTER[name].path)
