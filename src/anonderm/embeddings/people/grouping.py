"""The person on each photo, by the faces."""

# N photos, D features of a descriptor

from collections import Counter
from collections.abc import Sequence

import numpy as np

from anonderm.core.images import Pixels
from anonderm.core.rundir import RunDir
from anonderm.embeddings.matchers.matcher import IdentityMatcher, Picture
from anonderm.embeddings.people.sheet import sheet
from anonderm.embeddings.people.threshold import choose, count_distances
from anonderm.metrics.clustering import cluster


def group_people(
    photos: Sequence[Picture],
    matcher: IdentityMatcher,
    known: Sequence[str | None],
    originals: Sequence[str | None],
    threshold: float | None,
    run: RunDir,
) -> tuple[list[int | None], Pixels | None]:
    """The number of the person on each photo, None without a face; and a picture of the distances.

    known: the person, where the source states it; known people are neither divided nor joined, and other
    photos may join them. originals: the photo that each one is an augmented copy of; its copies stay
    together. threshold: the user's; None to choose one. Raises MissingExtra, MissingPath, UnreadableImage or
    ProcessLost.
    """
    with run.bar(f"describing faces with {matcher.name}", len(photos)) as bar:
        described = matcher.describe(photos, bar)
    descriptors_ND = described.rows_ND
    by = Counter(detector for detector in described.detectors if detector)
    run.log("faces found by " + ", ".join(f"{name}: {count}" for name, count in sorted(by.items())))
    rows = np.flatnonzero(np.isfinite(descriptors_ND).all(axis=1)).tolist()
    if len(rows) < len(photos):
        run.log(f"no face was found on {len(photos) - len(rows)} photos; each counts as another person")
    if len(rows) < 2:
        return [None] * len(photos), None
    descriptors_ND, names = descriptors_ND[rows], [known[row] for row in rows]
    distances = count_distances(descriptors_ND, names)
    chosen = choose(distances, matcher.published, threshold)
    person_N = cluster(descriptors_ND, names, [originals[row] for row in rows], chosen.value)
    people = len(set(person_N.tolist()))
    run.log(
        f"{len(rows)} faces of {people} people, by {matcher.name} with a distance threshold of "
        f"{chosen.value:.3f} ({chosen.how}); check people.png"
    )
    if chosen.expected_false is not None and chosen.expected_false >= 1:
        run.log(f"about {chosen.expected_false:.0f} impostor pairs are expected below the threshold")
    evidence = sheet([photos[row] for row in rows], descriptors_ND, distances, chosen, person_N)
    numbers = dict(zip(rows, person_N.tolist(), strict=True))
    return [numbers.get(row) for row in range(len(photos))], evidence
