"""RunDir: the self-describing, resumable folder of one run of a stage.

run.json          stage, inputs with digests, seed, versions, machine, outputs with sha256, times, status
config.toml       the effective settings, including all defaults
log.txt           the log messages
metrics.jsonl     one row of numbers per tick
remembered.jsonl  during the run: key and value of each completed piece of work (JSON, arrays as base64)
"""

from __future__ import annotations

import json
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from anonderm.core import config as configuration
from anonderm.core import launch, progress
from anonderm.core.distributed import SINGLE
from anonderm.core.documents import read_json, read_toml
from anonderm.core.errors import (
    BrokenArtefact,
    ConfigChanged,
    ConfigError,
    InputError,
    ReleaseRefused,
    RunBusy,
)
from anonderm.core.files import (
    append_line,
    read_json_lines,
    remove_leftovers,
    sha256_file,
    storage_errors,
    write_json,
    write_text,
)

REMEMBERED = "remembered.jsonl"


class Memory:
    """The pieces of work of one run folder, by key."""

    def __init__(self, folder: Path, file: str = REMEMBERED) -> None:
        self._path = folder / file

    @cached_property
    def _known(self) -> dict[str, Any]:
        return {row["key"]: row["value"] for row in read_json_lines(self._path, ("key", "value"))}

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Any:
        return _decoded(self._known[key])

    def remember(self, key: str, make: Callable[[], Any]) -> Any:
        """The result of `make`, or its stored result for this key: JSON values and numpy arrays, nested.

        Values are always returned as read from JSON, with tuples as lists. Raises StorageError.
        """
        if key not in self._known:
            text = json.dumps({"key": key, "value": make()}, default=_encoded, ensure_ascii=False)
            append_line(self._path, text)
            self._known[key] = json.loads(text)["value"]
        return self[key]

    def forget(self) -> None:
        """Delete the file, which a finished run does not need."""
        self._path.unlink(missing_ok=True)


def _encoded(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        data = b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": data, "dtype": value.dtype.str, "shape": list(value.shape)}
    raise TypeError(f"{type(value).__name__} cannot be remembered")


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"array", "dtype", "shape"}:
            flat = np.frombuffer(b64decode(value["array"]), np.dtype(value["dtype"]))
            return flat.reshape(value["shape"]).copy()
        return {name: _decoded(each) for name, each in value.items()}
    return [_decoded(each) for each in value] if isinstance(value, list) else value


T = TypeVar("T")

_RECORDED: dict[str, type | tuple[type, ...]] = {
    "stage": str,
    "status": str,
    "inputs": dict,
    "outputs": dict,
    "seconds": (int, float),
    "started": str,
}


@dataclass(frozen=True)
class RunRecord:
    """The record of a run, as the report and later stages read it."""

    folder: Path
    content: dict[str, Any]

    @staticmethod
    def load(folder: Path) -> RunRecord:
        """Raises MissingPath or BrokenArtefact."""
        path = folder / "run.json"
        content = read_json(path)
        if not isinstance(content, dict) or not _is_record(content):
            raise BrokenArtefact(
                f"{path}: not the record of a run.",
                f"Restore it, or delete {folder} and start over.",
            )
        return RunRecord(folder, content)

    @property
    def name(self) -> str:
        """The name of the step, which is that of its folder."""
        return self.folder.name

    @property
    def stage(self) -> str:
        return str(self.content["stage"])

    @property
    def done(self) -> bool:
        return bool(self.content["status"] == "done")

    @property
    def config(self) -> dict[str, Any]:
        """The settings. Raises BrokenArtefact."""
        path = self.folder / "config.toml"
        try:
            return read_toml(path)
        except InputError as error:
            raise BrokenArtefact(
                f"{path}: not the settings of a run ({error.message}).",
                f"Restore it, or delete {self.folder} and start over.",
            ) from error

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return read_json_lines(self.folder / "metrics.jsonl", ("step",))

    def verify(self) -> None:
        """Raise BrokenArtefact if an output is missing or was changed."""
        for file, digest in self.content["outputs"].items():
            path = self.folder / file
            if not path.is_file() or sha256_file(path) != digest:
                state = f"was changed (it had sha256 {digest[:12]}...)" if path.is_file() else "is missing"
                hint = f"Restore it; or delete {self.folder} and run its command again."
                raise BrokenArtefact(f"{path}: this output of a finished run {state}.", hint)


def _is_record(content: dict[str, Any]) -> bool:
    outputs = content.get("outputs")
    kinds = all(isinstance(content.get(name), kind) for name, kind in _RECORDED.items())
    if not (kinds and isinstance(outputs, dict) and all(isinstance(each, str) for each in outputs.values())):
        return False
    return not any(Path(name).is_absolute() or ".." in Path(name).parts for name in outputs)


