"""Time and peak memory of a recipe from start to report, step by step (default: the phantom recipe).

python benchmarks/whole_line.py [--out FOLDER] [arguments of `anonderm run`]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import results

from anonderm.core.records import Scores
from anonderm.core.rundir import RunRecord


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        recipe, *rest = arguments or ["recipes/phantom.toml"]
        if "--out" not in rest:
            rest += ["--out", str(Path(scratch) / "run")]
        out = Path(rest[rest.index("--out") + 1])
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "anonderm.cli", "run", recipe, *rest], check=True)
        seconds = time.perf_counter() - start
        peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        runs = sorted((RunRecord.load(path.parent) for path in out.glob("*/run.json")), key=_started)
        results.write(
            f"whole_line_{Path(recipe).stem}",
            {
                "minutes": round(seconds / 60, 2),
                "peak_memory_gb": round(peak_gb, 2),
                "step_seconds": {run.name: round(run.content["seconds"], 1) for run in runs},
                "scores": {
                    run.name: _values(run.folder / "scores.json")
                    for run in runs
                    if (run.folder / "scores.json").exists()
                },
            },
        )


def _started(run: RunRecord) -> tuple[str, str]:
    return (run.content["started"], run.content["finished"])


def _values(path: Path) -> dict[str, float]:
    return {name: round(score.value, 5) for name, score in Scores.load(path).scores.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
