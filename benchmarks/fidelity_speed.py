"""Time and peak memory of every measure of `evaluate fidelity`, with its interval, for many wide embeddings.

  python benchmarks/fidelity_speed.py [--real 25000] [--synthetic 25000] [--features 2048] [--threads 2]

Two real images a person. Processor time is told too, as machines are shared.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import results
import torch

from anonderm.evaluate.frechet import frechet
from anonderm.evaluate.measures import measure

_NEIGHBOURS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=int, default=25_000)
    parser.add_argument("--synthetic", type=int, default=25_000)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rng = np.random.default_rng(0)
    real_ND = _embeddings(options.real, options.features, rng)
    fake_ND = _embeddings(options.synthetic, options.features, rng) * np.float32(1.02)
    real_people, fake_people = (np.arange(options.real) // 2).tolist(), range(options.synthetic)
    whole = _timed(lambda: measure(real_ND, fake_ND, real_people, fake_people, _NEIGHBOURS, rng))
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    alone = _timed(lambda: frechet(real_ND, fake_ND, real_people, fake_people, rng))
    results.write(
        "fidelity_speed",
        {
            "real": options.real,
            "synthetic": options.synthetic,
            "features": options.features,
            "blas_threads": options.threads,
            "all_measures": whole,
            "of_these_frechet": alone,
            "peak_memory_gb": round(peak_gb, 2),
        },
    )


def _embeddings(rows: int, features: int, rng: np.random.Generator) -> np.ndarray:
    """Not negative and of falling variance, as Inception's; made in slices, to need little memory."""
    scales_D = (0.05 + np.exp(-np.arange(features) / features * 4)).astype(np.float32)
    embeddings_ND = np.empty((rows, features), np.float32)
    for start in range(0, rows, 4096):
        part = embeddings_ND[start : start + 4096]
        part[:] = np.abs(rng.standard_normal(part.shape, np.float32)) * scales_D
    return embeddings_ND


def _timed(work) -> dict[str, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": round(time.perf_counter() - wall, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
    }


if __name__ == "__main__":
    main()
