"""What each process of test_several.py does: python in_two.py FOLDER, with the variables of torchrun."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from unittest.mock import patch

import torch

from anonderm.core.distributed import join
from anonderm.core.errors import ProcessLost
from anonderm.gan import training_loop
from anonderm.gan.config import PRESETS, GenerateConfig, Preset, TrainGanConfig, architecture, step_settings
from anonderm.gan.phases import train_step
from anonderm.gan.training_images import TrainingImages
from anonderm.gan.training_state import new_networks, new_state
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


def use_next_port() -> None:
    """On the port of the last process group, a rank could connect to one that is still leaving it."""
    first, *rest = os.environ.get("PORTS", "").split() or [""]
    if first:
        os.environ["MASTER_PORT"], os.environ["PORTS"] = first, " ".join(rest)


def train_and_generate(folder: Path, out: Path) -> None:
    """Train in float64, where rounding is far below any real difference, and draw in float32."""
    torch.set_default_dtype(torch.float64)
    try:
        with patch.dict(PRESETS, tiny=Preset(128, 16, 16, 2, batch=8, learning_rate=0.002)):
            run_stage(STAGES["train-gan"], TRAIN, {"faces": folder / "faces"}, out / "gan")
    finally:
        torch.set_default_dtype(torch.float32)
    checkpoints = {"checkpoints": (folder / "gan.safetensors",)}
    use_next_port()
    run_stage(STAGES["generate"], GENERATE, checkpoints, out / "generated")


def broadcast_state(out: Path) -> None:
    """Rank 0 has trained two steps, rank 1 none; each writes the state that it has after the broadcast."""
    config = TrainGanConfig(batch=4, r1_gamma=1.0)
    images = TrainingImages(torch.zeros(8, 3, 8, 8, dtype=torch.uint8), None, 0)
    state = new_state(*new_networks(architecture(PRESETS["tiny"], 8, ()), 0, "cpu"), 0.002, True)
    with join() as world:
        for _ in range(2 * world.is_main):
            state.stats.add(train_step(state, images, step_settings(config, PRESETS["tiny"], 8)))
        state.broadcast(world)
        state.save(out / f"state-{world.rank}.safetensors")


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
    use_next_port()
    broadcast_state(folder)
    use_next_port()
    try:
        lose_process_1(folder, folder / "two")
    except ProcessLost as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
