"""Time and peak memory of a recipe, step by step (default: the phantom recipe).

python benchmarks/pipeline.py [RECIPE] [--out FOLDER] [other arguments of `anonderm run`]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import results

from anonderm.core.errors import MissingPath
from anonderm.core.rundir import RunRecord


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        results.cache_embeddings_in(Path(scratch) / "cache")
        recipe, *rest = arguments or ["recipes/phantom.toml"]
        if "--out" not in rest:
            rest += ["--out", str(Path(scratch) / "run")]
        out = Path(rest[rest.index("--out") + 1])
        command = [sys.executable, "-m", "anonderm.cli", "run", recipe, *rest]
        time = results.timed(lambda: subprocess.run(command, check=True))
        runs = sorted((RunRecord.load(path.parent) for path in out.glob("*/run.json")), key=_started)
        results.write(
            f"pipeline_{Path(recipe).stem}",
            {
                "minutes": round(time["seconds"] / 60, 2),
                "peak_memory_gb": results.peak_memory_gb(resource.RUSAGE_CHILDREN),
                "step_seconds": {run.name: round(run.content["seconds"], 1) for run in runs},
                "scores": {run.name: values for run in runs if (values := _values(run.folder))},
            },
        )


def _started(run: RunRecord) -> tuple[str, str]:
    return (run.content["started"], run.content["finished"])


def _values(run: Path) -> dict[str, float | None]:
    try:
        return {name: score[0] for name, score in results.scores(run).items()}
    except MissingPath:  # not a step that measures something
        return {}


if __name__ == "__main__":
    main(sys.argv[1:])
