"""White box: what an attacker learns who is given the weights as well as the images.

discriminator  its score of a photo, as it was trained to call the training photos real: the white-box attack
of
               Hayes et al. 2019 (LOGAN)
projection     how near the generator comes to a photo when it may look for the best w: the white-box attack
of
               Chen et al. 2020 (GAN-Leaks)

Projections are kept in the run folder, batch by batch, so that a killed run goes on with the next batch.
"""

# N photos, P people

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby

import numpy as np

from anonderm.audit.arms import Floats
from anonderm.audit.attacks.membership import membership
from anonderm.audit.attacks.reach import first_by
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet
from anonderm.core.files import append_line, read_json_lines
from anonderm.core.progress import Bar
from anonderm.core.records import Face
from anonderm.core.results.audit import Attack
from anonderm.core.rundir import RunDir

_AT_ONCE = 16
_KEPT = "projections.jsonl"


def by_discriminator(
    name: str, generator: Checkpoint, main: FaceSet, control: FaceSet, run: RunDir, rng: np.random.Generator
) -> list[Attack]:
    """Membership by the discriminator's score; a person's is the highest of her photos.

    Photos of classes that the networks don't know are left out; nothing where that leaves an arm empty, or
    where the checkpoint holds no discriminator. Raises InputError unless it is a GAN checkpoint,
    BrokenArtefact.
    """
    from anonderm.models.stylegan2 import white_box_scores

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
    """Membership by how near projection into w comes to one photo of each of `people` people of either arm.

    Fewer where an arm has fewer; nothing where it has none. Raises InputError, BrokenArtefact.
    """
    arms = [_one_photo_each(_known(generator, arm), rng) for arm in (main, control)]
    count = min(people, *(len(arm) for arm in arms))
    if not count:
        return []
    chosen = [FaceSet(arm.folder, arm.faces[:count]) for arm in arms]
    with run.bar("projecting photos", 2 * count) as bar:
        main_P, control_P = (_projection_distances(generator, arm, steps, run, bar) for arm in chosen)
    note = f"{steps} steps of projection to one photo of {count} people of either side"
    return membership("projection", name, -main_P, -control_P, rng, note)


def _known(generator: Checkpoint, faces: FaceSet) -> FaceSet:
    from anonderm.models.stylegan2 import white_box_scores

    knows_N = white_box_scores.has_known_class(generator, faces)
    return FaceSet(faces.folder, tuple(f for f, knows in zip(faces, knows_N, strict=True) if knows))


def _discriminator_scores(generator: Checkpoint, faces: FaceSet, run: RunDir) -> Floats:
    """The highest score [P] of each person's photos."""
    from anonderm.models.stylegan2 import white_box_scores

    parts = []
    with run.bar("asking the discriminator", len(faces)) as bar:
        for scores_B in white_box_scores.discriminator_scores(generator, faces):
            parts.append(scores_B)
            bar.advance(len(scores_B))
    score_N = np.concatenate(parts)
    return np.asarray(score_N[first_by([face.person for face in faces], -score_N)])


def _one_photo_each(faces: FaceSet, rng: np.random.Generator) -> FaceSet:
    """A photo of each person, people and photos in random order."""
    by_person: dict[str, Face] = {}
    for index in rng.permutation(len(faces)):
        by_person.setdefault(faces.faces[index].person, faces.faces[index])
    return FaceSet(faces.folder, tuple(by_person.values()))


def _projection_distances(generator: Checkpoint, faces: FaceSet, steps: int, run: RunDir, bar: Bar) -> Floats:
    """The distance left [N] of every photo."""
    from anonderm.models.stylegan2 import white_box_scores

    path, found = run.folder / _KEPT, dict[str, float]()
    kept = {tuple(row["asked"]): row["distances"] for row in read_json_lines(path)}
    for batch in _of_one_class(faces, bool(generator.card.classes)):
        question = (generator.digest, str(steps), *(face.sha256 for face in batch))
        if question not in kept:
            kept[question] = white_box_scores.projection_distances(generator, batch, steps).tolist()
            append_line(path, json.dumps({"asked": question, "distances": kept[question]}))
        found |= {face.id: distance for face, distance in zip(batch, kept[question], strict=True)}
        bar.advance(len(batch))
    return np.array([found[face.id] for face in faces])


def _of_one_class(faces: FaceSet, has_classes: bool) -> Iterator[FaceSet]:
    """Batches, each of one class where the generator knows classes."""
    ordered = sorted(faces, key=lambda face: str(face.label)) if has_classes else faces.faces
    for _, group in groupby(ordered, key=lambda face: face.label if has_classes else None):
        yield from FaceSet(faces.folder, tuple(group)).batches(_AT_ONCE)
