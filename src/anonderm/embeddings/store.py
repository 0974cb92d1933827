"""Embeddings on disk, one row a picture, shared by all sets, splits and runs that contain the picture.

    embeddings/<extractor>-<digest>-<version>/<random>.npz   the keys and rows of some pictures, in the folder
                                                             ANONDERM_CACHE or the user's cache folder

A key is the sha256 of the picture, and whether it was mirrored. Shards are written atomically under new names
and never changed, so that processes need no locks. A damaged shard is removed and its rows are computed
again. The folder can be deleted at any time; beyond 10 GB, the shards unused for longest are deleted. It
holds biometric data where the pictures show people, so only the user may read it.
"""

# N pictures, B pictures of a batch

import logging
import os
import secrets
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from anonderm import __version__
from anonderm.core.errors import StorageError
from anonderm.core.files import atomic_path
from anonderm.core.parallel import in_processes
from anonderm.core.progress import Bar

Row = NDArray[np.float32]
T = TypeVar("T")

MAX_BYTES = 10 * 2**30
_SHARD_ROWS, _SHARD_SECONDS = 256, 30.0  # a shard is written after so many pictures, or so long
_FEW = 16  # pictures for which starting more processes is not worth it

_DAMAGED = (ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error)

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """ANONDERM_CACHE, or the platform's folder for files that can be computed again."""
    if chosen := os.environ.get("ANONDERM_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "anonderm"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anonderm"


def key(sha256: str, *, mirrored: bool = False) -> str:
    return f"{sha256}-mirrored" if mirrored else sha256


@dataclass(frozen=True)
class Store:
    """The rows of one extractor, float32 of one shape; `digest` changes when the extractor's values could."""

    extractor: str
    digest: str
    shape: tuple[int, ...]

    @property
    def folder(self) -> Path:
        return cache_folder() / "embeddings" / f"{self.extractor}-{self.digest[:16]}-{__version__}"

    def rows(
        self, keys: Sequence[str], compute: Callable[[list[int]], Iterable[NDArray[np.float32]]]
    ) -> NDArray[np.float32]:
        """The rows [N, *shape] of pictures with these keys.

        compute: takes the positions of pictures that are not stored, and yields their rows in that order, as
        batches [B, *shape]. They are stored as they come; where the disk does not take them, they are only
        returned. Raises what `compute` raises.
        """
        found = np.empty((len(keys), *self.shape), np.float32)
        missing = self._read(keys, found)
        if missing:
            self._write(keys, missing, compute(missing), found)
            by_key = {keys[position]: position for position in missing}
            for position, each in enumerate(keys):
                found[position] = found[by_key.get(each, position)]
        return found

    def _read(self, keys: Sequence[str], found: NDArray[np.float32]) -> list[int]:
        """Fill in what is stored; the first position of every other key."""
        wanted: dict[bytes, list[int]] = {}
        for position, each in enumerate(keys):
            wanted.setdefault(each.encode(), []).append(position)
        for path in _shards(self.folder):
            if not wanted:
                break
            for name, row in self._read_shard(path, wanted).items():
                found[wanted.pop(name)] = row
        return sorted(positions[0] for positions in wanted.values())

    def _read_shard(self, path: Path, wanted: Container[bytes]) -> dict[bytes, Row]:
        """The wanted rows of one shard; none where it is damaged, or was deleted by another process."""
        try:
            with np.load(path, allow_pickle=False) as shard:
                names = [name if name in wanted else None for name in shard["keys"].tolist()]
                if not any(names):
                    return {}
                rows = shard["rows"]
        except OSError:
            return {}
        except _DAMAGED as error:
            return _remove_damaged(path, str(error))
        if rows.shape != (len(names), *self.shape) or rows.dtype != np.float32:
            return _remove_damaged(path, f"{rows.dtype} {rows.shape}")
        with suppress(OSError):  # a read-only disk, or another process has just deleted it
            os.utime(path)  # used: deleted last
        return {name: row for name, row in zip(names, rows, strict=True) if name}

    def _write(
        self,
        keys: Sequence[str],
        missing: Sequence[int],
        batches: Iterable[NDArray[np.float32]],
        found: NDArray[np.float32],
    ) -> None:
        done, stored, since = 0, 0, time.monotonic()
        try:
            for batch in batches:
                found[missing[done : done + len(batch)]] = batch
                done += len(batch)
                if done - stored >= _SHARD_ROWS or time.monotonic() - since > _SHARD_SECONDS:
                    self._write_shard(keys, missing[stored:done], found)
                    stored, since = done, time.monotonic()
        finally:
            self._write_shard(keys, missing[stored:done], found)
            _limit_size(self.folder.parent)

    def _write_shard(self, keys: Sequence[str], positions: Sequence[int], found: NDArray[np.float32]) -> None:
        if not len(positions):
            return
        names = np.array([keys[position].encode() for position in positions])
        try:
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with atomic_path(self.folder / f"{secrets.token_hex(8)}.npz") as temporary:
                np.savez(temporary, keys=names, rows=found[list(positions)])
        except (StorageError, OSError) as error:
            _warn_not_stored(self.folder.parent, str(error))


def describe_each(
    store: Store,
    items: Sequence[T],
    keys: Sequence[str],
    start: Callable[[], Callable[[T], Row | None]],
    bar: Bar,
) -> NDArray[np.float32]:
    """Rows [N, *shape] that several processes compute item by item; NaN where there is none (no face).

    start: makes the function, in each process anew; `start` and items must be picklable. Raises what the
    function raises, or ProcessLost.
    """

    def compute(missing: list[int]) -> Iterable[NDArray[np.float32]]:
        todo = [items[position] for position in missing]
        bar.advance(len(items) - len(todo))
        for row in in_processes(start, todo, 1 if len(todo) <= _FEW else None):
            yield np.full((1, *store.shape), np.nan, np.float32) if row is None else row[None]
            bar.advance()

    return store.rows(keys, compute)


def _shards(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.glob("*.npz") if not path.name.startswith("."))
    except OSError:
        return []


def _remove_damaged(path: Path, reason: str) -> dict[bytes, Row]:
    _log.warning("%s: damaged, computed again (%s)", path, reason)
    _delete(path)
    return {}


def _limit_size(folder: Path) -> None:
    """Delete shards that were not used for longest, and what killed processes left."""
    try:
        states = {path: path.stat() for path in folder.rglob("*.npz")}
    except OSError:  # another process is at it
        return
    total = sum(state.st_size for state in states.values())
    for path, state in sorted(states.items(), key=lambda each: each[1].st_mtime):
        abandoned = path.name.startswith(".") and time.time() - state.st_mtime > 86400
        if total > MAX_BYTES or abandoned:
            _delete(path)
            total -= state.st_size


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _warn_not_stored(path.parent, str(error))


@cache
def _warn_not_stored(folder: Path, reason: str) -> None:
    _log.warning("%s: embeddings are not stored and will be computed again (%s)", folder, reason)
