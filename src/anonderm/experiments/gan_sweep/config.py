"""Settings of a sweep: those of one training, and which of them take several values. Imports no torch."""

import dataclasses
import itertools
import re
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Le

from anonderm.core.config import check, from_dict, inherited_settings
from anonderm.core.cost import Cost, Workload
from anonderm.core.errors import ConfigError
from anonderm.core.results.sweep import shown
from anonderm.gan.config import TrainGanConfig
from anonderm.gan.planning import train_gan_cost

# Trainings that differ in these cannot be compared.
_FIXED = ("metric_faces", "metric_extractor", "label")
_OWN = ("sweep", "jobs")


@dataclass(frozen=True, slots=True)
class SweepGanConfig(TrainGanConfig):
    """Train with every combination of some settings, and keep the best."""

    sweep: tuple[str, ...] = ()
    """Settings and their values, as `r1_gamma=2,10 freeze_d=0,4,10`; none means unset."""
    jobs: Annotated[int, Ge(1), Le(256)] = 1
    """Trainings that run in parallel; they share the CPU cores, or have a GPU each while there are enough."""

    def __post_init__(self) -> None:
        TrainGanConfig.__post_init__(self)
        check(len(self.sweep) > 0, "a sweep needs settings.", "Give for instance --sweep r1_gamma=2,10.")
        compared = self.metric_faces > 0
        check(compared, "a sweep compares trainings by the metric faces.", "Remove metric_faces = 0.")
        configurations(self)


@dataclass(frozen=True)
class Configuration:
    """One training of a sweep: the values that it changes, and all of its settings."""

    name: str
    values: dict[str, Any]
    config: TrainGanConfig

    def __str__(self) -> str:
        return " ".join(f"{key}={shown(value)}" for key, value in self.values.items())


def axes(sweep: SweepGanConfig) -> dict[str, list[Any]]:
    """The values of each setting, of the setting's type, in the given order.

    Raises ConfigError for an unknown setting, and for a value that is not allowed or repeated.
    """
    found: dict[str, list[Any]] = {}
    for text in sweep.sweep:
        key, equals, values = text.partition("=")
        where = f"--sweep {text}"
        check(
            bool(equals and values),
            f"{where}: must have the form setting=value,value.",
            "As in --sweep r1_gamma=2,10 freeze_d=0,4.",
        )
        key = key.replace("-", "_")
        check(
            key not in found,
            f"{where}: {key} is given twice.",
            "Give all values of a setting at once, as in r1_gamma=2,10.",
        )
        fixed = key in _FIXED or key in _OWN
        check(
            not fixed,
            f"{where}: {key} must be the same in all trainings of a sweep.",
            "Give it as a flag of its own.",
        )
        found[key] = [_value(key, each.strip(), where) for each in values.split(",")]
        check(
            len(set(found[key])) == len(found[key]), f"{where}: a value is repeated.", "Give each value once."
        )
    return found


def _value(key: str, text: str, where: str) -> Any:
    """Checked on its own, with every other setting at its default."""
    try:
        return getattr(from_dict(TrainGanConfig, {key: text}, where), key)
    except ConfigError:
        if text == "none":
            return getattr(from_dict(TrainGanConfig, {key: None}, where), key)
        raise


def configurations(sweep: SweepGanConfig) -> list[Configuration]:
    """All combinations. Raises ConfigError, naming a combination that is not allowed."""
    shared, lists = inherited_settings(TrainGanConfig, sweep), axes(sweep)
    found = []
    for number, values in enumerate(itertools.product(*lists.values()), 1):
        changed = dict(zip(lists, values, strict=True))
        text = "-".join(f"{key}={shown(value)}" for key, value in changed.items())
        try:
            config = dataclasses.replace(shared, **changed)
        except ConfigError as error:
            raise ConfigError(f"--sweep, at {text}: {error.message}", error.hint) from error
        found.append(Configuration(f"{number:02d}-{re.sub(r'[^A-Za-z0-9._=-]', '_', text)}", changed, config))
    return found


def sweep_gan_cost(config: SweepGanConfig, work: Workload) -> Cost:
    return train_gan_cost(config, work, len(configurations(config)))
