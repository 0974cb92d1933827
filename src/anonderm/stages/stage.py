"""What the table of stages holds: a stage, and the artefacts that it reads."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

from anonderm.core.cost import Cost, FaceCost, Workload
from anonderm.core.weights import Lookup

Kind = Literal["faces", "images", "checkpoint", "result", "run"]


@dataclass(frozen=True)
class Input:
    """An artefact that a stage reads; `many` takes one or more, `optional` may be left out.

    made_by: the stages whose output it must be; empty: any. A `positional` one needs no flag in a command.
    """

    kind: Kind
    help: str
    many: bool = False
    optional: bool = False
    positional: bool = False
    made_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A function and its configuration class.

    Functions and classes are given as `module:name`, without `anonderm.`, and imported when needed.
    """

    name: str
    help: str
    function: str
    config: str
    inputs: Mapping[str, Input] = field(default_factory=dict)
    _: KW_ONLY
    cost: str | FaceCost
    """The estimate of a recipe; `module:name` of a function (config, Workload) -> Cost, or a FaceCost."""
    output: Kind | None = None
    """What later stages can read from the run folder; None: only files for people or other programs."""
    common: tuple[str, ...] = ()
    """The settings that users change most; help shows them first."""
    needs: str = ""
    """A function config -> list[Lookup], which look up the weights that a run will load."""
    labels: str = ""
    """Of a stage that reads photos: a function config -> tuple[str, ...], the labels of the photos."""
    min_classes: int = 0
    """A recipe whose faces have fewer classes is refused before it starts."""
    parallel: bool = False
    """torchrun may start it as several processes; the function then finds them in `run.world`."""

    def load_function(self) -> Any:
        return load(self.function)

    def load_config(self) -> Any:
        return load(self.config)

    def load_cost(self) -> Callable[[Any, Workload], Cost]:
        return self.cost if isinstance(self.cost, FaceCost) else load(self.cost)

    def lookups(self, config: Any) -> list[Lookup]:
        return load(self.needs)(config) if self.needs else []

    def find_labels(self, config: Any) -> tuple[str, ...]:
        return load(self.labels)(config)


def load(place: str) -> Any:
    """The function or class that `module:name` stands for."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f"anonderm.{module}"), name)