class RunDir:
    """The folder of a run in progress. `inputs` maps the name of each input to its digest."""

    def __init__(self, folder: Path, stage: str, config: Any, inputs: dict[str, Any]) -> None:
        self.folder = folder
        self._content: dict[str, Any] = {"stage": stage, "status": "running", "inputs": inputs, "outputs": {}}
        self._config = config
        self.memory = Memory(folder)
        """Completed pieces of work; deleted when the run is finished."""
        self.world = SINGLE
        """The processes of this run."""
        self.finished: RunRecord | None = None
        """The record of a run that is already complete; there is nothing left to do."""

    @staticmethod
    @contextmanager
    def open(folder: Path, stage: str, config: Any, inputs: dict[str, Any]) -> Iterator[RunDir]:
        """Start or resume a run; only one process at a time can hold a folder.

        Raises ConfigChanged if the folder has other settings or inputs, and RunBusy.
        """
        run = RunDir(folder, stage, config, inputs)
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            run._resume_or_start()
            try:
                yield run
            except BaseException as error:
                if run.finished is None:
                    status = {KeyboardInterrupt: "interrupted", ReleaseRefused: "refused"}
                    run._stop(status.get(type(error), "failed"), str(error))
                raise

    def _resume_or_start(self) -> None:
        record = self._earlier_run()
        if record is not None:
            self._refuse_changes(record)
            if record.done:
                self.finished = record
                return
            remove_leftovers(self.folder)
            self._content["seconds"] = record.content.get("seconds", 0.0)
            self._content["started"] = record.content["started"]
        else:
            self._refuse_foreign_folder()
            self._content |= {"seconds": 0.0, "started": _now()}
            write_text(self.folder / "config.toml", configuration.to_toml(self._config))
        self._content |= {
            "seed": getattr(self._config, "seed", None),
            "versions": launch.versions(),
            "machine": launch.machine(),
        }
        self._clock = time.monotonic()
        self._write()

    def _earlier_run(self) -> RunRecord | None:
        """The run in this folder; one that failed before it wrote any output does not count."""
        if not (self.folder / "run.json").exists():
            return None
        record = RunRecord.load(self.folder)
        undone = record.content["status"] in ("failed", "refused")
        return record if not undone or self._output_names() else None

    def _output_names(self) -> list[str]:
        own = {"run.json", "config.toml", "log.txt"}
        return sorted(p.name for p in self.folder.iterdir() if p.name not in own and p.name[0] != ".")

    def _refuse_foreign_folder(self) -> None:
        foreign = self._output_names()
        if foreign:
            raise ConfigError(
                f"{self.folder}: not empty and not a run folder (it holds {foreign[0]}).",
                "Choose another --out.",
            )

    def _refuse_changes(self, record: RunRecord) -> None:
        if record.stage != self._content["stage"]:
            changes = [f"stage: {record.stage} -> {self._content['stage']}"]
        else:
            changes = configuration.differences(record.config, configuration.to_dict(self._config))
            changes += [
                f"input {line}"
                for line in configuration.differences(record.content["inputs"], self._content["inputs"])
            ]
        if changes:
            listed = "\n    ".join(changes)
            raise ConfigChanged(
                f"{self.folder}: this run has other settings:\n    {listed}",
                "Choose another --out, delete this folder to start over, or use the old settings.",
            )

    def remember(self, key: str, make: Callable[[], Any]) -> Any:
        """The result of `make`, computed once even if the run is interrupted: JSON values, numpy arrays."""
        return self.memory.remember(key, make)

    def finish(self, outputs: Iterable[Path]) -> None:
        """Mark the run done, with the sha256 of each output file."""
        self.memory.forget()
        self._content["outputs"] = {
            str(path.relative_to(self.folder)): sha256_file(path) for path in sorted(outputs)
        }
        self._stop("done")

    def _stop(self, status: str, error: str = "") -> None:
        self._content["status"] = status
        self._content["seconds"] += round(time.monotonic() - self._clock, 3)
        self._content["finished"] = _now()
        if error:
            self._content["error"] = error
        self._write()

    def _write(self) -> None:
        write_json(self.folder / "run.json", self._content)

    def log(self, text: str) -> None:
        """Print a message to stderr and append it to log.txt."""
        print(f"  {text}", file=sys.stderr, flush=True)
        append_line(self.folder / "log.txt", f"{_now()} {text}")

    def bar(
        self, description: str, total: float | None, done: float = 0
    ) -> AbstractContextManager[progress.Bar]:
        """A progress bar: `with run.bar("training", kimg) as bar: bar.advance(0.016, note="p 0.12")`."""
        return progress.bar(description, total, done)

    def progress(self, items: Iterable[T], description: str) -> Iterator[T]:
        """Iterate over `items` with a progress bar."""
        with self.bar(description, len(items) if isinstance(items, Sized) else None) as shown:
            for item in items:
                yield item
                shown.advance()

    def metrics(self, step: float, **numbers: float | None) -> None:
        """Append one row of numbers to metrics.jsonl."""
        append_line(self.folder / "metrics.jsonl", json.dumps({"step": step, **numbers}, allow_nan=False))

    def rewind_metrics(self, step: float) -> None:
        """Remove the rows after `step`, which a resumed run writes again."""
        rows = read_json_lines(self.folder / "metrics.jsonl", ("step",))
        rows = [row for row in rows if row["step"] <= step]
        write_text(self.folder / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock file of the folder; the system releases it however the process ends."""
    import fcntl

    with storage_errors(folder):
        file = (folder / ".lock").open("a")
    with file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunBusy(
                f"{folder}: another process is using this run folder.",
                "Wait for it, or choose another --out.",
            ) from error
        yield


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
