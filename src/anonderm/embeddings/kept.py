"""Arrays that take long to work out, kept on disk beside what they describe."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import StorageError
from anonderm.core.files import atomic_path

_log = logging.getLogger(__name__)


def kept(path: Path, count: int, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
    """The float32 array of `count` rows in this .npy file; made, and kept, where it is missing or damaged.

    Read from the file as it is used, and read-only. A folder that cannot be written is only not used for
    keeping.
    """
    found = _read(path, count)
    if found is not None:
        return found
    made = make()
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, made, allow_pickle=False)
    except StorageError as error:
        _log.warning("embeddings are not kept: %s", error.message)
    return made


def _read(path: Path, count: int) -> NDArray[np.float32] | None:
    """None where there is no such file, or it is damaged."""
    try:
        found = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        _log.warning("%s: damaged, computed again (%s)", path, error)
        return None
    return found if found.ndim >= 2 and len(found) == count and found.dtype == np.float32 else None
