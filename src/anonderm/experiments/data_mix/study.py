"""Is the synthetic set useful? One classifier, trained on every mix of real and synthetic faces."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Scores
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.evaluate.statistics import unproven
from anonderm.experiments.data_mix.arms import REAL, SYNTHETIC, Arm, arms
from anonderm.experiments.data_mix.config import DataMixConfig
from anonderm.experiments.data_mix.lineage import refuse_test_people
from anonderm.experiments.data_mix.pools import Pool, real_pool, synthetic_pool
from anonderm.experiments.data_mix.scoring import Tested, confusion_of, people_of, scores_of
from anonderm.experiments.data_mix.table import print_table, write_picture, write_table
from anonderm.experiments.data_mix.training import FOLDER, Training
from anonderm.experiments.subruns import do_all


def evaluate_data_mix(
    config: DataMixConfig,
    real: FaceSet,
    synthetic: FaceSet,
    source_models: tuple[Checkpoint, ...],
    run: RunDir,
) -> Scores:
    """Train and test every arm; run again in the same folder, it goes on with the trainings that are missing.

    Keys: <arm>/<measure>, and <arm>_minus_trtr/<measure> (of trts, _minus_tsts) over the same resampled
    people; for skin tones <...>[light]. Values are means over the trainings. source_models: the GANs
    and the grader behind the synthetic faces. Raises InputError, BadLabel, TooFewImages, Diverged, and what
    train_classifier raises.
    """
    warnings = refuse_test_people(real, synthetic, source_models)
    real_faces = real_pool(real, config.seed)
    classes = real_faces.learn.labels
    synthetic_faces = synthetic_pool(synthetic, classes, config.seed)
    every, notes = arms(config, real_faces, synthetic_faces)
    _tell(real_faces, synthetic_faces, notes, warnings, run)
    tests = {REAL: real_faces.test, SYNTHETIC: synthetic_faces.test}
    trainings = {arm.name: _trainings(arm, config, tests, len(real_faces.learn), run) for arm in every}
    do_all([each.subrun for of_arm in trainings.values() for each in of_arm], config.jobs, run)
    _refuse_diverged([each for of_arm in trainings.values() for each in of_arm])

    tested = _answers(every, trainings, tests)
    scores = scores_of(config, tested, classes, run)
    chance = max(real_faces.test.label_counts.values()) / len(real_faces.test)
    weak = unproven(scores, ("trtr", "tstr"), chance)
    details: dict[str, Any] = {
        "classes": list(classes),
        "backbone": config.backbone,
        "weights": _weights(trainings[REAL][0]),
        "seeds": config.seeds,
        "lengths": config.lengths,
        "n_people": real_faces.test.people,
        "chance": chance,
        "arms": [_row(arm, trainings[arm.name]) for arm in every],
        "confusion": confusion_of(tested, classes),
        "warnings": warnings + weak,
        "notes": notes,
    }
    made = Scores(scores, details)
    write_table(run.folder, made)
    write_picture(run.folder / "data-mix.png", made)
    print_table(made)
    for warning in weak:
        run.log(f"Caution: {warning}")
    return made


def _answers(
    every: Sequence[Arm], trainings: Mapping[str, Sequence[Training]], tests: Mapping[str, FaceSet]
) -> dict[str, Tested]:
    """What all trainings said of each test set, by the name of the arm's score."""
    decided = {arm.name: [training.decided for training in trainings[arm.name]] for arm in every}
    return {
        name: Tested(
            faces,
            people_of(faces),
            {
                arm.scores[name]: np.stack([each[name] for each in decided[arm.name]])
                for arm in every
                if name in arm.scores
            },
        )
        for name, faces in tests.items()
    }


def _tell(real: Pool, synthetic: Pool, notes: Sequence[str], warnings: Sequence[str], run: RunDir) -> None:
    for name, pool in ((REAL, real), (SYNTHETIC, synthetic)):
        run.log(
            f"{name} faces: {len(pool.learn)} to learn from, {len(pool.choose)} to choose the epoch by, "
            f"{len(pool.test)} to test on"
        )
    for text in notes:
        run.log(text)
    for text in warnings:
        run.log(f"Caution: {text}")


def _trainings(
    arm: Arm, config: DataMixConfig, tests: Mapping[str, FaceSet], real_count: int, run: RunDir
) -> list[Training]:
    made = []
    for number, learn in enumerate(arm.learns):
        seed = config.seed + number
        own = config.epoch_faces
        if config.lengths == "steps" and own is None and len(learn.where(split="train")) != real_count:
            own = real_count
        made.append(
            Training(
                folder=run.folder / FOLDER / f"{arm.name}-seed-{seed}",
                told=f"{arm.name}, seed {seed}",
                config=config.classifier(seed, own, augmented=arm.augmented),
                learn=learn,
                tests={name: tests[name] for name in arm.scores},
            )
        )
    return made


def _refuse_diverged(trainings: Sequence[Training]) -> None:
    lost = [each.told for each in trainings if not RunRecord.load(each.folder).done]
    if lost:
        raise Diverged(
            f"{len(lost)} of the {len(trainings)} trainings met NaN: {'; '.join(lost)}.",
            "Arms are compared at the same settings: give a smaller learning_rate, and another --out.",
        )


def _weights(training: Training) -> Any:
    return Checkpoint.load(training.folder / "checkpoint.safetensors").card.notes["weights"]


def _row(arm: Arm, trainings: Sequence[Training]) -> dict[str, Any]:
    """What is to be known of an arm, as JSON holds it."""
    first = trainings[0]
    learn = first.learn.where(split="train")
    a_turn = math.ceil((first.config.epoch_faces or len(learn)) / first.config.batch)
    epochs = [len(RunRecord.load(each.folder).metrics) for each in trainings]
    return {
        "name": arm.name,
        "told": arm.told,
        "scores": dict(arm.scores),
        "ratio": arm.added,
        "faces": len(learn),
        "real": len(learn) - arm.synthetic,
        "synthetic": arm.synthetic,
        "by_class": learn.label_counts,
        "short": {label: list(numbers) for label, numbers in arm.short.items()},
        "steps": [a_turn * count for count in epochs],
        "seconds": round(sum(RunRecord.load(each.folder).content["seconds"] for each in trainings), 1),
        "trainings": [each.folder.name for each in trainings],
    }
