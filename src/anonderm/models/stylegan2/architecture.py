"""The shape of a generator and its discriminator. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

Precision = Literal["auto", "float32", "bfloat16"]

SMALLEST = 4


@dataclass(frozen=True, slots=True)
class Architecture:
    """Shape of a generator and its discriminator, as stored in the card of a checkpoint.

    Fields with a default may be missing in a card.
    """

    resolution: int
    channel_base: int
    channel_max: int
    z_dim: int
    w_dim: int
    mapping_layers: int
    deviation_group: int | None = 4
    """Group size of the minibatch standard deviation in D; None: the whole batch."""
    classes: tuple[str, ...] = ()
    label_layers: int | None = None
    """Layers of the label mapping in D; None: as many as in the mapping of the generator."""
    label_dim: int | None = None
    """Size of the mapped label in D; None: that of w. `label_size` is the effective size."""
    clamp: float | None = None
    """Features and colours are clamped to plus and minus this value (for mixed-precision training)."""

    @property
    def sizes(self) -> list[int]:
        """Image sizes of the blocks, smallest first."""
        return [2**power for power in range(int(math.log2(SMALLEST)), int(math.log2(self.resolution)) + 1)]

    @property
    def label_size(self) -> int:
        """Size of the mapped label in D."""
        return self.label_dim or self.w_dim

    def channels(self, size: int) -> int:
        """Feature maps at this image size."""
        return min(self.channel_base // size, self.channel_max)

    def to_card(self) -> dict[str, Any]:
        return {"network": "stylegan2", **asdict(self)}

    @staticmethod
    def from_card(values: dict[str, Any]) -> Architecture:
        """Raises TypeError or KeyError for a card of another network."""
        rest = {name: value for name, value in values.items() if name != "network"}
        if values["network"] != "stylegan2":
            raise TypeError(f"network {values['network']!r}")
        arch = Architecture(**{**rest, "classes": tuple(rest["classes"])})
        wrong = [name for name, value in rest.items() if name != "classes" and not _fits(name, value)]
        if wrong:
            raise TypeError(f"{wrong[0]} = {rest[wrong[0]]!r}")
        return arch


# No network is larger; a card with more would take all memory before its weights are found not to fit.
_WIDEST = 8192
_MOST = {"resolution": 2048, "channel_base": 1 << 20, "mapping_layers": 64, "label_layers": 64}


def _fits(name: str, value: object) -> bool:
    if value is None:
        return name in ("deviation_group", "label_layers", "label_dim", "clamp")
    if name == "clamp":
        return isinstance(value, int | float) and value > 0
    if isinstance(value, bool) or not isinstance(value, int):
        return False
    return (0 if name == "label_layers" else 1) <= value <= _MOST.get(name, _WIDEST)
