"""Settings of `restore`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le

from anonderm.core.config import Count, Settings, check, check_bounds


@dataclass(frozen=True)
class RestoreConfig(Settings):
    """Bring aligned faces to one size: larger ones by averaging, smaller ones with a restorer."""

    size: Annotated[int, Ge(8), Le(2048)] = 512
    """Side of the stored faces, in pixels."""

    restorer: Literal["lanczos", "spandrel", "dfdnet"] = "lanczos"
    """How small faces are enlarged: lanczos interpolates and adds no detail; spandrel runs published weights
    of GFPGAN, RestoreFormer, the ESRGAN family and others; dfdnet those of Li et al. 2020."""

    weights: str | None = None
    """Weights of the restorer: a file (for dfdnet, the folder that contains latest_net_G.pth) or a name
    listed by `anonderm weights list`. Default for dfdnet: the weights of that name."""

    points: Path | None = None
    """CSV file with the 68 landmarks of each face in pixels, one row per face: id,x0,y0,...,x67,y67. dfdnet
    uses them to locate eyes, nose and mouth; without them it uses their average positions."""

    batch: Count = 4
    """Number of faces that a restorer processes at once."""

    def __post_init__(self) -> None:
        check_bounds(self)
        check(
            self.weights is None or self.restorer != "lanczos",
            f"weights = {self.weights}: lanczos takes none.",
            "Add --restorer spandrel (or dfdnet).",
        )
        check(
            self.weights is not None or self.restorer != "spandrel",
            "restorer = spandrel: no weights given.",
            "Add --weights FILE, or a name listed by `anonderm weights list`, such as gfpgan.",
        )
        check(
            self.points is None or self.restorer == "dfdnet",
            f"points = {self.points}: only dfdnet uses landmarks.",
            "Remove --points.",
        )
