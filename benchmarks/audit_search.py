"""The nearest of 10,000 faces for each of 1,000,000, 128 numbers a face: our own search beside indices.

python benchmarks/audit_search.py [--queries N] [--gallery N]

One thread. Seconds are of the processor. Rows lie on a sphere around 2,000 centres, as descriptors of faces
do around people. Recall is the share of queries whose nearest an index finds. An index needs faiss-cpu or
usearch; one that is not installed is left out.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import resource
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


def faces(count: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(2000, WIDTH)).astype(np.float32)
    rows = centres[rng.integers(2000, size=count)]
    rows += 0.6 * rng.standard_normal((count, WIDTH), np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def own(gallery: Rows) -> Callable[[Rows], NDArray[Any]]:
    return lambda queries: nearest(queries, gallery).indices_M


def faiss_flat(gallery: Rows) -> Callable[[Rows], NDArray[Any]]:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatL2(WIDTH)
    index.add(gallery)
    return lambda queries: index.search(queries, 1)[1][:, 0]


def faiss_ivf(gallery: Rows) -> Callable[[Rows], NDArray[Any]]:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(WIDTH), WIDTH, 100)
    index.train(gallery)
    index.add(gallery)
    index.nprobe = 10
    return lambda queries: index.search(queries, 1)[1][:, 0]


def usearch_hnsw(gallery: Rows) -> Callable[[Rows], NDArray[Any]]:
    from usearch.index import Index

    index = Index(ndim=WIDTH, metric="l2sq", dtype="f32")
    index.add(np.arange(len(gallery)), gallery, threads=1)
    return lambda queries: index.search(queries, 1, threads=1).keys[:, 0]


def main(queries: int, gallery: int) -> None:
    searched = faces(gallery, 1)
    told: dict[str, Any] = {"queries": queries, "gallery": gallery, "width": WIDTH}
    exact: NDArray[Any] | None = None
    for name, make in (
        ("own", own),
        ("faiss_flat", faiss_flat),
        ("faiss_ivf", faiss_ivf),
        ("usearch_hnsw", usearch_hnsw),
    ):
        try:
            start = time.process_time()
            search = make(searched)
            build = time.process_time() - start
        except ModuleNotFoundError as error:
            told[name] = f"left out: {error}"
            continue
        seconds, found = 0.0, []
        for seed, first in enumerate(range(0, queries, CHUNK)):
            part = faces(min(CHUNK, queries - first), 10 + seed)
            start = time.process_time()
            found.append(search(part).astype(np.int64))
            seconds += time.process_time() - start
        indices = np.concatenate(found)
        exact = indices if exact is None else exact
        told[name] = {
            "build_cpu_seconds": round(build, 2),
            "search_cpu_seconds": round(seconds, 2),
            "recall": round(float((indices == exact).mean()), 5),
            "peak_mb_so_far": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
    results.write("audit_search", told)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--queries", type=int, default=1_000_000)
    parser.add_argument("--gallery", type=int, default=10_000)
    given = parser.parse_args()
    main(given.queries, given.gallery)
