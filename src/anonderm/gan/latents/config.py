"""Settings of the latent tools. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from anonderm.core.config import check
from anonderm.models.stylegan2.projection_settings import ProjectionSettings
from anonderm.models.stylegan2.range_options import check_psi, parse_layers, parse_psi_layers, parse_seeds


@dataclass(frozen=True, slots=True)
class MixConfig:
    """Mix styles: each row's face takes some layers from each column's face, on one labelled sheet.

    Coarse layers (4 to 8 px) carry pose and shape, middle ones (16 to 32 px) the features, fine ones colour.
    """

    rows: str = "0-5"
    """Seeds of the faces that keep the other layers, as ranges: 0-5,20."""
    columns: str = "10-15"
    """Seeds of the faces that the chosen layers come from."""
    layers: str = "0-3"
    """The style layers to take from the columns: a range such as 0-3. Layer 0 is that of 4 px, 1 and 2 of
    8 px, 3 and 4 of 16 px, and so on."""
    psi: float = 0.7
    """Truncation: 1 keeps all variety, 0 gives the average face."""
    psi_layers: tuple[str, ...] = ()
    """Another psi for ranges of style layers, such as 0-5=0.5."""
    label: str | None = None
    """The class to draw, for a generator that knows classes."""

    def __post_init__(self) -> None:
        parse_seeds(self.rows)
        parse_seeds(self.columns)
        parse_layers(self.layers)
        check_psi(self.psi)
        parse_psi_layers(self.psi_layers)


@dataclass(frozen=True, slots=True)
class InterpolateConfig:
    """Film the way from face to face: a smooth closed curve through the w of the seeds, as video.mp4."""

    seeds: str = "0-5"
    """The faces to pass through, in this order and back to the first, as ranges: 0-5,20."""
    frames: int = 60
    """Frames from one seed to the next."""
    fps: int = 30
    """Frames a second."""
    psi: float = 0.7
    """Truncation: 1 keeps all variety, 0 gives the average face."""
    psi_layers: tuple[str, ...] = ()
    """Another psi for ranges of style layers, such as 0-5=0.5."""
    label: str | None = None
    """The class to draw, for a generator that knows classes."""

    def __post_init__(self) -> None:
        check(len(parse_seeds(self.seeds)) >= 2, f"seeds {self.seeds!r}: a way needs two seeds or more.")
        check(1 <= self.frames <= 10_000, f"frames = {self.frames} must lie in 1..10000.")
        check(1 <= self.fps <= 240, f"fps = {self.fps} must lie in 1..240.")
        check_psi(self.psi)
        parse_psi_layers(self.psi_layers)


@dataclass(frozen=True, slots=True)
class ProjectConfig(ProjectionSettings):
    """Find, for each image, the w whose face comes nearest to it (Karras et al. 2020, StyleGAN2, appendix D).

    Writes projections.safetensors (w, distance), the reconstructions as faces, and sheet.png: image and
    reconstruction side by side. Distances can be compared within one generator, --distance and --steps.
    """

    batch: int = 16
    """Images optimised at a time; work is saved after each such batch."""
    label: str | None = None
    """The class whose w to start from, for a generator that knows classes."""

    def __post_init__(self) -> None:
        ProjectionSettings.__post_init__(self)
        check(self.batch >= 1, f"batch = {self.batch} must be at least 1.")


@dataclass(frozen=True, slots=True)
class SefaConfig:
    """Find the directions of w that change a face most, from the weights alone (SeFa, Shen & Zhou 2021).

    Writes directions.safetensors and sheet.png: faces moved along each direction.
    """

    layers: str = "all"
    """The style layers to analyse and to move: a range such as 0-3, or all. Layer 0 is that of 4 px, 1 and 2
    of 8 px, 3 and 4 of 16 px, and so on."""
    directions: int = 5
    """How many, strongest first."""
    alpha: float = 2.0
    """How far to move, either way, in standard deviations of w along the direction."""
    columns: int = 7
    """Faces in a row of the sheet, from -alpha to +alpha."""
    seeds: str = "0-2"
    """The faces to move, as ranges: 0-5,20."""
    psi: float = 0.7
    """Truncation before the move."""
    label: str | None = None
    """The class to draw, for a generator that knows classes."""

    def __post_init__(self) -> None:
        check(self.directions >= 1, f"directions = {self.directions} must be at least 1.")
        _check_sheet(self)


@dataclass(frozen=True, slots=True)
class ClassDirectionsConfig:
    """Find the directions of w that lead from one class to the others: differences of the classes' mean w.

    The classes come from a generator that knows them; from one generator a class, all trained from one base;
    or from graded faces that one generator made (--faces). Writes directions.safetensors and sheet.png.
    """

    origin: str | None = None
    """The class to start from; not named: the mildest."""
    samples: int = 10_000
    """Latents drawn for each class's mean; without effect with --faces."""
    layers: str = "all"
    """The style layers to move: a range such as 0-3, or all."""
    alpha: float = 1.5
    """How far to move, either way; 1 is the whole way from class to class."""
    columns: int = 7
    """Faces in a row of the sheet, from -alpha to +alpha."""
    seeds: str = "0-2"
    """The faces to move, as ranges: 0-5,20."""
    psi: float = 0.7
    """Truncation before the move."""

    def __post_init__(self) -> None:
        check(self.samples >= 2, f"samples = {self.samples} must be at least 2.")
        _check_sheet(self)


def _check_sheet(config: SefaConfig | ClassDirectionsConfig) -> None:
    alpha, columns = config.alpha, config.columns
    check(0 < alpha < math.inf, f"alpha = {alpha:g} must be positive and finite.")
    check(
        columns >= 3 and columns % 2 == 1, f"columns = {columns}: an odd number from 3, for the face itself."
    )
    parse_layers(config.layers)
    parse_seeds(config.seeds)
    check_psi(config.psi)
