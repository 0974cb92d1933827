"""What the table of stages holds: a stage, and the artefacts that it reads."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["faces", "images", "checkpoint", "result", "run"]


@dataclass(frozen=True)
class Input:
    """An artefact that a stage reads; `many` takes one or more, `optional` may be left out.

    A `positional` one is given on the command line without a flag.
    """

    kind: Kind
    help: str
    many: bool = False
    optional: bool = False
    positional: bool = False


@dataclass(frozen=True)
class Stage:
    """`function` and `config` are written `module:name`, under the package anonderm.

    `parallel`: torchrun may start it as several processes; the function then finds them in `run.world`.
    """

    name: str
    help: str
    function: str
    config: str
    inputs: Mapping[str, Input] = field(default_factory=dict)
    parallel: bool = False

    def load_function(self) -> Any:
        return _load(self.function)

    def load_config(self) -> Any:
        return _load(self.config)


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f"anonderm.{module}"), name)
