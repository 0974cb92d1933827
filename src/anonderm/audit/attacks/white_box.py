"""White-box attacks: what an attacker learns who has the weights as well as the images.

discriminator  its score of a photo, since it was trained to call the training photos real: the white-box
               attack of Hayes et al. 2019 (LOGAN)
projection     the distance from a photo to the nearest image that the generator can draw, searched for in w:
               the white-box attack of Chen et al. 2020 (GAN-Leaks)

Projections are remembered batch by batch, so a killed run goes on with the next batch.
"""

# N photos, P people

from collections.abc import Iterator
from functools import partial
from itertools import groupby

import numpy as np

from anonderm.audit.attacks.membership import membership
from anonderm.audit.attacks.nearest_synthetic import first_by
from anonderm.audit.excess import Floats
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_bytes
from anonderm.core.progress import Bar
from anonderm.core.records import Face
from anonderm.core.results.audit import Attack
from anonderm.core.rundir import RunDir
from anonderm.models.stylegan2 import white_box_scores

_BATCH = 16


def by_discriminator(
    name: str, generator: Checkpoint, main: FaceSet, control: FaceSet, run: RunDir, rng: np.random.Generator
) -> list[Attack]:
    """Membership by the discriminator's score, for each person the highest of their photos.

    Photos of classes that the networks do not have are left out. Empty if that leaves an arm empty, or if the
    checkpoint has no discriminator. Raises InputError unless it is a GAN checkpoint, BrokenArtefact.
    """
    arms = [_known(generator, arm) for arm in (main, control)]
    if not all(arms) or not white_box_scores.has_discriminator(generator):
        return []
    main_P, control_Q = (_discriminator_scores(generator, arm, run) for arm in arms)
    return membership("discriminator", name, main_P, control_Q, rng, "the discriminator's score of a photo")


def by_projection(
    name: str,
    generator: Checkpoint,
    main: FaceSet,
    control: FaceSet,
    people: int,
    steps: int,
    run: RunDir,
    rng: np.random.Generator,
) -> list[Attack]:
    """Membership by the distance left after projecting one photo of each of `people` people of both arms.

    Fewer if an arm has fewer, empty if it has none. Raises InputError, BrokenArtefact.
    """
    arms = [_one_photo_each(_known(generator, arm), rng) for arm in (main, control)]
    count = min(people, *(len(arm) for arm in arms))
    if not count:
        return []
    chosen = [FaceSet(arm.folder, arm.faces[:count]) for arm in arms]
    with run.bar("projecting photos", 2 * count) as bar:
        main_P, control_P = (_projection_distances(generator, arm, steps, run, bar) for arm in chosen)
    note = f"{steps} steps of projection, one photo each of {count} people of both sides"
    return membership("projection", name, -main_P, -control_P, rng, note)


def _known(generator: Checkpoint, faces: FaceSet) -> FaceSet:
    knows_N = white_box_scores.has_known_class(generator, faces)
    return FaceSet(faces.folder, tuple(f for f, knows in zip(faces, knows_N, strict=True) if knows))


def _discriminator_scores(generator: Checkpoint, faces: FaceSet, run: RunDir) -> Floats:
    """The highest score [P] of each person's photos."""
    parts = []
    with run.bar("scoring photos with the discriminator", len(faces)) as bar:
        for scores_B in white_box_scores.discriminator_scores(generator, faces):
            parts.append(scores_B)
            bar.advance(len(scores_B))
    score_N = np.concatenate(parts)
    return np.asarray(score_N[first_by([face.person for face in faces], -score_N)])


def _one_photo_each(faces: FaceSet, rng: np.random.Generator) -> FaceSet:
    """One random photo of each person, people in random order."""
    by_person: dict[str, Face] = {}
    for index in rng.permutation(len(faces)):
        by_person.setdefault(faces.faces[index].person, faces.faces[index])
    return FaceSet(faces.folder, tuple(by_person.values()))


def _projection_distances(generator: Checkpoint, faces: FaceSet, steps: int, run: RunDir, bar: Bar) -> Floats:
    """The remaining distance [N] of each photo."""
    found = dict[str, float]()
    for batch in _of_one_class(faces, bool(generator.card.classes)):
        work = (generator.digest, str(steps), *(face.sha256 for face in batch))
        key = f"projection {sha256_bytes(' '.join(work).encode())}"
        distances = run.remember(key, partial(_projected, generator, batch, steps))
        found |= {face.id: distance for face, distance in zip(batch, distances, strict=True)}
        bar.advance(len(batch))
    return np.array([found[face.id] for face in faces])


def _projected(generator: Checkpoint, batch: FaceSet, steps: int) -> list[float]:
    distances: list[float] = white_box_scores.projection_distances(generator, batch, steps).tolist()
    return distances


def _of_one_class(faces: FaceSet, has_classes: bool) -> Iterator[FaceSet]:
    """Batches, each of one class if the generator is conditional."""
    ordered = sorted(faces, key=lambda face: str(face.label)) if has_classes else faces.faces
    for _, group in groupby(ordered, key=lambda face: face.label if has_classes else None):
        yield from FaceSet(faces.folder, tuple(group)).batches(_BATCH)
