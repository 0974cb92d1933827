"""Opening a restorer by name, and reading the landmarks of faces for it."""

import csv
from pathlib import Path

import numpy as np

from anonderm.core import weights
from anonderm.core.errors import InputError, MissingPath
from anonderm.core.files import read_csv, sha256_file
from anonderm.models.restorers.restorer import Lanczos, Points, Restorer

_HEADER = ("id", *(f"{axis}{number}" for number in range(68) for axis in "xy"))


def open_restorer(name: str, weights_name: str | None) -> tuple[Restorer, str]:
    """The restorer (lanczos, spandrel or dfdnet), and its name in the manifest, which includes the first
    digits of its weights' sha256.

    weights_name: registered weights, or a path; None: those registered under the restorer's name.

    Raises MissingWeights, MissingPath, MissingExtra, or what reading the weights does.
    """
    if name == "lanczos":
        return Lanczos(), Lanczos().name
    path = weights.find(weights_name or name)
    restorer: Restorer
    if name == "dfdnet":
        from anonderm.models.restorers.dfdnet.restorer import WEIGHTS, DfdnetRestorer

        restorer, file = DfdnetRestorer(path), path / WEIGHTS
    else:
        from anonderm.models.restorers.spandrel_restorer import SpandrelRestorer

        restorer, file = SpandrelRestorer(path), path
    return restorer, f"{restorer.name} {sha256_file(file)[:8]}"


def read_points(path: Path) -> dict[str, Points]:
    """The landmarks of faces, float64 [68, 2] by id, from CSV. Raises MissingPath or InputError."""
    try:
        rows = read_csv(path)
        if not rows or any(tuple(row) != _HEADER for row in rows):
            raise ValueError("its columns are not id,x0,y0,...,x67,y67")
        points = {
            row["id"]: np.array([float(row[name]) for name in _HEADER[1:]]).reshape(68, 2) for row in rows
        }
    except FileNotFoundError as error:
        raise MissingPath(f"{path}: no such file.", "Check the path.") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise InputError(
            f"{path}: not a table of 68 landmarks per face ({error}).",
            "Its columns must be id,x0,y0,...,x67,y67, in pixels of the face.",
        ) from error
    for id, points_682 in points.items():
        if not np.isfinite(points_682).all():
            raise InputError(f"{path}: the landmarks of {id} are not all finite.", "Mark this face again.")
    return points
