"""Splits by person: nobody is in two parts of a split.

assign_splits     train, val and test at ingest, stratified by class
hold_out          a fifth of the faces, stratified by class: classifiers, the data-mix study
hold_out_people   a number of people, not stratified: lesion detectors, skin masks, halves of a set
group_folds       folds of a cross-validation, blocks of a jackknife

`hold_out` and `hold_out_people` draw differently; one for both would change the splits of existing runs.
"""

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face

Rows = NDArray[np.intp]


def assign_splits(
    subjects: Sequence[str],
    labels: Sequence[str],
    val_share: float,
    test_share: float,
    rng: np.random.Generator,
) -> dict[str, str]:
    """The split ("train", "val" or "test") of each person.

    subjects, labels: one entry a photo. People are drawn class by class; a person with photos of several
    classes counts for their most frequent one. The shares of each class are exact to one person. If its share
    is above zero, test has someone of every class of two people or more, val of every class of three or more.
    The result does not depend on the order of the photos.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for subject, label in zip(subjects, labels, strict=True):
        counts[subject][label] += 1
    people: dict[str, list[str]] = defaultdict(list)
    for subject, of_person in counts.items():
        people[max(sorted(of_person), key=of_person.__getitem__)].append(subject)

    splits: dict[str, str] = {}
    for _, members in sorted(people.items()):
        test, val = _sizes(len(members), val_share, test_share)
        drawn = shuffled(members, rng)
        splits |= dict.fromkeys(drawn[:test], "test")
        splits |= dict.fromkeys(drawn[test : test + val], "val")
        splits |= dict.fromkeys(drawn[test + val :], "train")
    return splits


def _sizes(people: int, val_share: float, test_share: float) -> tuple[int, int]:
    """How many people of a class go to test and to val; at least one stays in train."""
    test = min(max(round(people * test_share), int(test_share > 0)), people - 1)
    val = min(max(round(people * val_share), int(val_share > 0)), people - 1 - test)
    return test, val


def train_and_val(
    faces: FaceSet, hold_out: Callable[[FaceSet], tuple[FaceSet, FaceSet]]
) -> tuple[FaceSet, FaceSet]:
    """Faces to train on (split train or none) and faces to validate on, never of split test.

    In a set without val rows, `hold_out` takes the validation faces from the others.
    """
    train, val = faces.where(split=("train", None)), faces.where(split="val")
    return (train, val) if len(val) else hold_out(train)


def hold_out(faces: FaceSet, strata: Sequence[str], seed: int) -> tuple[FaceSet, FaceSet]:
    """About four fifths of the faces, and the others, which share no person, parent or latent with them.

    strata: one a face, divided as evenly as families allow. With one family, the second part is empty.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    family_N = families(faces)
    folds = min(5, len(set(family_N)), max(Counter(strata).values(), default=0))
    if folds < 2:
        return faces, FaceSet(faces.folder, ())
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about classes smaller than the number of folds
        _, held_out = next(splitter.split(np.zeros(len(faces)), strata, family_N))
    return _parts(faces, np.isin(np.arange(len(faces)), held_out))


def hold_out_people(faces: FaceSet, count: int, rng: np.random.Generator) -> tuple[FaceSet, FaceSet]:
    """The faces of all people but `count` drawn at random, and the faces of these `count`."""
    drawn = set(shuffled((face.person for face in faces), rng)[:count])
    return _parts(faces, [face.person in drawn for face in faces])


def _parts(faces: FaceSet, held_out_N: Iterable[bool]) -> tuple[FaceSet, FaceSet]:
    parts: tuple[list[Face], list[Face]] = ([], [])
    for face, held_out in zip(faces, held_out_N, strict=True):
        parts[int(held_out)].append(face)
    rest, held = (FaceSet(faces.folder, tuple(part)) for part in parts)
    return rest, held


def families(faces: FaceSet) -> Rows:
    """A number [N] for each face: that of its family, tied by people, parents and latents."""
    from scipy.cluster.hierarchy import DisjointSet

    sets, first = DisjointSet(range(len(faces))), dict[tuple[str, ...], int]()
    for row, face in enumerate(faces):
        for tie in _ties(face):
            sets.merge(row, first.setdefault(tie, row))
    roots = [sets[row] for row in range(len(faces))]
    numbers = {root: number for number, root in enumerate(dict.fromkeys(roots))}
    return np.array([numbers[root] for root in roots], np.intp)


def _ties(face: Face) -> list[tuple[str, ...]]:
    """What a face may share with others. A seed names one latent of one generator, whatever the class."""
    ties: list[tuple[str, ...]] = [("subject", face.subject)] if face.subject else []
    if face.checkpoint and face.seed is not None:
        ties.append(("latent", face.checkpoint, str(face.seed)))
    return [*ties, *(("parent", parent) for parent in face.parents)]


def shuffled(groups: Iterable[Any], rng: np.random.Generator) -> list[Any]:
    """The distinct groups in random order, independent of the order in which they are passed."""
    distinct = sorted(set(groups))
    return [distinct[index] for index in rng.permutation(len(distinct))]


def group_folds(groups: Sequence[Hashable], folds: int, rng: np.random.Generator) -> list[list[Rows]]:
    """Folds with equal numbers of groups, dealt at random; for each fold the rows of each of its groups."""
    members = rows_by_group(groups)
    order = rng.permutation(len(members))
    return [[members[group] for group in order[fold::folds]] for fold in range(folds)]


def rows_by_group(groups: Sequence[Hashable]) -> list[Rows]:
    """The row indices of each group, in the order in which groups first appear."""
    found: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        found.setdefault(group, []).append(row)
    return [np.array(rows, np.intp) for rows in found.values()]
