"""Run every benchmark that needs only this package, one after the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPTS = (
    "help_time.py",
    "phantom_speed.py",
    "ingest_speed.py",
    "skin_dice.py",
    "classifiers.py",
    "detector.py",
    "pipeline.py",
)

if __name__ == "__main__":
    for script in SCRIPTS:
        print(f"== {script}", flush=True)
        subprocess.run([sys.executable, Path(__file__).parent / script], check=True)
    print("The others need data, a checkout of NVIDIA's code or much time: see benchmarks/README.md.")
