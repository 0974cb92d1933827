"""The program of each process in test_several.py: python in_two.py FOLDER, with torchrun's variables."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from unittest.mock import patch

from anonderm.classify import train_classifier as stage
from anonderm.classify.config import TrainClassifierConfig
from anonderm.core.errors import ConfigError
from anonderm.core.snapshot import save_training
from anonderm.stages import STAGES, run_stage

RESNET = TrainClassifierConfig(
    backbone="test_resnet",
    drop_strides=1,
    epochs=2,
    batch=9,
    optimiser="sgd",  # Adam takes full steps even along gradients that are rounding errors
    learning_rate=0.05,
    dropout=0.3,
    label_smoothing=0.0,
)
"""Batches of 9, 9 and 8 faces, with class weights: every shard differs between the processes."""
CONFIGS = {
    "resnet": RESNET,
    "lesion-cnn": dataclasses.replace(
        RESNET, backbone="lesion-cnn", drop_strides=0, head="corn", monitor="loss", learning_rate=0.01
    ),
    "resumed": dataclasses.replace(RESNET, optimiser="adamw", learning_rate=1e-5, epochs=2),
}


class Killed(Exception): ...


def train_one(name: str, folder: Path, out: Path) -> None:
    run_stage(STAGES["train-classifier"], CONFIGS[name], {"faces": folder / "faces"}, out / name)


def begin_alone(folder: Path, out: Path) -> None:
    """The first epoch of the run that two processes then finish."""

    def save_and_die(*arguments: object) -> None:
        save_training(*arguments)  # type: ignore[arg-type]
        raise Killed

    with patch.object(stage, "save_training", save_and_die):
        try:
            run_stage(
                STAGES["train-classifier"], CONFIGS["resumed"], {"faces": folder / "faces"}, out / "resumed"
            )
        except Killed:
            return


def main() -> int:
    folder = Path(sys.argv[1])
    ports = iter(os.environ["PORTS"].split())
    for name in CONFIGS:
        train_one(name, folder, folder / "two")
        os.environ["MASTER_PORT"] = next(ports)
    small = dataclasses.replace(RESNET, epoch_faces=3, batch=2)
    try:
        run_stage(STAGES["train-classifier"], small, {"faces": folder / "faces"}, folder / "small")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
