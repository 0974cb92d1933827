"""How well matchers of people tell who is who (`ingest --people faces`), also on harder photos.

--photos FOLDER   JPEG photos named PERSON_*.jpg, such as the neutral and smiling faces of the Face Research
                  Lab London Set (DeBruine & Jones 2017)
--arcface FILE    an ONNX file in the format of ArcFace, measured beside dlib, and sface where it is installed

Each photo is made harder in eight ways (hard_photos.py), and 40 phantoms are drawn from four sides. Over
pairs of different photographs: precision is the share of the pairs below a threshold that show one person,
recall the share of the pairs of one person that are below it. A photo without a detected face is in no pair.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import results
from hard_photos import CHANGES, phantom_photo
from numpy.typing import NDArray

from anonderm.core import progress
from anonderm.core.errors import MissingExtra, MissingWeights
from anonderm.core.images import Pixels, read_image
from anonderm.embeddings.faces.detectors import detector
from anonderm.embeddings.matchers.matcher import Descriptions, IdentityMatcher
from anonderm.embeddings.matchers.registry import identity_matcher
from anonderm.embeddings.people.threshold import choose, count_distances
from anonderm.metrics.clustering import cluster

PLAIN, ALL = "as photographed", "all of these together"
PRECISION = 0.99
PHANTOMS, VIEWS, PHANTOM_SIZE = 40, 4, 512


@dataclass(frozen=True)
class Made:
    """A picture that was made harder; photograph: what it was made from."""

    kind: str
    person: str
    photograph: str
    image_HWC: Pixels

    def read(self) -> bytes:
        return repr(self.image_HWC.shape).encode() + self.image_HWC.tobytes()

    def pixels(self) -> Pixels:
        return self.image_HWC


def harder(folder: Path) -> list[Made]:
    """Every photo as it is and in eight harder versions, the same at every call."""
    finder, made = detector("dlib"), []
    for number, path in enumerate(sorted(folder.glob("*_*.jpg"))):
        image_HWC, person = read_image(path), path.name.partition("_")[0]
        points_32 = finder.find(image_HWC)[0].eyes_and_mouth_32
        made.append(Made(PLAIN, person, path.name, image_HWC))
        for kind, (name, change) in enumerate(CHANGES.items()):
            harder_HWC = change(image_HWC, points_32, np.random.default_rng((number, kind)))
            made.append(Made(name, person, path.name, np.ascontiguousarray(harder_HWC)))
    return made


def phantoms() -> list[Made]:
    return [
        Made(
            "phantoms from four sides",
            f"p{person}",
            f"p{person}-{view}",
            phantom_photo(person, view, PHANTOM_SIZE),
        )
        for person in range(PHANTOMS)
        for view in range(VIEWS)
    ]


def scores(photos: Sequence[Made], found: Descriptions, matcher: IdentityMatcher) -> dict[str, Any]:
    people_N = np.array([photo.person for photo in photos])
    photograph_N = np.array([photo.photograph for photo in photos])
    one, two = np.triu_indices(len(photos), 1)
    other = photograph_N[one] != photograph_N[two]
    one, two = one[other], two[other]
    same_P = people_N[one] == people_N[two]
    distances_P = np.linalg.norm(found.rows_ND[one] - found.rows_ND[two], axis=1)
    faces = np.flatnonzero(np.isfinite(found.rows_ND).all(axis=1))
    rows_MD, unknown = found.rows_ND[faces], [None] * len(faces)
    chosen = choose(count_distances(rows_MD, unknown), matcher.published)
    group_N = np.arange(len(photos)) + len(photos)  # a photo without a face is a group of its own
    group_N[faces] = cluster(rows_MD, unknown, unknown, chosen.value)
    best, at = best_recall(distances_P, same_P)
    return {
        "photos": len(photos),
        "faces": dict(Counter(name for name in found.detectors if name)),
        "pairs_of_one_person": int(same_P.sum()),
        "pairs_of_two": int((~same_P).sum()),
        "chosen_threshold": round(chosen.value, 3),
        "how": chosen.how,
        "pairs_below_it": rates(distances_P <= chosen.value, same_P),
        "pairs_in_one_group": rates(group_N[one] == group_N[two], same_P),
        f"best_recall_at_precision_{PRECISION}": best,
        "at_threshold": at,
    }


def rates(joined_P: NDArray[np.bool_], same_P: NDArray[np.bool_]) -> dict[str, float | None]:
    both = int((joined_P & same_P).sum())
    precision = round(both / int(joined_P.sum()), 4) if joined_P.any() else None
    return {"precision": precision, "recall": round(both / int(same_P.sum()), 4)}


def best_recall(distances_P: NDArray[Any], same_P: NDArray[np.bool_]) -> tuple[float, float | None]:
    """The largest recall at a threshold with the precision asked for, and that threshold."""
    order = np.argsort(np.where(np.isfinite(distances_P), distances_P, np.inf), kind="stable")
    order = order[np.isfinite(distances_P[order])]
    right = np.cumsum(same_P[order])
    good = np.flatnonzero(right / np.arange(1, len(order) + 1) >= PRECISION)
    if not len(good):
        return 0.0, None
    return round(int(right[good[-1]]) / int(same_P.sum()), 4), round(float(distances_P[order[good[-1]]]), 3)


def measure(matcher: IdentityMatcher, photos: Sequence[Made]) -> dict[str, Any]:
    start = time.process_time()
    with progress.bar(f"describing with {matcher.name}", len(photos)) as bar:
        found = matcher.describe(photos, bar)
    seconds = time.process_time() - start
    kinds = dict.fromkeys(photo.kind for photo in photos)
    drawn = next(reversed(kinds))
    sets = {kind: [row for row, photo in enumerate(photos) if photo.kind == kind] for kind in kinds}
    sets[ALL] = [row for row, photo in enumerate(photos) if photo.kind != drawn]
    by_set = {}
    for kind, rows in sets.items():
        chosen = Descriptions(found.rows_ND[rows], tuple(found.detectors[row] for row in rows))
        by_set[kind] = scores([photos[row] for row in rows], chosen, matcher)
    return {"processor_seconds_a_photo": round(seconds / len(photos), 3), "sets": by_set}


def matchers(arcface: Path | None) -> list[IdentityMatcher]:
    found = []
    for name in ("dlib", "sface", *([str(arcface)] if arcface else [])):
        try:
            found.append(identity_matcher(name))
        except (MissingExtra, MissingWeights) as error:
            print(f"{name} is left out: {error.message}")
    return found


if __name__ == "__main__":
    parser = results.argument_parser(__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--arcface", type=Path)
    given = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one process, whose seconds count
    pictures = harder(given.photos) + phantoms()
    with tempfile.TemporaryDirectory() as scratch:
        results.cache_embeddings_in(Path(scratch))
        measured = {matcher.name: measure(matcher, pictures) for matcher in matchers(given.arcface)}
    results.write("people", {"arcface": given.arcface.name if given.arcface else None, "matchers": measured})
