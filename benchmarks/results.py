"""What the benchmarks share: timing, the scores of a run, and writing numbers with their conditions."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anonderm.core import launch
from anonderm.core.results.base import FILE, load_result

RESULTS = Path(__file__).parent / "results"


def argument_parser(docstring: str | None) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(description=docstring, formatter_class=argparse.RawTextHelpFormatter)


def write(name: str, numbers: dict[str, Any]) -> None:
    """Print the numbers and write them to results/NAME.json."""
    content = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "machine": launch.machine(),
        "versions": launch.versions(),
        **numbers,
    }
    text = json.dumps(content, indent=2)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def scores(run: Path) -> dict[str, list[float | None]]:
    """Every score of a run, by its place in the result: value and both ends of its interval."""
    return {
        name: [None if x is None else round(x, 4) for x in (score.value, score.low, score.high)]
        for name, score in load_result(run / FILE).scores().items()
    }


def cache_embeddings_in(folder: Path) -> None:
    """Embeddings that an earlier run left in the user's cache would make this one faster."""
    os.environ["ANONDERM_CACHE"] = str(folder)


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """Wall and processor seconds, those of finished child processes included."""
    wall, processor = time.perf_counter(), _processor_s()
    work()
    return {
        "seconds": round(time.perf_counter() - wall, 1),
        "processor_seconds": round(_processor_s() - processor, 1),
    }


def _processor_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_memory_gb(who: int = resource.RUSAGE_SELF) -> float:
    """The largest resident size of this process, or of any finished child (RUSAGE_CHILDREN)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(who).ru_maxrss * unit / 1e9, 2)
