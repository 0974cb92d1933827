"""Precision and recall of grouping photos by person from the faces (`ingest --people faces`).

--photos FOLDER   JPEG photos named PERSON_*.jpg, such as the neutral and smiling faces of the Face Research
                  Lab London Set (DeBruine & Jones 2017)

Over pairs of photos: precision is the share of the pairs put in one group that show one person, recall the
share of the pairs that show one person that are put in one group.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import results
from numpy.typing import NDArray

from anonderm.core import progress
from anonderm.embeddings.matchers.registry import identity_matcher
from anonderm.embeddings.people.threshold import choose, count_distances
from anonderm.ingest.sources.photo import File, Photo
from anonderm.metrics.clustering import cluster


def grouping(
    descriptors_ND: NDArray[np.float32],
    people: Sequence[str],
    known: Sequence[str | None],
    threshold: float | None = None,
) -> dict[str, Any]:
    """Pair scores of the photos whose person is not in `known`."""
    chosen = choose(count_distances(descriptors_ND, known), 0.6, threshold)
    groups_N = cluster(descriptors_ND, known, [None] * len(known), chosen.value)
    unknown_N = np.array([name is None for name in known])
    return {
        "threshold": round(chosen.value, 3),
        "how": chosen.how,
        **pair_scores(groups_N[unknown_N], np.array(people)[unknown_N]),
    }


def pair_scores(groups_N: NDArray[Any], people_N: NDArray[Any]) -> dict[str, Any]:
    one, two = np.triu_indices(len(people_N), 1)
    grouped, genuine = groups_N[one] == groups_N[two], people_N[one] == people_N[two]
    both = int((grouped & genuine).sum())
    return {
        "people": len(set(people_N.tolist())),
        "found_people": len(set(groups_N.tolist())),
        "precision": round(both / max(int(grouped.sum()), 1), 4),
        "recall": round(both / max(int(genuine.sum()), 1), 4),
    }


def measure(folder: Path) -> dict[str, Any]:
    photos = [Photo(file.name, File(file)) for file in sorted(folder.glob("*_*.jpg"))]
    with tempfile.TemporaryDirectory() as scratch, progress.bar("extracting", len(photos)) as bar:
        results.cache_embeddings_in(Path(scratch))
        start = time.perf_counter()
        described_ND = identity_matcher("dlib").describe(photos, bar).rows_ND
        seconds = time.perf_counter() - start
    faces = np.flatnonzero(np.isfinite(described_ND).all(axis=1))
    people = [photos[index].name.partition("_")[0] for index in faces]
    descriptors_ND = described_ND[faces]
    half = set(sorted(set(people))[::2])
    half_known = [name if name in half else None for name in people]
    none_known = [None] * len(people)
    return {
        "photos": len(photos),
        "without_a_face": len(photos) - len(faces),
        "seconds_a_photo": round(seconds / len(photos), 3),
        "nobody_known": grouping(descriptors_ND, people, none_known),
        "published_threshold": grouping(descriptors_ND, people, none_known, 0.6),
        "half_of_the_people_known": grouping(descriptors_ND, people, half_known),
        "threshold_with_all_known": round(choose(count_distances(descriptors_ND, people), 0.6).value, 3),
    }


if __name__ == "__main__":
    parser = results.argument_parser(__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    results.write("people", measure(parser.parse_args().photos))
