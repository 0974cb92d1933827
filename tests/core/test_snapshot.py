from __future__ import annotations

from pathlib import Path

import pytest
import torch

from anonderm.core.errors import BrokenArtefact, StorageError
from anonderm.core.snapshot import (
    open_snapshot,
    optimiser_tensors,
    restore_optimiser,
    under_prefix,
    with_prefix,
    write_snapshot,
)


def trained(steps: int) -> tuple[torch.nn.Linear, torch.optim.AdamW]:
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(network.parameters(), 0.1)
    learn(network, optimiser, range(steps))
    return network, optimiser


def learn(network: torch.nn.Linear, optimiser: torch.optim.AdamW, steps: range) -> None:
    for step in steps:
        optimiser.zero_grad()
        network(torch.full((1, 3), float(step))).square().sum().backward()
        optimiser.step()


def test_a_restored_training_reaches_the_same_weights(tmp_path: Path) -> None:
    complete, _ = trained(6)
    half, half_optimiser = trained(3)
    tensors = with_prefix("net/", half.state_dict()) | optimiser_tensors("adam/", half_optimiser)
    write_snapshot(tmp_path / "state", tensors, {"step": 3})

    resumed, optimiser = trained(0)
    with open_snapshot(tmp_path / "state") as (found, numbers):
        resumed.load_state_dict(under_prefix("net/", found))
        restore_optimiser("adam/", optimiser, found)
    learn(resumed, optimiser, range(numbers["step"], 6))
    assert torch.equal(resumed.weight, complete.weight)


@pytest.mark.parametrize("content", [b"", b"not tensors", b"\xff" * 64])
def test_the_error_for_a_damaged_snapshot_names_it_and_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").write_bytes(content)
    with (
        pytest.raises(BrokenArtefact, match="state: not a snapshot") as raised,
        open_snapshot(tmp_path / "state"),
    ):
        pass
    assert str(tmp_path) in raised.value.hint


def test_a_snapshot_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "state", {"net/other": torch.zeros(1)}, {})
    network, _ = trained(0)
    with pytest.raises(BrokenArtefact), open_snapshot(tmp_path / "state") as (found, _numbers):
        network.load_state_dict(under_prefix("net/", found))


def test_a_failed_write_leaves_the_old_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_snapshot(tmp_path / "state", {"a": torch.zeros(2)}, {"step": 1})

    def full_disk(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(StorageError, match="disk is full"):
        write_snapshot(tmp_path / "state", {"a": torch.ones(2)}, {"step": 2})
    with open_snapshot(tmp_path / "state") as (_, numbers):
        assert numbers["step"] == 1
