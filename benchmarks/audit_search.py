"""Nearest of 10,000 faces for each of 1,000,000, with 128 features: our exact search and three indices.

python benchmarks/audit_search.py [--queries N] [--gallery N]

Processor time of one thread. Rows lie on a sphere around 2,000 centres, like face templates around people.
Recall is the share of queries for which an index returns the true nearest row. The indices are those of
faiss-cpu and usearch; one that is not installed is left out.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import results
from numpy.typing import NDArray

from anonderm.metrics.pairwise import nearest

WIDTH = 128
CHUNK = 50_000

Rows = NDArray[np.float32]
Search = Callable[[Rows], NDArray[Any]]


def templates(count: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(2000, WIDTH)).astype(np.float32)
    rows = centres[rng.integers(2000, size=count)]
    rows += 0.6 * rng.standard_normal((count, WIDTH), np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def own(gallery: Rows) -> Search:
    return lambda queries: nearest(queries, gallery).indices_M


def faiss_flat(gallery: Rows) -> Search:
    import faiss

    return _faiss_search(faiss.IndexFlatL2(WIDTH), gallery)


def faiss_ivf(gallery: Rows) -> Search:
    import faiss

    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(WIDTH), WIDTH, 100)
    index.nprobe = 10
    return _faiss_search(index, gallery)


def _faiss_search(index: Any, gallery: Rows) -> Search:
    import faiss

    faiss.omp_set_num_threads(1)
    index.train(gallery)
    index.add(gallery)
    return lambda queries: index.search(queries, 1)[1][:, 0]


def usearch_hnsw(gallery: Rows) -> Search:
    from usearch.index import Index

    index = Index(ndim=WIDTH, metric="l2sq", dtype="f32")
    index.add(np.arange(len(gallery)), gallery, threads=1)
    return lambda queries: index.search(queries, 1, threads=1).keys[:, 0]


def main(queries: int, gallery: int) -> None:
    gallery_rows = templates(gallery, 1)
    numbers: dict[str, Any] = {"queries": queries, "gallery": gallery, "width": WIDTH}
    exact: NDArray[Any] | None = None
    for build in (own, faiss_flat, faiss_ivf, usearch_hnsw):
        try:
            start = time.process_time()
            search = build(gallery_rows)
            build_s = time.process_time() - start
        except ModuleNotFoundError as error:
            numbers[build.__name__] = f"left out: {error}"
            continue
        search_s, found = 0.0, []
        for seed, first in enumerate(range(0, queries, CHUNK)):
            part = templates(min(CHUNK, queries - first), 10 + seed)
            start = time.process_time()
            found.append(search(part).astype(np.int64))
            search_s += time.process_time() - start
        indices = np.concatenate(found)
        exact = indices if exact is None else exact
        numbers[build.__name__] = {
            "build_cpu_seconds": round(build_s, 2),
            "search_cpu_seconds": round(search_s, 2),
            "recall": round(float((indices == exact).mean()), 5),
            "peak_memory_gb_so_far": results.peak_memory_gb(),
        }
    results.write("audit_search", numbers)


if __name__ == "__main__":
    parser = results.argument_parser(__doc__)
    parser.add_argument("--queries", type=int, default=1_000_000)
    parser.add_argument("--gallery", type=int, default=10_000)
    options = parser.parse_args()
    main(options.queries, options.gallery)
