"""What `evaluate saliency` measures: how much of a Grad-CAM map lies on the lesions and on the skin."""

from __future__ import annotations

from dataclasses import dataclass

from anonderm.core.results.base import Result, Score


@dataclass(frozen=True, slots=True)
class MapMeasure:
    """A measure of the maps and its baselines, all shares.

    baseline: of a uniform map; skin_baseline: of a map that is uniform on the skin and zero elsewhere, None
    where no mask is known. above_...: the difference, map by map.
    """

    value: Score
    baseline: Score
    above_baseline: Score
    skin_baseline: Score | None
    above_skin_baseline: Score | None


@dataclass(frozen=True, slots=True)
class MapMeasures:
    """Of some maps. in_lesions: share of the heat inside lesion boxes; pointing: share of the maps whose
    maximum lies in a box or near it (pointing game); in_skin: share of the heat on the skin.

    A measure is None where no face has boxes, or a mask.
    """

    in_lesions: MapMeasure | None
    pointing: MapMeasure | None
    in_skin: MapMeasure | None


@dataclass(frozen=True)
class SaliencyResult(Result):
    """groups: `all`, and each class or lesion type that has maps."""

    kind = "saliency"

    backbone: str
    head: str
    weights: str | None
    """What the network was initialised with."""
    explain: str
    maps: int
    maps_without_heat: int
    n_people: int
    sheet: str | None
    """A picture of some maps, in the run folder."""
    groups: dict[str, MapMeasures]
