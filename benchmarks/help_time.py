"""How long `anonderm --help` takes: the median of nine runs, compared with an empty Python process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import results


def median_s(command: list[str]) -> float:
    times = []
    for _ in range(9):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return round(statistics.median(times), 3)


if __name__ == "__main__":
    results.write(
        "help_time",
        {
            "anonderm_help_s": median_s([sys.executable, "-m", "anonderm.cli", "--help"]),
            "empty_python_s": median_s([sys.executable, "-c", ""]),
        },
    )
