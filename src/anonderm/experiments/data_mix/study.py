"""evaluate data-mix: one classifier, trained on every mix of real and synthetic faces."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonderm.classify.config import TrainClassifierConfig
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.documents import read_json
from anonderm.core.errors import Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.files import write_json
from anonderm.core.launch import device
from anonderm.core.results.data_mix import ArmResult, ArmScores, DataMixResult
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.evaluate.held_out import predict_all
from anonderm.evaluate.statistics import chance_warning
from anonderm.experiments.data_mix.arms import REAL, SYNTHETIC, Arm, Pool, arms, real_pool, synthetic_pool
from anonderm.experiments.data_mix.config import DataMixConfig
from anonderm.experiments.data_mix.lineage import refuse_test_people
from anonderm.experiments.data_mix.scoring import TestSet, score_arms
from anonderm.experiments.data_mix.table import print_table, write_picture, write_table
from anonderm.experiments.subruns import SubRun, run_all
from anonderm.models.classifier.predict import load_grader

TRAININGS, _PREDICTIONS = "trainings", "predictions"


@dataclass(frozen=True)
class Training:
    """A classifier to train, and the named sets to test it on. `study` is the run folder of the study."""

    study: Path
    name: str
    label: str
    config: TrainClassifierConfig
    faces: FaceSet
    tests: Mapping[str, FaceSet]

    @property
    def folder(self) -> Path:
        return self.study / TRAININGS / self.name

    @property
    def predictions(self) -> Path:
        return self.study / _PREDICTIONS / f"{self.name}.json"

    @property
    def subrun(self) -> SubRun:
        """It can be sent to another process."""
        after = partial(_predict, self.predictions, dict(self.tests))
        return SubRun(self.folder, self.label, "train-classifier", self.config, {"faces": self.faces}, after)

    @property
    def predicted(self) -> dict[str, NDArray[np.intp]]:
        """The class index of each face of each test set. Raises MissingPath or BrokenArtefact."""
        found = read_json(self.predictions)
        return {name: np.array(found[name], np.intp) for name in self.tests}


def _predict(path: Path, tests: Mapping[str, FaceSet], record: RunRecord) -> None:
    """Write the predicted class of each face of each test set, unless that is done."""
    if path.exists():
        return
    classifier = load_grader(Checkpoint.load(record.folder / "checkpoint.safetensors"), device())
    predicted = {
        name: classifier.head_type.predict(predict_all(classifier, faces)).tolist()
        for name, faces in tests.items()
    }
    path.parent.mkdir(exist_ok=True)
    write_json(path, predicted)


def evaluate_data_mix(
    config: DataMixConfig,
    real: FaceSet,
    synthetic: FaceSet,
    source_models: tuple[Checkpoint, ...],
    run: RunDir,
) -> DataMixResult:
    """Train and test every arm; run again in the same folder, it continues with the unfinished trainings.

    source_models: the GANs and the grader behind the synthetic faces. Raises InputError, BadLabel,
    TooFewImages, Diverged, and what train_classifier raises.
    """
    warnings = refuse_test_people(real, synthetic, source_models)
    real_faces = real_pool(real, config.seed)
    classes = real_faces.train.labels
    synthetic_faces = synthetic_pool(synthetic, classes, config.seed)
    all_arms, notes = arms(config, real_faces, synthetic_faces)
    _log_faces(real_faces, synthetic_faces, [*notes, *(f"warning: {each}" for each in warnings)], run)
    tests = {REAL: real_faces.test, SYNTHETIC: synthetic_faces.test}
    trainings = {arm.name: _trainings(arm, config, tests, len(real_faces.train), run) for arm in all_arms}
    every = [training for of_arm in trainings.values() for training in of_arm]
    run_all([training.subrun for training in every], config.jobs, run)
    _refuse_diverged(every)

    scores = score_arms(config, _predictions(all_arms, trainings, tests), classes, run)
    majority_share = max(real_faces.test.label_counts.values()) / len(real_faces.test)
    for name in ("trtr", "tstr"):
        if (warning := chance_warning(scores[name].scores.accuracy, majority_share)) is not None:
            warnings.append(f"{name.upper()}: {warning}")
            run.log(f"warning: {warnings[-1]}")
    result = DataMixResult(
        classes=classes,
        backbone=config.backbone,
        weights=Checkpoint.load(every[0].folder / "checkpoint.safetensors").card.notes["weights"],
        seeds=config.seeds,
        lengths=config.lengths,
        n_people=real_faces.test.people,
        majority_share=majority_share,
        arms=tuple(_arm_result(arm, trainings[arm.name], scores) for arm in all_arms),
        warnings=tuple(warnings),
        notes=tuple(notes),
    )
    write_table(run.folder, result)
    write_picture(run.folder / "data-mix.png", result)
    print_table(result)
    return result


def _predictions(
    all_arms: Sequence[Arm], trainings: Mapping[str, Sequence[Training]], tests: Mapping[str, FaceSet]
) -> dict[str, TestSet]:
    """The predictions of all trainings on each test set."""
    found = {name: TestSet(faces, {}) for name, faces in tests.items()}
    for arm in all_arms:
        predicted = [training.predicted for training in trainings[arm.name]]
        for name, test_name in arm.test_names.items():
            found[name].predicted[test_name] = np.stack([each[name] for each in predicted])
    return found


def _log_faces(real: Pool, synthetic: Pool, notes: Sequence[str], run: RunDir) -> None:
    for name, pool in ((REAL, real), (SYNTHETIC, synthetic)):
        run.log(
            f"{name} faces: {len(pool.train)} for training, {len(pool.val)} for validation, "
            f"{len(pool.test)} for testing"
        )
    for note in notes:
        run.log(note)


def _trainings(
    arm: Arm, config: DataMixConfig, tests: Mapping[str, FaceSet], real_count: int, run: RunDir
) -> list[Training]:
    made = []
    for number, faces in enumerate(arm.training_sets):
        seed = config.seed + number
        epoch_faces = config.epoch_faces
        same_steps = config.lengths == "steps" and epoch_faces is None
        if same_steps and len(faces.where(split="train")) != real_count:
            epoch_faces = real_count
        made.append(
            Training(
                study=run.folder,
                name=f"{arm.name}-seed-{seed}",
                label=f"{arm.name}, seed {seed}",
                config=config.classifier(seed, epoch_faces, augmented=arm.augmented),
                faces=faces,
                tests={name: tests[name] for name in arm.test_names},
            )
        )
    return made


def _refuse_diverged(trainings: Sequence[Training]) -> None:
    diverged = [each.label for each in trainings if not RunRecord.load(each.folder).done]
    if diverged:
        raise Diverged(
            f"{len(diverged)} of the {len(trainings)} trainings diverged: {'; '.join(diverged)}.",
            "Arms are compared at the same settings: give a smaller learning_rate, and another --out.",
        )


def _arm_result(arm: Arm, trainings: Sequence[Training], scores: Mapping[str, ArmScores]) -> ArmResult:
    first = trainings[0]
    faces = first.faces.where(split="train")
    steps_per_epoch = math.ceil((first.config.epoch_faces or len(faces)) / first.config.batch)
    records = [RunRecord.load(each.folder) for each in trainings]
    return ArmResult(
        name=arm.name,
        description=arm.description,
        ratio=arm.ratio,
        faces=len(faces),
        real=len(faces) - arm.synthetic,
        synthetic=arm.synthetic,
        by_class=faces.label_counts,
        shortages=dict(arm.shortages),
        steps=tuple(steps_per_epoch * len(record.metrics) for record in records),
        seconds=round(sum(record.content["seconds"] for record in records), 1),
        trainings=tuple(each.name for each in trainings),
        on_real=scores[arm.test_names[REAL]],
        on_synthetic=scores[arm.test_names[SYNTHETIC]] if SYNTHETIC in arm.test_names else None,
    )
