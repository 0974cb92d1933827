"""Time and peak memory of every fidelity measure, with its interval, for many wide embeddings.

  python benchmarks/fidelity_speed.py [--real 50000] [--synthetic 50000] [--features 2048] [--threads 2]

Everything that `evaluate fidelity` does for one comparison after the network's forward pass, from reading the
kept embeddings on; Inception's own pass over 50,000 faces is left out. Two real images a person. Processor
time and load are told too, as machines are shared.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import results
import torch
from threadpoolctl import threadpool_limits

from anonderm.evaluate.fidelity import Side, compare
from anonderm.metrics.frechet import frechet

_NEIGHBOURS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=int, default=50_000)
    parser.add_argument("--synthetic", type=int, default=50_000)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(options.threads):
        rng = np.random.default_rng(0)
        real_people = (np.arange(options.real) // 2).tolist()
        for name, rows, scale in (("real", options.real, 1.0), ("synthetic", options.synthetic, 1.02)):
            _write_embeddings(Path(folder) / f"{name}.npy", rows, options.features, scale, rng)

        def read(name: str) -> np.ndarray:
            return np.asarray(np.load(Path(folder) / f"{name}.npy", mmap_mode="r"))

        def all_measures() -> None:
            real = Side(read("real"), (None,) * options.real, tuple(real_people))
            fake = Side(read("synthetic"), (None,) * options.synthetic, tuple(range(options.synthetic)))
            compare(real, fake, _NEIGHBOURS, np.random.default_rng(0))

        whole = _timed(all_measures)
        peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        alone = _timed(
            lambda: frechet(read("real"), read("synthetic"), real_people, range(options.synthetic), rng)
        )
    numbers = {
        "real": options.real,
        "synthetic": options.synthetic,
        "features": options.features,
        "threads": options.threads,
        "load_before": round(load_before, 1),
        "all_measures": whole,
        "of_these_frechet": alone,
        "peak_memory_gb": round(peak_gb, 2),
    }
    results.write("fidelity_speed", numbers)


def _write_embeddings(path: Path, rows: int, features: int, scale: float, rng: np.random.Generator) -> None:
    """Not negative and of falling variance, as Inception's; in slices, to need little memory."""
    scales_D = (scale * (0.05 + np.exp(-np.arange(features) / features * 4))).astype(np.float32)
    embeddings_ND = np.lib.format.open_memmap(path, "w+", np.float32, (rows, features))
    for start in range(0, rows, 4096):
        part = embeddings_ND[start : start + 4096]
        part[:] = np.abs(rng.standard_normal(part.shape, np.float32)) * scales_D
    embeddings_ND.flush()


def _timed(work) -> dict[str, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": round(time.perf_counter() - wall, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
    }


if __name__ == "__main__":
    main()
