"""The arms of the data-mix study: what each of them learns from. K classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face
from anonderm.experiments.data_mix.config import DataMixConfig
from anonderm.experiments.data_mix.pools import Pool, joined

REAL, SYNTHETIC = "real", "synthetic"


@dataclass(frozen=True)
class Arm:
    """One way to make a training set.

    `learns` holds a training set a seed. `scores` names, for each test set (real, synthetic), what the arm
    tested on it is called. `added` is the ratio of synthetic faces to real ones, None where that is not what
    the arm varies.
    """

    name: str
    told: str
    learns: tuple[FaceSet, ...]
    scores: Mapping[str, str]
    synthetic: int = 0
    """How many of the faces to learn from are synthetic."""
    augmented: bool = True
    added: float | None = None
    short: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Of each class with too few synthetic faces: how many there are, and how many were wanted."""


def arms(config: DataMixConfig, real: Pool, synthetic: Pool) -> tuple[list[Arm], list[str]]:
    """All arms, that on real faces first, and what is to be said of those that are not as asked for.

    Synthetic faces are added to the real ones in one random order a seed, so that a larger ratio holds the
    faces of the smaller ones. Only the arms without real faces choose their epoch by synthetic ones.
    """
    seeds = range(config.seed, config.seed + config.seeds)
    on_real = joined([real.learn], real.choose)
    on_synthetic = joined([synthetic.learn], synthetic.choose)
    found = [
        Arm(REAL, "real faces", (on_real,) * len(seeds), {REAL: "trtr", SYNTHETIC: "trts"}, added=0.0),
        Arm(
            SYNTHETIC,
            "synthetic faces",
            (on_synthetic,) * len(seeds),
            {REAL: "tstr", SYNTHETIC: "tsts"},
            len(synthetic.learn),
        ),
        _equal_size(real, synthetic, seeds),
    ]
    notes = []
    if config.is_augmented:
        told = "real faces, not augmented"
        found.append(Arm("real-plain", told, (on_real,) * len(seeds), {REAL: "trtr-plain"}, augmented=False))
    else:
        notes.append("the training faces are not augmented: there is no arm without augmentation to compare")
    fullest = 0
    for ratio in config.ratios:
        arm = _augmented_with(ratio, real, synthetic, seeds)
        if len(arm.learns[0]) <= fullest:
            notes.append(f"{arm.name} is left out: there are no synthetic faces left to add")
            continue
        fullest = len(arm.learns[0])
        found.append(arm)
    return found, notes + [_shortage(arm) for arm in found if arm.short]


def _equal_size(real: Pool, synthetic: Pool, seeds: range) -> Arm:
    """As many faces of each class as the real sets have, to learn from and to choose by."""
    wanted, choosing = real.learn.label_counts, real.choose.label_counts
    parts = [
        (_some(synthetic.learn, wanted, seed), _some(synthetic.choose, choosing, seed)) for seed in seeds
    ]
    return Arm(
        "synthetic-equal",
        "as many synthetic faces as there are real ones",
        tuple(joined([learn], choose) for learn, choose in parts),
        {REAL: "tstr-equal"},
        synthetic=len(parts[0][0]),
        short=_short(synthetic.learn, wanted),
    )


def _augmented_with(ratio: float, real: Pool, synthetic: Pool, seeds: range) -> Arm:
    wanted = {label: round(ratio * count) for label, count in real.learn.label_counts.items()}
    every = FaceSet(synthetic.learn.folder, synthetic.learn.faces + synthetic.choose.faces)
    added = [_some(every, wanted, seed) for seed in seeds]
    name = f"real+{ratio:g}x"
    return Arm(
        name,
        f"real faces, and {ratio:g} synthetic ones for each",
        tuple(joined([real.learn, each], real.choose) for each in added),
        {REAL: name},
        synthetic=len(added[0]),
        added=ratio,
        short=_short(every, wanted),
    )


def _some(faces: FaceSet, wanted_K: Mapping[str, int], seed: int) -> FaceSet:
    """The first so many faces of each class in the random order of this seed; all where there are fewer."""
    chosen: list[Face] = []
    for number, (label, wanted) in enumerate(wanted_K.items()):
        of_label = faces.where(label=label).faces
        order = np.random.default_rng((seed, number)).permutation(len(of_label))
        chosen += [of_label[row] for row in order[:wanted]]
    return FaceSet(faces.folder, tuple(chosen))


def _short(faces: FaceSet, wanted_K: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    here = faces.label_counts
    return {
        label: (here.get(label, 0), wanted)
        for label, wanted in wanted_K.items()
        if here.get(label, 0) < wanted
    }


def _shortage(arm: Arm) -> str:
    listed = ", ".join(f"{here} of {wanted} {label}" for label, (here, wanted) in arm.short.items())
    return f"{arm.name}: too few synthetic faces, there are {listed}"
