"""Run every benchmark that needs nothing but this package, one after the other."""

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
    "whole_line.py",
)
BESIDE_A_REFERENCE = ("nvidia_parity.py", "gan_speed.py", "gan_quality.py")

if __name__ == "__main__":
    for script in SCRIPTS:
        print(f"== {script}", flush=True)
        subprocess.run([sys.executable, Path(__file__).parent / script], check=True)
    print(f"left out, as they take a checkout of NVIDIA's code: {', '.join(BESIDE_A_REFERENCE)}")
