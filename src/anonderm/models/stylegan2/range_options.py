"""Seeds, style layers and truncation as written on the command line and in recipes.

    seeds         "0-15,20,33-40"
    layers        "0-5", "9" or "all"
    psi by layer  ("0-5=0.5", "6-13=0.9")

Style layer 0 has 4 px, 1 and 2 have 8 px, 3 and 4 have 16 px, and so on; the last one is that of the colours.
Imports no torch.
"""

import itertools
import re
from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Le

from anonderm.core.config import check
from anonderm.core.errors import ConfigError

Psi = Annotated[float, Ge(-1), Le(2)]
"""Truncation; useful values are 0.5 to 1."""

_MAX_SEED = 2**32 - 1  # of numpy's RandomState
_MAX_SEEDS = 10_000_000
_MAX_LAYER = 63  # more than any generator has
_RANGE = re.compile(r"(\d{1,20})(?:-(\d{1,20}))?", re.ASCII)


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds in the order written; ranges include both ends.

    Raises ConfigError for text that is not a list of ranges, and for a seed that is listed twice or too
    large.
    """
    where, hint = f"seeds {text!r}", "Write 0-15, or 0-15,20,33-40."
    ranges = [_range(part, _MAX_SEED, where, hint) for part in text.split(",")]
    check(sum(map(len, ranges)) <= _MAX_SEEDS, f"{where}: more than {_MAX_SEEDS:,}.", hint)
    seeds = tuple(itertools.chain(*ranges))
    twice = [one for one, following in itertools.pairwise(sorted(seeds)) if one == following]
    if twice:
        raise ConfigError(f"{where}: {twice[0]} is listed twice.", hint)
    return seeds


def parse_layers(text: str, count: int = _MAX_LAYER + 1) -> range:
    """The style layers of a range, for a generator with `count` layers. Raises ConfigError."""
    if text == "all":
        return range(count)
    layers = _range(text, _MAX_LAYER, f"layers {text!r}", "Write 0-5 for the layers 0 to 5, or all.")
    _check_layers(layers, count, f"layers {text!r}")
    return layers


def parse_psi_layers(texts: Sequence[str]) -> list[tuple[range, float]]:
    """Psi by range of layers. Raises ConfigError, also if two ranges overlap."""
    found = [_psi_of_range(text) for text in texts]
    listed = [layer for layers, _ in found for layer in layers]
    check(
        len(set(listed)) == len(listed),
        f"psi_layers {' '.join(texts)}: two ranges overlap.",
        "Give each layer one psi, as in --psi-layers 0-3=0.5 4-9=0.8.",
    )
    return found


def _psi_of_range(text: str) -> tuple[range, float]:
    where, hint = f"psi_layers {text!r}", "Write 0-5=0.5 for psi 0.5 in the style layers 0 to 5."
    layers, _, number = text.partition("=")
    try:
        psi = float(number)
    except ValueError as error:
        raise ConfigError(f"{where}: not of the form LAYERS=PSI.", hint) from error
    check(-1 <= psi <= 2, f"{where}: psi = {psi:g} must be from -1 to 2.", "Useful values are 0.5 to 1.")
    return _range(layers, _MAX_LAYER, where, hint), psi


def psi_by_layer(psi: float, psi_layers: Sequence[str], count: int) -> tuple[float, ...]:
    """The psi of each of `count` style layers. Raises ConfigError for a layer that does not exist."""
    values = [psi] * count
    for layers, own in parse_psi_layers(psi_layers):
        _check_layers(layers, count, "psi_layers")
        for layer in layers:
            values[layer] = own
    return tuple(values)


def _range(text: str, largest: int, where: str, hint: str) -> range:
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"{where}: {text!r} is neither a number nor a range.", hint)
    first, last = int(found[1]), int(found[2] or found[1])
    check(first <= last, f"{where}: {text!r} runs backwards.", hint)
    check(last <= largest, f"{where}: {last} is larger than {largest}.", hint)
    return range(first, last + 1)


def _check_layers(layers: range, count: int, where: str) -> None:
    if layers[-1] >= count:
        raise ConfigError(
            f"{where}: no layer {layers[-1]} in this generator.", f"It has the style layers 0-{count - 1}."
        )
