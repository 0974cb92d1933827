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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 2**30}, "resolution = 1073741824, which must be 1 to 4096"),
        ({"resolution": -64}, "resolution = -64, which must be 1 to 4096"),
        ({"resolution": int("9" * 4000)}, r"resolution = 9+\.\.\., which must be 1 to 4096"),
        ({"resolution": "64"}, "resolution is missing or of a wrong kind"),
        ({"resolution": True}, "resolution is missing or of a wrong kind"),
        ({"architecture": []}, "architecture is missing or of a wrong kind"),
        ({"classes": "ab"}, "classes is missing or of a wrong kind"),
        ({"classes": ["a", "a"]}, "two classes of the same name"),
        ({"classes": [""]}, "'' is no name of a class"),
        ({"label": "x" * 5000}, r"x\.\.\. is no name of a class"),
        ({"label": "a\0b"}, "is no name of a class"),
        ({"label": 5}, "label is missing or of a wrong kind"),
        ({"licence": {}}, "licence is missing or of a wrong kind"),
        ({"pixel_range": [0, float("nan")]}, "pixel_range"),
        ({"pixel_range": [1, -1]}, "two numbers, the smaller one first"),
    ],
)
def test_a_card_with_odd_values_is_refused_and_they_are_named(checkpoint, change, message):
    card = checkpoint.path.with_suffix(".json")
    card.write_text(json.dumps({**json.loads(card.read_text()), **change}))
    with pytest.raises(BrokenArtefact, match=message) as error:
        Checkpoint.load(checkpoint.path)
    assert len(error.value.message) < 500


def test_damaged_weights_are_named_in_the_error(checkpoint):
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:-3])
    with pytest.raises(BrokenArtefact, match=r"c\.safetensors: damaged"):
        Checkpoint.load(checkpoint.path).tensors()
