"""How well photos are put together by their faces, where the people are known.

`--photos FOLDER` holds JPEG photos named PERSON_*.jpg, such as the neutral and smiling faces of the Face
Research Lab London Set (DeBruine & Jones 2017). A pair is right when both photos show one person: precision
is the share of right pairs among those put together, recall that of the right pairs that were put together.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import results
from numpy.typing import NDArray

from anonderm.core import progress
from anonderm.embeddings.people.threshold import Threshold, choose, count_distances
from anonderm.ingest.people.describe import describe
from anonderm.ingest.sources.photo import File, Photo
from anonderm.metrics.clustering import cluster


def pairs(person_N: NDArray[Any], shown_N: NDArray[Any], counted_N: NDArray[np.bool_]) -> dict[str, Any]:
    """Precision and recall over the pairs of photos that are counted."""
    one, two = np.triu_indices(int(counted_N.sum()), 1)
    person, shown = person_N[counted_N], shown_N[counted_N]
    together, right = person[one] == person[two], shown[one] == shown[two]
    both = int((together & right).sum())
    return {
        "people": len(set(shown.tolist())),
        "found_people": len(set(person.tolist())),
        "precision": round(both / max(int(together.sum()), 1), 4),
        "recall": round(both / int(right.sum()), 4),
    }


def found(
    descriptors_ND: NDArray[np.float32],
    shown: Sequence[str],
    known: Sequence[str | None],
    given: float | None = None,
) -> dict[str, Any]:
    """What comes out for the photos whose people are not told."""
    threshold: Threshold = choose(count_distances(descriptors_ND, known), given)
    person_N = cluster(descriptors_ND, known, [None] * len(known), threshold.value)
    told = {"threshold": round(threshold.value, 3), "how": threshold.how}
    return told | pairs(person_N, np.array(shown), np.array([name is None for name in known]))


def measure(folder: Path) -> dict[str, Any]:
    photos = [Photo(file.name, File(file)) for file in sorted(folder.glob("*_*.jpg"))]
    with tempfile.TemporaryDirectory() as place, progress.bar("describing", len(photos)) as bar:
        start = time.perf_counter()
        described = describe(photos, Path(place) / "journal.jsonl", bar)
        seconds = time.perf_counter() - start
    faces = [index for index, each in enumerate(described) if each is not None]
    names = [photos[index].name.partition("_")[0] for index in faces]
    descriptors_ND = np.stack([each for each in described if each is not None])
    half = set(sorted(set(names))[::2])
    half_known = [name if name in half else None for name in names]
    nobody = [None] * len(names)
    return {
        "photos": len(photos),
        "without_a_face": len(photos) - len(faces),
        "seconds_a_photo": round(seconds / len(photos), 3),
        "nobody_known": found(descriptors_ND, names, nobody),
        "published_threshold": found(descriptors_ND, names, nobody, 0.6),
        "half_of_the_people_known": found(descriptors_ND, names, half_known),
        "all_known_would_give": round(choose(count_distances(descriptors_ND, names)).value, 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    results.write("people", measure(parser.parse_args().photos))
