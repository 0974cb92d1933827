"""Opening an artefact by its path, by the run folder that made it, or by the name of shipped weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from anonderm.core import weights
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import MissingPath
from anonderm.core.faceset import MANIFEST, FaceSet
from anonderm.core.image_folder import pictures
from anonderm.core.results import base as results
from anonderm.core.results.base import Result, load_result
from anonderm.core.rundir import RunRecord
from anonderm.stages.stage import Kind

Artefact = FaceSet | Checkpoint | Result | RunRecord
Reference = str | Path | FaceSet | Checkpoint


def open_artefact(kind: Kind, reference: Reference) -> Artefact:
    """An artefact by its path, by the run folder that made it, or for shipped weights by their name.

    One in memory is returned as it is. Raises MissingPath or BrokenArtefact.
    """
    if isinstance(reference, FaceSet | Checkpoint):
        return reference
    path = Path(reference)
    if kind == "checkpoint" and str(reference) in weights.SHIPPED:
        return weights.load(str(reference))
    if not path.exists():
        known = f", or shipped weights: {', '.join(weights.SHIPPED)}" if kind == "checkpoint" else ""
        raise MissingPath(f"{path}: no such file or folder.", f"Give {_WANTED[kind]}{known}.")
    if kind == "run":
        return RunRecord.load(path)
    if kind == "images" and not any((path / name).exists() for name in ("run.json", MANIFEST)):
        return pictures(path)
    if (path / "run.json").exists():
        path = _in_run(path, kind)
    elif path.is_dir() and _OUTPUT[kind] != "faces":
        path = path / _OUTPUT[kind]
    return _LOAD[kind](path)


_WANTED: dict[Kind, str] = {
    "faces": "a FaceSet, or the run folder that made one",
    "images": "an image, a folder of images, a FaceSet, or the run folder that made one",
    "checkpoint": "a .safetensors file with its .json card, or the run folder that made one",
    "result": "a file of results, or the run folder that made one",
    "run": "a run folder",
}
_OUTPUT: dict[Kind, str] = {
    "faces": "faces",
    "images": "faces",
    "checkpoint": "checkpoint.safetensors",
    "result": results.FILE,
}
_LOAD: dict[Kind, Callable[[Path], Artefact]] = {
    "faces": FaceSet.load,
    "images": FaceSet.load,
    "checkpoint": Checkpoint.load,
    "result": load_result,
}


def _in_run(folder: Path, kind: Kind) -> Path:
    """Where a finished run keeps its artefact of this kind."""
    record, hint = RunRecord.load(folder), f"Give {_WANTED[kind]}."
    if not record.done:
        raise MissingPath(f"{folder}: this run is not finished.", "Run its command again to finish it.")
    if not (folder / _OUTPUT[kind]).exists():
        raise MissingPath(f"{folder}: no {_OUTPUT[kind]} in this run of {record.stage}.", hint)
    return folder / _OUTPUT[kind]
