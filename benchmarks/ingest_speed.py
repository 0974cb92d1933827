"""How long `anonderm ingest` takes for 10,000 small JPEGs and the most memory it needs, beside 1,000."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import results
from PIL import Image

_SIDE = 256  # pixels of the photos; faces are stored at ingest's default of 64


def make_photos(folder: Path, count: int) -> None:
    """Soft patterns with some grain, as large as JPEGs of faces are (about 15 kB)."""
    for label in ("healthy", "severe"):
        (folder / label).mkdir(parents=True)
    for index in range(count):
        rng = np.random.default_rng(index)
        soft = Image.fromarray(rng.integers(40, 216, (6, 6, 3), dtype=np.uint8)).resize((_SIDE, _SIDE))
        grain_HW1 = rng.integers(-12, 13, (_SIDE, _SIDE, 1), dtype=np.int16)
        picture = Image.fromarray((np.asarray(soft) + grain_HW1).astype(np.uint8))
        picture.save(folder / ("healthy", "severe")[index % 2] / f"{index:05d}.jpg", quality=85)


def measure(count: int) -> dict[str, float]:
    """One run in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        photos = Path(place) / "photos"
        make_photos(photos, count)
        code = "import sys; from anonderm.cli import main; sys.exit(main(sys.argv[1:]))"
        line = [sys.executable, "-c", code, "ingest", "--source", str(photos), "--out", f"{place}/run"]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(line, check=True)
        wall_s, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        size = sum(path.stat().st_size for path in photos.rglob("*.jpg"))
    return {
        "photos": count,
        "mean_kilobytes": round(size / count / 1000, 1),
        "wall_s": round(wall_s, 1),
        "processor_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "peak_gigabytes": round(after.ru_maxrss / 2**20, 2),  # of the largest child so far
    }


if __name__ == "__main__":
    results.write("ingest_speed", {"thousand": measure(1_000), "ten_thousand": measure(10_000)})
