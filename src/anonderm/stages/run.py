"""Running one stage: open the inputs, open the run folder, call the function."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anonderm.core import launch, weights
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.distributed import join
from anonderm.core.distributed_run import open_run
from anonderm.core.errors import BrokenArtefact, ConfigError, MissingPath
from anonderm.core.faceset import MANIFEST, FaceSet, pictures
from anonderm.core.results import base as results
from anonderm.core.results.base import Result, load_result
from anonderm.core.rundir import RunRecord
from anonderm.stages.stage import Kind, Stage

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
        record = RunRecord.load(path)
        if record.done:
            record.verify()
        return record
    if kind == "images" and not any((path / name).exists() for name in ("run.json", MANIFEST)):
        return pictures(path)
    if (path / "run.json").exists():
        path = _in_run(path, kind)
    elif path.is_dir() and _OUTPUT[kind] != "faces":
        path = path / _OUTPUT[kind]
    else:
        _verify_beside(path)
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
    record.verify()
    return folder / _OUTPUT[kind]


def _verify_beside(path: Path) -> None:
    """Compare an output that was given by its own path with the record of the run around it."""
    around = next((folder for folder in list(path.parents)[:2] if (folder / "run.json").exists()), None)
    if around and (record := RunRecord.load(around)).done:
        record.verify()


def run_stage(
    stage: Stage,
    config: Any,
    references: Mapping[str, Reference | tuple[Reference, ...] | None],
    out: Path,
) -> RunRecord:
    """Run one stage into the folder `out`: a finished run is skipped, an interrupted one resumed.

    Under torchrun every process calls this and gets the same record. Raises ConfigError for inputs that do
    not fit the stage, or if it cannot use several processes; and whatever open_run and the stage raise.
    """
    if not stage.parallel:
        launch.refuse_several_processes(stage.name)
    inputs = {name: _open_input(stage, name, references.get(name)) for name in stage.inputs}
    digests = {name: _digests(value) for name, value in inputs.items() if value is not None}
    with join() as world:
        with open_run(out, stage.name, config, digests, world) as run:
            if run.finished is None:
                result = stage.load_function()(config=config, run=run, **inputs)
                if world.is_main:
                    run.finish(_output_files(result, run.folder))
            elif world.is_main:
                run.finished.verify()
        record = RunRecord.load(out).content if world.is_main else None
        return RunRecord(out, world.broadcast_object(record))


def _open_input(
    stage: Stage, name: str, reference: Reference | tuple[Reference, ...] | None
) -> Artefact | tuple[Artefact, ...] | None:
    wanted = stage.inputs[name]
    given = reference if isinstance(reference, tuple) else () if reference is None else (reference,)
    if not given and not wanted.optional:
        raise ConfigError(f"{stage.name}: the input {name!r} is missing.", f"It is: {wanted.help}")
    if not wanted.many and len(given) > 1:
        raise ConfigError(f"{stage.name}: the input {name!r} takes one, not {len(given)}.", "Give one path.")
    opened = tuple(open_artefact(wanted.kind, each) for each in given)
    if wanted.many:
        return opened
    return opened[0] if opened else None


def _digests(value: Artefact | tuple[Artefact, ...]) -> Any:
    if isinstance(value, tuple):
        return [_digests(each) for each in value]
    if isinstance(value, FaceSet | Checkpoint):
        return value.digest
    content = value.content["outputs"] if isinstance(value, RunRecord) else dataclasses.asdict(value)
    return hashlib.sha256(json.dumps(content, default=str, sort_keys=True).encode()).hexdigest()


def _output_files(result: Any, folder: Path) -> list[Path]:
    match result:
        case FaceSet():
            rejected = folder / "rejected" / MANIFEST
            return [result.folder / MANIFEST, *([rejected] if rejected.exists() else [])]
        case Checkpoint():
            return [result.path, result.path.with_suffix(".json")]
        case Result():
            result.save(folder / results.FILE)
            return [folder / results.FILE]
        case Path():
            return [result]
        case list():
            return result
    raise BrokenArtefact(f"{folder}: the stage returned a {type(result).__name__}, which is not an artefact.")
