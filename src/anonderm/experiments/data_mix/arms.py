"""The faces of the data-mix study, and its arms: what each of them is trained on.

No person, and no two synthetic faces that are related, are in two of training, validation and test.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anonderm.classify.split import split_by_class
from anonderm.core.errors import BadLabel, InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face
from anonderm.core.results.data_mix import Shortage
from anonderm.core.splits import hold_out
from anonderm.evaluate.held_out import labelled_test_faces
from anonderm.experiments.data_mix.config import DataMixConfig


@dataclass(frozen=True)
class Pool:
    """Training faces, validation faces to choose the best epoch, and test faces."""

    train: FaceSet
    val: FaceSet
    test: FaceSet


def real_pool(real: FaceSet, seed: int) -> Pool:
    """By the set's splits.

    Raises InputError without a test split or with people in two splits, BadLabel, TooFewImages.
    """
    test = labelled_test_faces(real)
    train, val = split_by_class(real, seed)
    tested = {face.person for face in test}
    both = [face.person for face in (*train, *val) if face.person in tested]
    if both:
        raise InputError(
            f"{real.folder}: {len(set(both))} people are in training and in the test, such as {both[0]}.",
            "Ingest the photos again, with a subject for each photo, so that the split is by person.",
        )
    unknown = sorted(set(test.labels) - set(train.labels))
    if unknown:
        raise BadLabel(
            f"{real.folder}: no training face has the label {unknown[0]} of the test split.",
            "Ingest again with more people of this label, or without them.",
        )
    return Pool(train, val, test)


def synthetic_pool(synthetic: FaceSet, classes: tuple[str, ...], seed: int) -> Pool:
    """By the set's splits if it has a test split; otherwise a fifth is held out for testing.

    Faces that share a parent or a latent stay together. Raises TooFewImages, or BadLabel for other classes.
    """
    if synthetic.labels != classes:
        raise BadLabel(
            f"{synthetic.folder}: its classes are {', '.join(synthetic.labels) or 'none'}; "
            f"the real training faces are {', '.join(classes)}.",
            "Give synthetic faces of exactly the classes of the real ones.",
        )
    test, rest = synthetic.where(split="test"), synthetic.where(split=("train", "val", None))
    if len(test) == 0:
        rest, test = hold_out(rest, [str(face.label) for face in rest], seed)
    train, val = split_by_class(rest, seed)
    return Pool(train, val, test)


def joined(train: Iterable[FaceSet], val: FaceSet) -> FaceSet:
    """One set to train on, with explicit splits, of faces that stay in the folders where they are.

    Files are relative to the folder that all sets share; ids are prefixed where there are several sets.
    """
    parts = [(part, "train") for part in train] + [(val, "val")]
    folders = [part.folder.resolve() for part, _ in parts]
    root = Path(os.path.commonpath(folders))
    several = len(set(folders)) > 1
    faces = []
    for (part, split), folder in zip(parts, folders, strict=True):
        below = folder.relative_to(root)
        prefix = f"{folders.index(folder)}-" if several else ""
        for face in part:
            file, mask = str(below / face.file), str(below / face.mask) if face.mask else None
            moved = dataclasses.replace(face, id=prefix + face.id, file=file, mask=mask, split=split)
            faces.append(moved)
    return FaceSet(root, tuple(faces))


REAL, SYNTHETIC = "real", "synthetic"


@dataclass(frozen=True)
class Arm:
    """One composition of the training set; `training_sets` holds one for each seed.

    test_names: by test set (real, synthetic), what the literature calls this arm tested on it. ratio:
    synthetic faces asked for per real one; None for arms that do not vary it.
    """

    name: str
    description: str
    training_sets: tuple[FaceSet, ...]
    test_names: Mapping[str, str]
    synthetic: int = 0
    """How many of the training faces are synthetic."""
    augmented: bool = True
    ratio: float | None = None
    shortages: Mapping[str, Shortage] = field(default_factory=dict)
    """The classes with too few synthetic faces."""


def arms(config: DataMixConfig, real: Pool, synthetic: Pool) -> tuple[list[Arm], list[str]]:
    """All arms, the one on real faces first, and notes on those that differ from what was asked for.

    Synthetic faces are added to the real ones in one random order for each seed, so that a larger ratio
    contains the faces of the smaller ones. Only the arms without real faces validate on synthetic ones.
    """
    seeds = range(config.seed, config.seed + config.seeds)
    on_real = joined([real.train], real.val)
    on_synthetic = joined([synthetic.train], synthetic.val)
    found = [
        Arm(REAL, "real faces", (on_real,) * len(seeds), {REAL: "trtr", SYNTHETIC: "trts"}, ratio=0.0),
        Arm(
            SYNTHETIC,
            "synthetic faces",
            (on_synthetic,) * len(seeds),
            {REAL: "tstr", SYNTHETIC: "tsts"},
            len(synthetic.train),
        ),
        _equal_size(real, synthetic, seeds),
    ]
    notes = []
    if config.is_augmented:
        description = "real faces, not augmented"
        found.append(
            Arm("real-plain", description, (on_real,) * len(seeds), {REAL: "trtr-plain"}, augmented=False)
        )
    else:
        notes.append("the training faces are not augmented: there is no arm without augmentation to compare")
    largest = 0
    for ratio in config.ratios:
        arm = _augmented_with(ratio, real, synthetic, seeds)
        if len(arm.training_sets[0]) <= largest:
            notes.append(f"{arm.name} is left out: there are no synthetic faces left to add")
            continue
        largest = len(arm.training_sets[0])
        found.append(arm)
    return found, notes + [_shortage_note(arm) for arm in found if arm.shortages]


def _equal_size(real: Pool, synthetic: Pool, seeds: range) -> Arm:
    """As many faces of each class as the real sets have, for training and for validation."""
    train, val = real.train.label_counts, real.val.label_counts
    parts = [(_draw(synthetic.train, train, seed), _draw(synthetic.val, val, seed)) for seed in seeds]
    return Arm(
        "synthetic-equal",
        "as many synthetic faces as real ones",
        tuple(joined([drawn], val) for drawn, val in parts),
        {REAL: "tstr-equal"},
        synthetic=len(parts[0][0]),
        shortages=_shortages(synthetic.train, train),
    )


def _augmented_with(ratio: float, real: Pool, synthetic: Pool, seeds: range) -> Arm:
    wanted = {label: round(ratio * count) for label, count in real.train.label_counts.items()}
    available = FaceSet(synthetic.train.folder, synthetic.train.faces + synthetic.val.faces)
    added = [_draw(available, wanted, seed) for seed in seeds]
    name = f"real+{ratio:g}x"
    return Arm(
        name,
        f"real faces and {ratio:g} times as many synthetic ones",
        tuple(joined([real.train, each], real.val) for each in added),
        {REAL: name},
        synthetic=len(added[0]),
        ratio=ratio,
        shortages=_shortages(available, wanted),
    )


def _draw(faces: FaceSet, wanted: Mapping[str, int], seed: int) -> FaceSet:
    """The wanted number of faces of each class, first in this seed's random order; all if there are fewer."""
    chosen: list[Face] = []
    for number, (label, count) in enumerate(wanted.items()):
        of_label = faces.where(label=label).faces
        order = np.random.default_rng((seed, number)).permutation(len(of_label))
        chosen += [of_label[row] for row in order[:count]]
    return FaceSet(faces.folder, tuple(chosen))


def _shortages(faces: FaceSet, wanted: Mapping[str, int]) -> dict[str, Shortage]:
    available = faces.label_counts
    return {
        label: Shortage(available.get(label, 0), count)
        for label, count in wanted.items()
        if available.get(label, 0) < count
    }


def _shortage_note(arm: Arm) -> str:
    listed = ", ".join(f"{each.available} of {each.wanted} {label}" for label, each in arm.shortages.items())
    return f"{arm.name}: too few synthetic faces, there are {listed}"
