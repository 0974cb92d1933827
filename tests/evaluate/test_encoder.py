from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from anonderm.core.checkpoint import Checkpoint, compact
from anonderm.core.errors import BrokenArtefact, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face, Lesion
from anonderm.core.rundir import RunDir
from anonderm.embeddings.encoder import Encoder, embedder, to_tensor
from anonderm.evaluate.config import EncoderConfig
from anonderm.evaluate.encoder import train as training
from anonderm.evaluate.encoder.augment import augment
from anonderm.evaluate.encoder.train import supervised_contrastive, train_encoder

CONFIG = EncoderConfig(steps=4, people=3, save_every=2)


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> FaceSet:
    """Two photos each of six people; two of them are in the test split."""
    rng = np.random.default_rng(0)
    writer = FaceSetWriter(tmp_path_factory.mktemp("encoder") / "faces")
    for person in range(6):
        look = rng.integers(0, 256, (1, 1, 3))
        for photo in range(2):
            image = np.clip(look + rng.normal(0, 9, (64, 64, 3)), 0, 255).astype(np.uint8)
            face = Face(
                id=f"p{person}-{photo}",
                subject=f"p{person}",
                split="test" if person > 3 else "train",
                label=("healthy", "mild")[person % 2],
                ita=10.0 * person,
                lesions=(Lesion("papule", 1, 1, 4, 4),) * person,
            )
            writer.add(image, face)
    return writer.finish()


def test_embeddings_have_the_length_root_of_their_width_and_the_network_is_small():
    network = Encoder().eval()
    with torch.no_grad():
        h_ND = network(torch.rand(3, 3, 64, 64))
    assert h_ND.shape == (3, 128)
    assert h_ND.norm(dim=1) == pytest.approx([128**0.5] * 3, rel=1e-5)
    assert sum(p.numel() for p in network.parameters()) < 1_200_000


def test_the_contrastive_loss_equals_the_sum_of_the_paper():
    h = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    people = torch.tensor([0, 0, 1, 1, 1, 0])
    unit = h / h.norm(dim=1, keepdim=True)
    total = 0.0
    for i in range(6):
        others = [a for a in range(6) if a != i]
        denominator = sum(torch.exp(unit[i] @ unit[a] / 0.1) for a in others)
        same = [p for p in others if people[p] == people[i]]
        shares = [torch.log(torch.exp(unit[i] @ unit[p] / 0.1) / denominator) for p in same]
        total -= sum(shares) / len(same)
    assert supervised_contrastive(h, people).item() == pytest.approx(float(total) / 6)


def test_the_contrastive_loss_has_the_right_gradient():
    h = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    people = torch.tensor([0, 1, 0, 1])
    assert torch.autograd.gradcheck(lambda rows: supervised_contrastive(rows, people), (h,))


def test_augmented_faces_stay_in_range_and_depend_on_the_generator_alone():
    x = torch.rand(8, 3, 64, 64) * 2 - 1
    first, again, other = (augment(x, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert first.shape == x.shape
    assert first.min() >= -1
    assert first.max() <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_killed_training_resumes_to_the_same_weights(faces: FaceSet, tmp_path, monkeypatch):
    with RunDir.open(tmp_path / "whole", "train-encoder", CONFIG, {}) as run:
        whole = train_encoder(CONFIG, faces, run).tensors()

    step = training._Training.step

    def killed(self, number: int):
        if number == 3:
            raise KeyboardInterrupt
        return step(self, number)

    monkeypatch.setattr(training._Training, "step", killed)
    with (
        pytest.raises(KeyboardInterrupt),
        RunDir.open(tmp_path / "killed", "train-encoder", CONFIG, {}) as run,
    ):
        train_encoder(CONFIG, faces, run)
    monkeypatch.setattr(training._Training, "step", step)
    with RunDir.open(tmp_path / "killed", "train-encoder", CONFIG, {}) as run:
        resumed = train_encoder(CONFIG, faces, run).tensors()
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


def test_the_card_has_measures_on_held_out_people(faces: FaceSet, tmp_path):
    with RunDir.open(tmp_path / "run", "train-encoder", CONFIG, {}) as run:
        checkpoint = train_encoder(CONFIG, faces, run)
    card = Checkpoint.load(checkpoint.path).card
    assert card.kind == "encoder"
    assert card.classes == ("healthy", "mild")
    assert card.data_digest == faces.where(split="train").digest
    assert card.notes["people"] == 4
    assert card.notes["held_out_photos"] == 4
    assert 0 <= card.notes["held_out_same_person_nearest"] <= 1
    assert checkpoint.path.stat().st_size < 2.5e6
    assert not (tmp_path / "run" / "state.safetensors").exists()


def test_photos_with_unknown_lesions_teach_no_count_but_everything_else(faces: FaceSet, tmp_path):
    hidden = {"p0-0", "p1-0", "p4-0"}
    some = FaceSet(
        faces.folder, tuple(replace(face, lesions=None) if face.id in hidden else face for face in faces)
    )
    none = FaceSet(faces.folder, tuple(replace(face, lesions=None) for face in faces))
    for name, each in (("some", some), ("none", none)):
        with RunDir.open(tmp_path / name, "train-encoder", CONFIG, {}) as run:
            checkpoint = train_encoder(CONFIG, each, run)
        assert all(torch.isfinite(tensor).all() for tensor in checkpoint.tensors().values())
        assert ("held_out_lesions_rank_correlation" in checkpoint.card.notes) == (name == "some")
        assert "held_out_ita_rank_correlation" in checkpoint.card.notes


def test_saved_weights_embed_as_the_network_did(tmp_path):
    network = Encoder().eval()
    card = training.CheckpointCard(kind="encoder", architecture={}, resolution=64)
    checkpoint = Checkpoint.save(tmp_path / "e.safetensors", compact(network.state_dict()), card)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = network(to_tensor(pixels)).numpy()
    assert embedder(checkpoint)(pixels) == pytest.approx(expected, abs=0.05)


def test_other_weights_are_refused(tmp_path):
    card = training.CheckpointCard(kind="encoder", architecture={}, resolution=64)
    checkpoint = Checkpoint.save(tmp_path / "e.safetensors", {"a": torch.zeros(2)}, card)
    with pytest.raises(BrokenArtefact, match="not an encoder"):
        embedder(checkpoint)


def test_people_with_one_photo_each_are_too_few_to_train_on(faces: FaceSet, tmp_path):
    single = faces.where(ids={"p0-0", "p1-0", "p2-0"})
    with (
        pytest.raises(TooFewImages, match="two photos"),
        RunDir.open(tmp_path / "run", "train-encoder", CONFIG, {}) as run,
    ):
        train_encoder(CONFIG, single, run)
