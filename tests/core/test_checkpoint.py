from __future__ import annotations

import json

import pytest
import torch

from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import BrokenArtefact, MissingPath

CARD = CheckpointCard("classifier", {"backbone": "resnet18"}, 64, classes=("healthy", "mild"), licence="CC0")


@pytest.fixture
def checkpoint(tmp_path) -> Checkpoint:
    tensors = {"weight": torch.arange(6.0).view(2, 3).T, "steps": torch.tensor(7)}
    return Checkpoint.save(tmp_path / "c.safetensors", tensors, CARD)


def test_weights_and_card_survive_saving_and_loading(checkpoint):
    loaded = Checkpoint.load(checkpoint.path)
    assert loaded == checkpoint
    assert loaded.card.classes == ("healthy", "mild")
    tensors = loaded.tensors()
    assert torch.equal(tensors["weight"], torch.arange(6.0).view(2, 3).T)
    assert tensors["steps"].item() == 7


def test_the_digest_depends_on_the_weights_only(checkpoint, tmp_path):
    same = Checkpoint.save(tmp_path / "other.safetensors", checkpoint.tensors(), CARD)
    other = Checkpoint.save(tmp_path / "third.safetensors", {"weight": torch.zeros(1)}, CARD)
    assert same.digest == checkpoint.digest != other.digest


def test_parameters_that_require_gradients_are_saved_without_them(tmp_path):
    network = torch.nn.Linear(2, 2)
    saved = Checkpoint.save(tmp_path / "c.safetensors", dict(network.named_parameters()), CARD)
    assert not any(tensor.requires_grad for tensor in saved.tensors().values())


def test_missing_weights_or_card_are_named_in_the_error(checkpoint, tmp_path):
    with pytest.raises(MissingPath, match=r"gone\.safetensors"):
        Checkpoint.load(tmp_path / "gone.safetensors")
    checkpoint.path.with_suffix(".json").unlink()
    with pytest.raises(MissingPath, match=r"c\.json"):
        Checkpoint.load(checkpoint.path)


@pytest.mark.parametrize("change", [{"colour": 1}, {"classes": None}])
def test_a_card_with_other_fields_is_named_in_the_error(checkpoint, change):
    card = checkpoint.path.with_suffix(".json")
    card.write_text(json.dumps({**json.loads(card.read_text()), **change}))
    with pytest.raises(BrokenArtefact, match=r"c\.json"):
        Checkpoint.load(checkpoint.path)


def test_damaged_weights_are_named_in_the_error(checkpoint):
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:-3])
    with pytest.raises(BrokenArtefact, match=r"c\.safetensors: damaged"):
        Checkpoint.load(checkpoint.path).tensors()
