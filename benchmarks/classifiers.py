"""Whether classifiers learn lesion types and grades from phantoms, and Grad-CAM highlights the lesions.

The small lesion CNN learns lesion types, and timm's smallest ResNet learns grades with each head. All are
scored on people who are not in training. --out keeps the run folders, and an interrupted run resumes there.
`ceiling_kappa` is the kappa of grades derived from the true number of visible lesions: the phantom's classes
overlap in their counts.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import results

from anonderm.classify.config import TrainClassifierConfig
from anonderm.core.config import to_dict
from anonderm.core.faceset import FaceSet
from anonderm.evaluate.config import ClassifierScoresConfig, SaliencyConfig
from anonderm.ingest.config import PhantomConfig
from anonderm.metrics import confusion
from anonderm.stages import STAGES, run_stage

PHANTOM = PhantomConfig(people=500, size=128, photos_max=2)
COUNT_BOUNDS = (0, 9, 33)  # the bounds that separate the phantom's classes best
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
    parser = results.argument_parser(__doc__)
    parser.add_argument("--out", type=Path, help="folder for the run folders (default: a temporary one)")
    parser.add_argument("--heads", nargs="+", choices=TRAININGS, default=list(TRAININGS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        measure(options.out or Path(scratch), options.heads)


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
        numbers[head] = train_and_score(head, out)
    results.write("classifiers", numbers)


def train_and_score(head: str, out: Path) -> dict[str, Any]:
    """Scores on the test split, and saliency measures over all classes."""
    run_stage(STAGES["train-classifier"], TRAININGS[head], {"faces": out / "phantom"}, out / head)
    inputs = {"faces": out / "phantom", "classifier": out / head}
    scores, saliency = out / f"{head}-scores", out / f"{head}-saliency"
    run_stage(STAGES["evaluate classifier"], ClassifierScoresConfig(), inputs, scores)
    run_stage(STAGES["evaluate saliency"], SaliencyConfig(), inputs, saliency)
    return {
        "scores": results.scores(scores),
        "saliency": {
            name: each for name, each in results.scores(saliency).items() if "all" in name.split("/")
        },
    }


def ceiling(faces: FaceSet) -> float:
    counts_N = np.array([len(face.boxes) for face in faces])
    truth_N = np.array([faces.labels.index(str(face.label)) for face in faces])
    matrix_KK = confusion.confusion_matrix(
        truth_N, np.searchsorted(COUNT_BOUNDS, counts_N), len(faces.labels)
    )
    return round(confusion.quadratic_kappa(matrix_KK), 4)


if __name__ == "__main__":
    main()
