"""Settings of the data-mix study: those of one classifier, and of the arms. Imports no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from anonderm.classify.config import TrainClassifierConfig
from anonderm.core.config import check

_OWN = ("ratios", "seeds", "lengths", "bootstrap_samples", "jobs")


@dataclass(frozen=True)
class DataMixConfig(TrainClassifierConfig):
    """Train one classifier on real faces, on synthetic ones and on both, and test each on real faces."""

    ratios: tuple[float, ...] = (0.5, 1.0, 2.0, 5.0, 10.0)
    """Synthetic faces that are added to the real ones, as multiples of the real ones of each class."""
    seeds: int = 3
    """Trainings of each arm, with the seeds seed, seed + 1, ..."""
    lengths: Literal["steps", "epochs"] = "steps"
    """What all arms have in common. steps: the optimiser steps, so that more of them are not mistaken for
    better faces; epochs: how often each of their faces is shown, as published."""
    bootstrap_samples: int = 1000
    """Bootstrap resamples of the people behind each interval."""
    jobs: int = 1
    """Trainings that run side by side; they share the processor's cores, or have a GPU each while there are
    enough."""

    def __post_init__(self) -> None:
        TrainClassifierConfig.__post_init__(self)
        check(
            all(ratio > 0 for ratio in self.ratios) and list(self.ratios) == sorted(set(self.ratios)),
            f"ratios = {self.ratios}: must be above 0 and grow.",
            "The ratio 0 is the arm on real faces, which is always there.",
        )
        check(self.seeds >= 1, f"seeds = {self.seeds}: must be at least 1.")
        check(
            self.bootstrap_samples >= 100,
            f"bootstrap_samples = {self.bootstrap_samples}: must be at least 100.",
        )
        check(self.jobs >= 1, f"jobs = {self.jobs}: must be at least 1.")
        check(
            self.head in ("softmax", "corn"),
            f"head = {self.head}: learned from lesions, which nobody has marked on synthetic faces.",
            "Give head = softmax or corn.",
        )
        check(
            self.epoch_faces is None or self.lengths == "steps",
            f"epoch_faces = {self.epoch_faces} makes all arms as long, lengths = {self.lengths} does not.",
            "Leave one of them out.",
        )

    @property
    def is_augmented(self) -> bool:
        """Whether training faces are changed in any of the conventional ways."""
        return self.classifier() != self.classifier(augmented=False)

    def classifier(
        self, seed: int | None = None, epoch_faces: int | None = None, *, augmented: bool = True
    ) -> TrainClassifierConfig:
        """The settings of one training."""
        shared = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _OWN
        }
        config = TrainClassifierConfig(**shared)
        config = dataclasses.replace(
            config,
            seed=self.seed if seed is None else seed,
            epoch_faces=self.epoch_faces if epoch_faces is None else epoch_faces,
        )
        if augmented:
            return config
        return dataclasses.replace(
            config, flip=False, brightness=(1.0, 1.0), rotation=0.0, translation=0.0, zoom=0.0
        )
