"""Seeds, style layers and truncation as people write them on the command line and in recipes.

    seeds         "0-15,20,33-40"
    layers        "0-5", "9" or "all"
    psi by layer  ("0-5=0.5", "6-13=0.9")

Style layer 0 is that of 4 px, 1 and 2 of 8 px, 3 and 4 of 16 px, and so on; the last one colours the image.
Imports no torch.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from anonderm.core.config import check
from anonderm.core.errors import ConfigError

_LAST_SEED = 2**32 - 1  # the largest that numpy's RandomState takes
_MOST_SEEDS = 10_000_000
_LAST_LAYER = 63  # more than any generator has
_RANGE = re.compile(r"(\d{1,20})(?:-(\d{1,20}))?", re.ASCII)


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds in the order written; both ends of a range belong to it.

    Raises ConfigError for what is no list of ranges, and for a seed that is listed twice or too large.
    """
    where, hint = f"seeds {text!r}", "Write 0-15, or 0-15,20,33-40."
    ranges = [_range(part, _LAST_SEED, where, hint) for part in text.split(",")]
    check(sum(map(len, ranges)) <= _MOST_SEEDS, f"{where}: more than {_MOST_SEEDS:,}.")
    seeds = tuple(itertools.chain(*ranges))
    twice = [one for one, following in itertools.pairwise(sorted(seeds)) if one == following]
    if twice:
        raise ConfigError(f"{where}: {twice[0]} is listed twice.", hint)
    return seeds


def parse_layers(text: str) -> range | None:
    """The style layers of one range; None for `all`. Raises ConfigError."""
    if text == "all":
        return None
    return _range(text, _LAST_LAYER, f"layers {text!r}", "Write 0-5 for the layers 0 to 5, or all.")


def layers_of(text: str, count: int) -> range:
    """The style layers of one range, in a generator that has `count`. Raises ConfigError."""
    layers = parse_layers(text)
    if layers is None:
        return range(count)
    _refuse_beyond(layers, count, f"layers {text!r}")
    return layers


def parse_psi_layers(texts: Sequence[str]) -> list[tuple[range, float]]:
    """Truncation by range of layers. Raises ConfigError, also where two ranges share a layer."""
    found = [_psi_of_range(text) for text in texts]
    listed = [layer for layers, _ in found for layer in layers]
    check(len(set(listed)) == len(listed), f"psi_layers {' '.join(texts)}: two ranges share a layer.")
    return found


def _psi_of_range(text: str) -> tuple[range, float]:
    where, hint = f"psi_layers {text!r}", "Write 0-5=0.5 for psi 0.5 in the style layers 0 to 5."
    layers, _, number = text.partition("=")
    try:
        psi = float(number)
    except ValueError as error:
        raise ConfigError(f"{where}: not of the form LAYERS=PSI.", hint) from error
    check_psi(psi)
    return _range(layers, _LAST_LAYER, where, hint), psi


def psi_by_layer(psi: float, psi_layers: Sequence[str], count: int) -> tuple[float, ...]:
    """One psi for each of `count` style layers. Raises ConfigError for a layer that does not exist."""
    values = [psi] * count
    for layers, own in parse_psi_layers(psi_layers):
        _refuse_beyond(layers, count, "psi_layers")
        for layer in layers:
            values[layer] = own
    return tuple(values)


def check_psi(psi: float) -> None:
    """Raise ConfigError for a truncation that gives no faces."""
    check(-1 <= psi <= 2, f"psi = {psi:g} is out of range.", "Useful values lie in 0.5..1.")


def _range(text: str, largest: int, where: str, hint: str) -> range:
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"{where}: {text!r} is neither a number nor a range.", hint)
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise ConfigError(f"{where}: {text!r} runs backwards.", hint)
    if last > largest:
        raise ConfigError(f"{where}: {last} is larger than {largest}.", hint)
    return range(first, last + 1)


def _refuse_beyond(layers: range, count: int, where: str) -> None:
    if layers[-1] >= count:
        raise ConfigError(
            f"{where}: no layer {layers[-1]} in this generator.", f"It has the style layers 0-{count - 1}."
        )
