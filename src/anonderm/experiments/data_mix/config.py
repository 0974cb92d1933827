"""Settings of the data-mix study: those of one classifier, and of the arms. Imports no torch."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from anonderm.classify.config import TrainClassifierConfig
from anonderm.classify.planning import face_seconds
from anonderm.core.config import Positive, check, inherited_settings
from anonderm.core.cost import Cost, Workload


@dataclass(frozen=True)
class DataMixConfig(TrainClassifierConfig):
    """Train one classifier on real faces, on synthetic ones and on both, and test each on real faces."""

    ratios: tuple[Positive, ...] = (0.5, 1.0, 2.0, 5.0, 10.0)
    """Numbers of synthetic faces to add, as multiples of the real ones of each class."""
    seeds: Annotated[int, Ge(1), Le(100)] = 3
    """Trainings of each arm, with the seeds seed, seed + 1, ..."""
    lengths: Literal["steps", "epochs"] = "steps"
    """What is the same for all arms. steps: the number of optimiser steps, so that longer training is not
    mistaken for better faces; epochs: how often each face is shown, as published."""
    bootstrap_samples: Annotated[int, Ge(100), Le(100_000)] = 1000
    """Bootstrap resamples of the people behind each interval."""
    jobs: Annotated[int, Ge(1), Le(256)] = 1
    """Trainings that run in parallel; they share the CPU cores, or have a GPU each while there are enough."""

    def __post_init__(self) -> None:
        TrainClassifierConfig.__post_init__(self)
        check(
            list(self.ratios) == sorted(set(self.ratios)),
            f"ratios = {self.ratios}: must increase.",
            "The ratio 0 is the arm on real faces, which is always there.",
        )
        check(
            self.head in ("softmax", "corn"),
            f"head = {self.head}: trained on lesions, which are not annotated on synthetic faces.",
            "Give head = softmax or corn.",
        )
        check(
            self.epoch_faces is None or self.lengths == "steps",
            f"epoch_faces = {self.epoch_faces} makes all arms equal, but lengths = {self.lengths} does not.",
            "Leave one of them out.",
        )

    @property
    def is_augmented(self) -> bool:
        """Whether any augmentation of the training faces is on."""
        return self.classifier() != self.classifier(augmented=False)

    def classifier(
        self, seed: int | None = None, epoch_faces: int | None = None, *, augmented: bool = True
    ) -> TrainClassifierConfig:
        """The settings of one training."""
        config = inherited_settings(TrainClassifierConfig, self)
        config = dataclasses.replace(
            config, seed=self.seed if seed is None else seed, epoch_faces=epoch_faces or self.epoch_faces
        )
        if augmented:
            return config
        return dataclasses.replace(
            config, flip=False, brightness=(1.0, 1.0), rotation=0.0, translation=0.0, zoom=0.0
        )


def data_mix_cost(config: DataMixConfig, work: Workload) -> Cost:
    shown = config.seeds * config.epochs * _shown_in_all_arms(config, work.faces.count)
    return Cost(
        work.faces, measured_s=shown * face_seconds(config.classifier(), config.size or work.faces.size)
    )


def _shown_in_all_arms(config: DataMixConfig, real: int) -> float:
    """Faces shown in an epoch, summed over the arms."""
    if config.lengths == "steps":
        return (4 + len(config.ratios)) * (config.epoch_faces or real)
    return real * (4 + sum(1 + ratio for ratio in config.ratios))
