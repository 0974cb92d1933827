"""How well the small lesion detector learns on phantoms of 256 px, and in how much processor time.

python benchmarks/detector.py [--work FOLDER] [--steps 500]

One thread. Draws phantoms, trains with the default settings but for the number of steps, scores the detector
on the test people (kinds told apart), and compares the lesions of other phantoms, drawn with another seed, as
if they were synthetic: a set without any fault. Finished steps are kept in --work and not repeated; seconds
are those of steps that were not cut short.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import results
import torch

from anonderm.classify.lesions.config import TrainDetectorConfig
from anonderm.core.files import read_json, write_json
from anonderm.core.records import Scores
from anonderm.evaluate.lesions.config import DetectorScoresConfig, LesionFidelityConfig
from anonderm.ingest.config import PhantomConfig
from anonderm.stages import STAGES, run_stage

_CPU = "cpu_seconds.json"


def main(work: Path, steps: int) -> None:
    torch.set_num_threads(1)
    photos: dict[str, Any] = {"people": 200, "photos_min": 1, "photos_max": 2, "size": 256}
    real, others, detector = work / "real", work / "others", work / "detector"
    train = TrainDetectorConfig(steps=steps, val_interval=max(1, steps // 2))
    todo: list[tuple[str, str, Any, dict[str, Any]]] = [
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
    for name, stage, config, inputs in todo:
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
            "settings": {
                "network": train.network,
                "steps": steps,
                "batch": train.batch,
                "size": train.size,
                **photos,
            },
            "cpu_seconds": cpu,
            "training": {name: notes[name] for name in ("n", "n_lesions", "best_step", "val_map50")},
            "test": _numbers(work / "scores", ""),
            "lesions_of_other_phantoms": _numbers(work / "lesions", "[all]/"),
        },
    )


def _numbers(run: Path, part: str) -> dict[str, list[float | None]]:
    """Value and the ends of its interval, of every score whose name has this part."""
    scores = Scores.load(run / "scores.json").scores
    return {
        name: [None if x is None else round(x, 4) for x in (score.value, score.low, score.high)]
        for name, score in scores.items()
        if part in name
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--steps", type=int, default=500)
    given = parser.parse_args()
    if given.work:
        main(given.work, given.steps)
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder), given.steps)
