"""Who is shown on each photo, by the faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anonderm.core.images import Pixels
from anonderm.core.rundir import RunDir
from anonderm.embeddings.people.threshold import choose, count_distances
from anonderm.ingest.people.describe import describe
from anonderm.ingest.people.sheet import sheet
from anonderm.ingest.sources.photo import Photo
from anonderm.metrics.clustering import cluster


def identify(
    photos: Sequence[Photo], known: Sequence[str | None], given: float | None, run: RunDir
) -> tuple[dict[str, str], Pixels | None]:
    """The person on each photo, by the photo's name, and a picture of the distances and the doubtful pairs.

    known: the person where the source says it; such people are neither divided nor put together. The others
    are put together by their faces, or with a known person, and augmented copies of one photo show one
    person. A photo without a face is a person of its own. `given` is the user's threshold.
    Raises MissingExtra, MissingPath, UnreadableImage or ProcessLost.
    """
    persons = {
        photo.name: name or photo.original or photo.name for photo, name in zip(photos, known, strict=True)
    }
    with run.bar("comparing faces", len(photos)) as bar:
        described = describe(photos, run.folder / ".people.jsonl", bar)
    shown = [index for index, descriptor in enumerate(described) if descriptor is not None]
    if len(shown) < len(photos):
        run.log(f"no face is found on {len(photos) - len(shown)} photos; each counts as another person")
    if len(shown) < 2:
        return persons, None
    faces, names = [photos[index] for index in shown], [known[index] for index in shown]
    descriptors_ND = np.stack([descriptor for descriptor in described if descriptor is not None])
    distances = count_distances(descriptors_ND, names)
    threshold = choose(distances, given)
    person_N = cluster(descriptors_ND, names, [photo.original for photo in faces], threshold.value)
    run.log(
        f"{len(faces)} faces of {len(set(person_N.tolist()))} people, told apart at a distance of "
        f"{threshold.value:.3f} ({threshold.how}); look at people.png"
    )
    if threshold.wrong is not None and threshold.wrong >= 1:
        run.log(f"about {threshold.wrong:.0f} pairs of strangers are expected to be as near as that")
    picture = sheet(faces, descriptors_ND, distances, threshold, person_N)
    return persons | _named(faces, names, person_N.tolist()), picture


def _named(photos: Sequence[Photo], known: Sequence[str | None], clusters: Sequence[int]) -> dict[str, str]:
    """A person is called as the source does, or by the first photo's name."""
    name_of: dict[int, str] = {}
    for photo, name, number in sorted(
        zip(photos, known, clusters, strict=True), key=lambda each: (each[1] is None, each[0].name)
    ):
        name_of.setdefault(number, name or photo.name)
    return {photo.name: name_of[number] for photo, number in zip(photos, clusters, strict=True)}
