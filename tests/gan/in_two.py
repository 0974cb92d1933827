"""What each process of test_several.py does: python in_two.py FOLDER, with the variables of torchrun."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from unittest.mock import patch

import torch

from anonderm.core.errors import ProcessLost
from anonderm.gan import training_loop
from anonderm.gan.config import PRESETS, GenerateConfig, Preset, TrainGanConfig
from anonderm.stages import STAGES, run_stage

TRAIN = TrainGanConfig(
    conditional=True,
    preset="tiny",
    kimg=0.04,
    batch=8,
    tick_kimg=0.016,
    r1_gamma=1.0,
    augment_p=0.5,
    precision="float32",
    samples=4,
    metric_faces=16,
    metric_extractor="thumbnail",
)
"""Five steps in three ticks; R1 in the first, path length in the first and the last."""
GENERATE = GenerateConfig(seeds="0-39", psi=0.7)


def train_and_generate(folder: Path, out: Path) -> None:
    """Train in float64, where rounding is far below any real difference, and draw in float32."""
    torch.set_default_dtype(torch.float64)
    try:
        with patch.dict(PRESETS, tiny=Preset(128, 16, 16, 2, batch=8, learning_rate=0.002)):
            run_stage(STAGES["train-gan"], TRAIN, {"faces": folder / "faces"}, out / "gan")
    finally:
        torch.set_default_dtype(torch.float32)
    checkpoints = {"checkpoints": (folder / "gan.safetensors",)}
    run_stage(STAGES["generate"], GENERATE, checkpoints, out / "generated")


def lose_process_1(folder: Path, out: Path) -> None:
    """Process 1 fails in its second step; raises ProcessLost in process 0."""
    step = training_loop.train_step

    def failing(state, *rest):
        if state.step == 1 and os.environ["RANK"] == "1":
            raise RuntimeError("this process fails")
        return step(state, *rest)

    with patch.object(training_loop, "train_step", failing):
        run_stage(STAGES["train-gan"], TRAIN, {"faces": folder / "faces"}, out / "lost")


def main() -> int:
    folder = Path(sys.argv[1])
    train_and_generate(folder, folder / "two")
    os.environ["MASTER_PORT"] = os.environ["PORTS"].split()[0]
    try:
        lose_process_1(folder, folder / "two")
    except ProcessLost as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
