"""Random changes of every kind of file that anonderm reads, and how many end in a traceback or a hang.

--seconds      for each kind
--first-seed   the seeds count up from here
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import results

TESTS = Path(__file__).parents[1] / "tests"
sys.path += [str(TESTS), str(TESTS / "publish")]


def fuzzed(seconds: float, first_seed: int) -> dict[str, Any]:
    """The number of changes of each kind, and the seeds that ended in a traceback or a hang."""
    subjects, attempt = import_module("fuzz.subjects"), import_module("fuzz.test_fuzz").attempt
    line, made = import_module("made_up_line"), import_module("made_up_release")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as passing:
        work = Path(passing)
        faces = line.synthetic(work / "faces", line.draw_face)
        whole = made.write_release(
            work / "export", faces, formats=made.EVERY_FORMAT[:4], shard_mb=made.SHARD_MB
        )
        kinds = subjects.SUBJECTS | {file: subjects.release(whole, file) for file in subjects.RELEASED}
        for number, (name, subject) in enumerate(kinds.items()):
            valid = work / str(number) / "valid"
            valid.mkdir(parents=True)
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                file, seed, faults = subject.make(valid), first_seed, {}
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    if fault := attempt(subject, valid, file, seed):
                        faults[seed] = fault
                    seed += 1
            found[name] = {"changes": seed - first_seed, "faults": faults}
            print(f"{name}: {seed - first_seed} changes, {len(faults)} faults", flush=True)
    return found


if __name__ == "__main__":
    parser = results.argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    kinds = fuzzed(options.seconds, options.first_seed)
    totals = {
        "seconds_a_kind": options.seconds,
        "kinds_of_file": len(kinds),
        "changes": sum(each["changes"] for each in kinds.values()),
        "tracebacks_and_hangs": sum(len(each["faults"]) for each in kinds.values()),
    }
    results.write("fuzz", {**totals, "kinds": kinds})
