"""Time and peak memory of all fidelity measures, with intervals, over many wide embeddings.

  python benchmarks/fidelity_speed.py [--real 50000] [--synthetic 50000] [--features 2048] [--threads 2]

Everything that `evaluate fidelity` computes for one comparison, from reading the stored embeddings on; the
network's own pass over the faces is not included. There are two real images per person. The result states the
machine's load, since machines are shared.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import results
import torch
from threadpoolctl import threadpool_limits

from anonderm.evaluate.fidelity import Side, compare
from anonderm.metrics.frechet import frechet

_NEIGHBOURS = 5


def main() -> None:
    parser = results.argument_parser(__doc__)
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

        everything = results.timed(all_measures)
        peak = results.peak_memory_gb()
        frechet_alone = results.timed(
            lambda: frechet(read("real"), read("synthetic"), real_people, range(options.synthetic), rng)
        )
    results.write(
        "fidelity_speed",
        {
            "real": options.real,
            "synthetic": options.synthetic,
            "features": options.features,
            "threads": options.threads,
            "load_before": round(load_before, 1),
            "all_measures": everything,
            "of_these_frechet": frechet_alone,
            "peak_memory_gb": peak,
        },
    )


def _write_embeddings(path: Path, rows: int, features: int, scale: float, rng: np.random.Generator) -> None:
    """Non-negative and of decreasing variance, as Inception's are; in slices, to need little memory."""
    scales_D = (scale * (0.05 + np.exp(-np.arange(features) / features * 4))).astype(np.float32)
    embeddings_ND = np.lib.format.open_memmap(path, "w+", np.float32, (rows, features))
    for start in range(0, rows, 4096):
        part = embeddings_ND[start : start + 4096]
        part[:] = np.abs(rng.standard_normal(part.shape, np.float32)) * scales_D
    embeddings_ND.flush()


if __name__ == "__main__":
    main()
