"""What `sweep-gan` found: sweep.json, beside the best checkpoint."""

from dataclasses import dataclass
from typing import Literal

from anonderm.core.results.base import Result

FILE = "sweep.json"

Setting = bool | int | float | str | None


def shown(value: Setting) -> str:
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class SweepMeasures:
    """Of the tick that was kept. near_copy_ratio: near-copies of training faces, over their number
    expected by chance; kimg: thousands of images shown until this tick, trained_kimg: in all."""

    kernel_distance: float
    kernel_distance_error: float
    near_copy_ratio: float
    kimg: float
    trained_kimg: float


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One training. `run` is its folder, `settings` what it changes; measures: None where it diverged."""

    run: str
    settings: dict[str, Setting]
    status: Literal["done", "diverged"]
    seconds: float
    measures: SweepMeasures | None

    @property
    def label(self) -> str:
        """`r1_gamma=2 augment_p=none`."""
        return " ".join(f"{name}={shown(value)}" for name, value in self.settings.items())


@dataclass(frozen=True)
class SweepResult(Result):
    """best: None where all diverged. not_worse: within the standard error of the difference from the best."""

    kind = "gan-sweep"

    rows: tuple[SweepRow, ...]
    best: str | None
    not_worse: tuple[str, ...]
