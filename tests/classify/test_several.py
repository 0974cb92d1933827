"""Two Gloo processes train the same classifier as one: same weights, same metrics, one run folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.classify.in_two import CONFIGS, begin_alone, train_one
from tests.distributed import start_two

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSetWriter
from anonderm.core.records import Face
from anonderm.core.rundir import RunRecord


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder with the runs of one process and of two, and the stderr of the two."""
    folder = tmp_path_factory.mktemp("several")
    _write_faces(folder / "faces")
    begin_alone(folder, folder / "two")
    processes = start_two(Path(__file__).with_name("in_two.py"), folder)
    for name in CONFIGS:
        train_one(name, folder, folder / "one")
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [2, 2], errors
    return folder, errors


def _write_faces(folder: Path) -> None:
    rng, writer = np.random.default_rng(0), FaceSetWriter(folder)
    for label, split, count in (
        ("healthy", "train", 8),
        ("mild", "train", 18),
        ("healthy", "val", 5),
        ("mild", "val", 6),
    ):
        for number in range(count):
            image = rng.integers(60, 160, (32, 32, 3), np.uint8)
            image[8:24, 8:24, 0] += np.uint8(60 * (label == "mild"))
            name = f"{label}-{split}-{number}"
            writer.add(image, Face(name, label=label, split=split, subject=name))
    writer.finish()


@pytest.mark.parametrize("name", CONFIGS)
def test_two_processes_train_the_weights_of_one(done: tuple[Path, list[str]], name: str) -> None:
    """With batch norm, dropout and augmentation; also when two continue what one began."""
    ours, theirs = (
        Checkpoint.load(done[0] / side / name / "checkpoint.safetensors") for side in ("one", "two")
    )
    assert ours.card.notes["best_epoch"] == theirs.card.notes["best_epoch"]
    for tensor, value in ours.tensors().items():
        torch.testing.assert_close(theirs.tensors()[tensor], value, rtol=1e-3, atol=2e-5, msg=tensor)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_metrics_of_an_epoch_are_those_of_all_faces(done: tuple[Path, list[str]], name: str) -> None:
    rows = [RunRecord.load(done[0] / side / name).metrics for side in ("one", "two")]
    assert len(rows[1]) == 2
    for one, two in zip(*rows, strict=True):
        assert two == pytest.approx(one, rel=1e-4)


def test_one_run_folder_is_left(done: tuple[Path, list[str]]) -> None:
    files = [sorted(path.name for path in (done[0] / side / "resnet").iterdir()) for side in ("one", "two")]
    assert files[1] == files[0]
    assert RunRecord.load(done[0] / "two/resnet").content["machine"]["processes"] == 2


def test_more_processes_than_faces_a_step_are_refused(done: tuple[Path, list[str]]) -> None:
    assert all("too few for 2 processes" in error for error in done[1])
