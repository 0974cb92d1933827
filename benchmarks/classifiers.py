"""Whether classifiers learn lesion types and grades, and look at the lesions: on the phantom, on one core.

Lesion types are learned by the small lesion CNN, grades by timm's smallest ResNet with each head; all are
tested on people that nobody learned from. With --out, a run that was cut short goes on. `ceiling_kappa` is
that of grades read off the true number of lesions in sight: the phantom's classes overlap in their counts.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import results

from anonderm.classify.config import TrainClassifierConfig
from anonderm.core.config import to_dict
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Scores
from anonderm.evaluate.config import ClassifierScoresConfig, SaliencyConfig
from anonderm.ingest.config import PhantomConfig
from anonderm.metrics import confusion
from anonderm.stages import STAGES, run_stage

PHANTOM = PhantomConfig(people=500, size=128, photos_max=2)
COUNT_BOUNDS = (0, 9, 33)  # what parts the phantom's classes best
TYPING = TrainClassifierConfig(
    head="multi-label",
    backbone="lesion-cnn",
    epochs=15,
    batch=16,
    optimiser="adam",
    learning_rate=1e-3,
    weight_decay=0.0,
    rotation=10.0,
    brightness=(0.8, 1.2),
    dropout=0.5,
    label_smoothing=0.0,
    class_weights=False,
    monitor="macro_auc",
)
GRADING = TrainClassifierConfig(
    backbone="test_resnet",
    epochs=20,
    batch=16,
    learning_rate=4e-3,
    rotation=10.0,
    brightness=(0.8, 1.2),
    dropout=0.1,
    label_smoothing=0.0,
    class_weights=False,
    monitor="quadratic_kappa",
)
TRAININGS = {
    "multi-label": TYPING,
    "softmax": GRADING,
    "corn": dataclasses.replace(GRADING, head="corn"),
    "label-distribution": dataclasses.replace(GRADING, head="label-distribution", count_bounds=COUNT_BOUNDS),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="where the run folders go, to be resumed; left out: nowhere")
    parser.add_argument("--heads", nargs="+", choices=TRAININGS, default=list(TRAININGS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        measure(arguments.out or Path(scratch), arguments.heads)


def measure(out: Path, heads: list[str]) -> None:
    run_stage(STAGES["phantom"], PHANTOM, {}, out / "phantom")
    test = FaceSet.load(out / "phantom" / "faces").where(split="test")
    numbers: dict[str, Any] = {
        "settings": {
            "phantom": to_dict(PHANTOM),
            **{head: to_dict(TRAININGS[head]) for head in heads},
        },
        "test": {"faces": len(test), "people": test.people, "ceiling_kappa": ceiling(test)},
    }
    for head in heads:
        numbers[head] = measured(head, out)
    results.write("classifiers", numbers)


def measured(head: str, out: Path) -> dict[str, Any]:
    """Scores on the test split, and where the heat lies."""
    run_stage(STAGES["train-classifier"], TRAININGS[head], {"faces": out / "phantom"}, out / head)
    inputs = {"faces": out / "phantom", "classifier": out / head}
    scores, saliency = f"{head}-scores", f"{head}-saliency"
    run_stage(STAGES["evaluate classifier"], ClassifierScoresConfig(), inputs, out / scores)
    run_stage(STAGES["evaluate saliency"], SaliencyConfig(), inputs, out / saliency)
    return {
        "scores": shown(Scores.load(out / scores / "scores.json"), ""),
        "saliency": shown(Scores.load(out / saliency / "scores.json"), "/all"),
    }


def shown(scores: Scores, only: str) -> dict[str, list[float | None]]:
    """Value, low and high of each score whose name holds `only`."""
    return {
        name: [
            None if number is None else round(number, 4) for number in (score.value, score.low, score.high)
        ]
        for name, score in scores.scores.items()
        if only in name
    }


def ceiling(faces: FaceSet) -> float:
    counts_N = np.array([len(face.lesions) for face in faces])
    truth_N = np.array([faces.labels.index(str(face.label)) for face in faces])
    matrix_KK = confusion.confusion_matrix(
        truth_N, np.searchsorted(COUNT_BOUNDS, counts_N), len(faces.labels)
    )
    return round(confusion.quadratic_kappa(matrix_KK), 4)


if __name__ == "__main__":
    main()
