"""Time and peak memory of `anonderm ingest` for 10,000 small JPEGs, compared with 1,000."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import results
from PIL import Image

_SIDE = 256  # of the photos, in pixels; ingest stores faces at its default size


def make_photos(folder: Path, count: int) -> None:
    """Smooth patterns with some grain, as large as JPEGs of faces are (about 15 kB)."""
    for label in ("healthy", "severe"):
        (folder / label).mkdir(parents=True)
    for index in range(count):
        rng = np.random.default_rng(index)
        smooth = Image.fromarray(rng.integers(40, 216, (6, 6, 3), dtype=np.uint8)).resize((_SIDE, _SIDE))
        grain_HW1 = rng.integers(-12, 13, (_SIDE, _SIDE, 1), dtype=np.int16)
        picture = Image.fromarray((np.asarray(smooth) + grain_HW1).astype(np.uint8))
        picture.save(folder / ("healthy", "severe")[index % 2] / f"{index:05d}.jpg", quality=85)


def measure(count: int) -> dict[str, float]:
    """One run, in its own process."""
    with tempfile.TemporaryDirectory() as scratch:
        photos = Path(scratch) / "photos"
        make_photos(photos, count)
        arguments = ["ingest", "--source", str(photos), "--out", f"{scratch}/run"]
        command = [sys.executable, "-m", "anonderm.cli", *arguments]
        time = results.timed(lambda: subprocess.run(command, check=True))
        size = sum(path.stat().st_size for path in photos.rglob("*.jpg"))
    return {
        "photos": count,
        "mean_kilobytes": round(size / count / 1000, 1),
        **time,
        "peak_memory_gb": results.peak_memory_gb(resource.RUSAGE_CHILDREN),  # of the largest run so far
    }


if __name__ == "__main__":
    results.write("ingest_speed", {"thousand": measure(1_000), "ten_thousand": measure(10_000)})
