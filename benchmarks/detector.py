"""What the small lesion detector learns from phantoms of 256 px, and the processor time that it takes.

python benchmarks/detector.py [--work FOLDER] [--steps 500]

One thread. Trains on phantoms with the default settings (except the number of steps), scores the detector on
the test people, and compares phantoms drawn with another seed as if they were a synthetic set: a perfect one.
--work keeps finished stages, which are not repeated; seconds are those of stages that were not interrupted.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import results
import torch
from anonderm.evaluate.lesions.config import DetectorScoresConfig, LesionFidelityConfig

from anonderm.classify.lesions.config import TrainDetectorConfig
from anonderm.core.config import to_dict
from anonderm.core.documents import read_json
from anonderm.core.files import write_json
from anonderm.ingest.config import PhantomConfig
from anonderm.stages import STAGES, run_stage

_CPU = "cpu_seconds.json"


def main(work: Path, steps: int) -> None:
    torch.set_num_threads(1)
    photos: dict[str, Any] = {"people": 200, "photos_min": 1, "photos_max": 2, "size": 256}
    real, others, detector = work / "real", work / "others", work / "detector"
    train = TrainDetectorConfig(steps=steps, val_interval=max(1, steps // 2))
    runs: list[tuple[str, str, Any, dict[str, Any]]] = [
        ("real", "phantom", PhantomConfig(**photos), {}),
        ("others", "phantom", PhantomConfig(**photos | {"people": 80, "seed": 1}), {}),
        ("detector", "train-detector", train, {"faces": real}),
        ("scores", "evaluate detector", DetectorScoresConfig(), {"real": real, "detector": detector}),
        (
            "lesions",
            "evaluate lesions",
            LesionFidelityConfig(max_faces=60),
            {"real": real, "synthetic": others, "detector": detector},
        ),
    ]
    cpu = read_json(work / _CPU) if (work / _CPU).exists() else {}
    for name, stage, config, inputs in runs:
        repeated = (work / name).exists()
        start = time.process_time()
        run_stage(STAGES[stage], config, inputs, work / name)
        if not repeated:
            cpu[name] = round(time.process_time() - start, 1)
            write_json(work / _CPU, cpu)
    notes = read_json(detector / "checkpoint.json")["notes"]
    results.write(
        "detector",
        {
            "settings": {"phantoms": photos, "detector": to_dict(train)},
            "cpu_seconds": cpu,
            "training": {name: notes[name] for name in ("n", "n_lesions", "best_step", "val_map50")},
            "test": results.scores(work / "scores"),
            "lesions_of_other_phantoms": {
                name: score for name, score in results.scores(work / "lesions").items() if _of_all_kinds(name)
            },
        },
    )


def _of_all_kinds(name: str) -> bool:
    """Names are parts/CLASS/KIND/..."""
    return name.split("/")[2] == "all"


if __name__ == "__main__":
    parser = results.argument_parser(__doc__)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        main(options.work or Path(scratch), options.steps)
