"""The result of a privacy audit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arm:
    """A value with its 95% interval; `successes` of `people` where it is a share of people."""

    value: float
    low: float
    high: float
    people: int
    successes: float | None = None


@dataclass(frozen=True, slots=True)
class Excess:
    """Main minus control (an AUC: minus one half), with its 95% interval.

    lower_bound: one-sided, at 99.9%; above 0, the excess is shown.
    """

    value: float
    low: float
    high: float
    lower_bound: float


@dataclass(frozen=True, slots=True)
class Pair:
    """A real photo and the synthetic face nearest to it: their rows, and in a result their ids.

    file: both side by side, relative to the run folder; empty where it was not saved. Not for publication.
    """

    real: int
    synthetic: int
    distance: float
    real_id: str = ""
    synthetic_id: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack on members (`main`) and non-members (`control`), and by guessing (`baseline`).

    level: the threshold or the measure. control and baseline are None where the measure has none.
    """

    name: str
    matcher: str
    level: str
    main: Arm
    control: Arm | None
    baseline: float | None
    excess: Excess
    note: str = ""
    worst: tuple[Pair, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.name}[{self.matcher}]/{self.level}"

    @property
    def is_rate(self) -> bool:
        """Whether `main` is a share of people, not another measure."""
        return self.main.successes is not None
