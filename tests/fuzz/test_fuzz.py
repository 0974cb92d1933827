"""Whatever a file holds, reading it ends soon, and with an error of ours or none.

Every kind of file that is read is changed at random, by seed: for about a minute in all, or for as long as
ANONDERM_FUZZ_SECONDS says, shared evenly by the kinds. ANONDERM_FUZZ_SEED is the first seed. A seed that
failed stays in FAILED.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from made_up_line import draw_face, synthetic
from made_up_release import EVERY_FORMAT, SHARD_MB, write_release

from anonderm.core.errors import AnondermError

from .mutations import mutated
from .subjects import RELEASED, SUBJECTS, Subject, release

SECONDS = float(os.environ.get("ANONDERM_FUZZ_SECONDS", "60")) / (len(SUBJECTS) + len(RELEASED))
FIRST_SEED = int(os.environ.get("ANONDERM_FUZZ_SEED", "0"))
LIMIT_S = 30

# Seeds that once ended in a traceback or a hang.
FAILED: dict[str, tuple[int, ...]] = {
    "yolo-card": (100132,),
    "manifest": (104710, 115598),
}


class Hang(BaseException):
    """Reading took longer than LIMIT_S."""


@contextmanager
def time_limit() -> Iterator[None]:
    def stop(_: int, __: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    faces = synthetic(folder / "faces", draw_face)
    return write_release(folder / "run", faces, formats=EVERY_FORMAT[:4], shard_mb=SHARD_MB)


def attempt(subject: Subject, valid: Path, file: Path, seed: int) -> str:
    """Read a copy of the valid folder with one file changed; empty, or what went wrong."""
    work = valid.with_name("work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(valid, work)
    changed = work / file.relative_to(valid)
    changed.write_bytes(mutated(file.read_bytes(), seed))
    try:
        with time_limit():
            subject.read(work)
    except AnondermError as error:
        return "" if str(error).strip() else "an error without a message"
    except Hang:
        return f"not done after {LIMIT_S} s"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def fuzz(name: str, subject: Subject, folder: Path) -> None:
    valid = folder / "valid"
    valid.mkdir()
    file = subject.make(valid)
    known = list(FAILED.get(name, ()))
    end, seed, faults = time.monotonic() + SECONDS, FIRST_SEED, {}
    while known or time.monotonic() < end:
        seed, tried = (seed, known.pop()) if known else (seed + 1, seed)
        if fault := attempt(subject, valid, file, tried):
            faults[tried] = fault
    assert not faults, (
        f"{len(faults)} of {seed - FIRST_SEED} changes of {name}: {dict(list(faults.items())[:20])}"
    )


@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_changed_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    fuzz(name, SUBJECTS[name], tmp_path)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("file", RELEASED)
def test_a_changed_release_is_verified_to_the_end(file: str, whole: Path, tmp_path: Path) -> None:
    fuzz(file, release(whole, file), tmp_path)
