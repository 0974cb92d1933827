"""A recipe that was read and checked: its steps, in the order in which they run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core.errors import ConfigError
from anonderm.stages import Stage


@dataclass(frozen=True)
class Step:
    """One stage of a recipe; `inputs` name earlier steps or registered weights."""

    name: str
    stage: Stage
    config: Any
    inputs: dict[str, tuple[str, ...]]
    share: float = 0.0


@dataclass(frozen=True)
class Recipe:
    path: Path
    title: str
    classes: tuple[str, ...]
    steps: tuple[Step, ...]
    photos: int = 0
    """How many a dry run reckons with where it is given none."""

    def until(self, name: str | None) -> tuple[Step, ...]:
        """The steps up to and including `name` (a step, or a stage: its last step)."""
        if name is None:
            return self.steps
        last = [index for index, step in enumerate(self.steps) if name in (step.name, step.stage.name)]
        if not last:
            names = ", ".join(step.name for step in self.steps)
            raise ConfigError(f"{self.path}: no step or stage is called {name!r}.", f"Steps: {names}.")
        return self.steps[: last[-1] + 1]
