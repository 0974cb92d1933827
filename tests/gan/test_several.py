"""Two processes over Gloo do what one does: the same weights, the same faces, one run folder."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch
from tests.distributed import start_two
from tests.gan.conftest import make_faces
from tests.gan.in_two import train_and_generate

from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunRecord
from anonderm.gan.config import PRESETS, architecture
from anonderm.models.stylegan2.checkpoint import save_gan
from anonderm.models.stylegan2.discriminator import new_discriminator
from anonderm.models.stylegan2.generator import new_generator


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int], list[str]]:
    """The folder in which one process and two did the same, and how the two ended."""
    folder = tmp_path_factory.mktemp("several")
    make_faces(folder / "faces", size=16)
    arch, random = architecture(PRESETS["tiny"], 16, ()), torch.Generator().manual_seed(0)
    networks = new_generator(arch, random), new_discriminator(arch, random)
    card = CheckpointCard("gan", arch.to_card(), 16, label="mild")
    save_gan(folder / "gan.safetensors", *networks, torch.tensor(0.0), card)

    processes = start_two(Path(__file__).with_name("in_two.py"), folder)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train_and_generate(folder, folder / "one")
    torch.set_num_threads(threads)
    errors = [process.communicate(timeout=120)[1] for process in processes]
    return folder, [process.returncode for process in processes], errors


def test_two_processes_train_the_weights_of_one(done: tuple[Path, list[int], list[str]]) -> None:
    folder, _, errors = done
    one, two = (folder / name / "gan" for name in ("one", "two"))
    assert two.exists(), errors
    ours, theirs = (Checkpoint.load(run / "checkpoint.safetensors").tensors() for run in (one, two))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert value.dtype == torch.float64
        torch.testing.assert_close(theirs[name], value, rtol=1e-6, atol=1e-8, msg=name)


def test_the_numbers_of_a_tick_are_those_of_the_whole_batch(done: tuple[Path, list[int], list[str]]) -> None:
    rows = [RunRecord.load(done[0] / name / "gan").metrics for name in ("one", "two")]
    assert [row["step"] for row in rows[1]] == [0.016, 0.032, 0.04]
    for one, two in zip(*rows, strict=True):
        assert one.keys() == two.keys()
        for name in one.keys() - {"seconds_per_kimg"}:
            assert two[name] == pytest.approx(one[name], rel=1e-6), name


def test_a_rank_without_a_snapshot_gets_the_whole_state_of_rank_0(
    done: tuple[Path, list[int], list[str]],
) -> None:
    states = [(done[0] / f"state-{rank}.safetensors").read_bytes() for rank in (0, 1)]
    assert states[0] == states[1]
    assert b"optimiser_d.0/exp_avg_sq" in states[0]
    assert b"stats.r1" in states[0]


def test_one_run_folder_is_left(done: tuple[Path, list[int], list[str]]) -> None:
    files = [
        sorted(
            str(path.relative_to(done[0] / name)) for path in (done[0] / name).rglob("*") if path.is_file()
        )
        for name in ("one", "two")
    ]
    assert [file for file in files[1] if not file.startswith("lost/")] == files[0]
    record = RunRecord.load(done[0] / "two/gan")
    assert record.done
    assert record.content["machine"]["processes"] == 2


def test_two_processes_draw_the_faces_of_one(done: tuple[Path, list[int], list[str]]) -> None:
    one, two = (FaceSet.load(done[0] / name / "generated/faces") for name in ("one", "two"))
    assert two.faces == one.faces
    assert len(two) == 40


def test_a_process_ends_with_an_error_when_another_one_fails(done: tuple[Path, list[int], list[str]]) -> None:
    _, status, errors = done
    assert status[1] == 1
    assert status[0] in (2, -signal.SIGABRT)  # Gloo's own threads may abort the process after its message
    assert "this process fails" in errors[1]
    assert "process 0 of 2 lost contact with the others" in errors[0]
    assert "Run the same command again" in errors[0]
