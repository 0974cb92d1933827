"""The restorer that is asked for by name, and the points of faces that it may use."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from anonderm.core import weights
from anonderm.core.errors import InputError, MissingPath
from anonderm.core.files import sha256_file
from anonderm.models.restorers.restorer import Lanczos, Points, Restorer

_HEADER = ("id", *(f"{axis}{number}" for number in range(68) for axis in "xy"))


def open_restorer(name: str, weights_name: str | None) -> tuple[Restorer, str]:
    """The restorer (lanczos, spandrel or dfdnet), and its name in the manifest: with the first digits of its
    weights' sha256.

    weights_name: registered weights, or a path; None: those registered under the restorer's name.

    Raises MissingWeights, MissingPath, MissingExtra, or what reading the weights does.
    """
    if name == "lanczos":
        return Lanczos(), Lanczos().name
    path = weights.find(weights_name or name)
    restorer: Restorer
    if name == "dfdnet":
        from anonderm.models.restorers.dfdnet.load import WEIGHTS
        from anonderm.models.restorers.dfdnet.restorer import DfdnetRestorer

        restorer, file = DfdnetRestorer(path), path / WEIGHTS
    else:
        from anonderm.models.restorers.spandrel_restorer import PublishedRestorer

        restorer, file = PublishedRestorer(path), path
    return restorer, f"{restorer.name} {sha256_file(file)[:8]}"


def read_points(path: Path) -> dict[str, Points]:
    """The 68 points of faces, float64 [68, 2] by id, from a CSV file. Raises MissingPath or InputError."""
    if not path.is_file():
        raise MissingPath(f"{path}: no such file.")
    try:
        header, *rows = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
        if tuple(header) != _HEADER:
            raise ValueError("its first line is not id,x0,y0,...,x67,y67")
        points = {row[0]: np.array([float(each) for each in row[1:]]).reshape(68, 2) for row in rows if row}
    except ValueError as error:
        raise InputError(f"{path}: not a table of 68 points a face ({error}).") from error
    for id, points_682 in points.items():
        if not np.isfinite(points_682).all():
            raise InputError(f"{path}: the points of {id} are not all numbers.")
    return points
