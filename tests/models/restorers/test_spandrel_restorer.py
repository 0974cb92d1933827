"""Weights of others through spandrel: random ones, in the layouts in which real ones are published."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from anonderm.core.errors import BrokenArtefact, InputError, MissingExtra
from anonderm.core.faceset import FaceSetWriter
from anonderm.core.files import sha256_file
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.ingest.config import RestoreConfig
from anonderm.ingest.restore.restore import restore
from anonderm.models.restorers import spandrel_restorer
from anonderm.models.restorers.spandrel_restorer import SpandrelRestorer

pytest.importorskip("spandrel", reason="needs the extra restore")


@pytest.fixture(scope="module")
def esrgan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As Real-ESRGAN publishes: averaged weights under params_ema."""
    from spandrel.architectures.ESRGAN import ESRGAN

    torch.manual_seed(0)
    network = ESRGAN(num_filters=8, num_blocks=1, scale=4)
    path = tmp_path_factory.mktemp("esrgan") / "RealESRGAN_x4plus.pth"
    torch.save({"params_ema": network.state_dict()}, path)
    return path


def test_a_super_resolver_magnifies_faces_of_any_size(esrgan: Path) -> None:
    restorer = SpandrelRestorer(esrgan)
    assert (restorer.name, restorer.side, restorer.scale, restorer.framed) == ("ESRGAN", None, 4, False)
    assert restorer(np.zeros((2, 30, 30, 3), np.uint8), [None, None]).shape == (2, 120, 120, 3)


def test_large_faces_go_through_in_tiles(esrgan: Path, monkeypatch) -> None:
    restorer = SpandrelRestorer(esrgan)
    image = np.random.default_rng(0).integers(0, 256, (1, 70, 70, 3), np.uint8)
    whole = restorer(image, [None])
    monkeypatch.setattr(spandrel_restorer, "_TILE", 40)
    tiled = restorer(image, [None])
    assert tiled.shape == (1, 280, 280, 3)
    assert abs(tiled.astype(int) - whole).max() <= 1


def test_a_face_restorer_gets_faces_of_512_px(tmp_path: Path) -> None:
    """RestoreFormer's layout, as GFPGAN's releases publish it."""
    from spandrel.architectures.RestoreFormer import RestoreFormer

    torch.manual_seed(0)
    network = RestoreFormer(n_embed=8, embed_dim=32, z_channels=32, ch=32, ch_mult=(1,) * 6, num_res_blocks=1)
    torch.save(network.state_dict(), tmp_path / "RestoreFormer.pth")
    restorer = SpandrelRestorer(tmp_path / "RestoreFormer.pth")
    assert (restorer.name, restorer.side, restorer.scale, restorer.framed) == ("RestoreFormer", 512, 1, True)


def test_the_manifest_names_the_network_and_its_weights(esrgan: Path, tmp_path: Path) -> None:
    writer = FaceSetWriter(tmp_path / "faces")
    for number in range(3):
        writer.add(np.full((24, 24, 3), 40 * number, np.uint8), Face(f"f{number}"))
    faces = writer.finish()
    config = RestoreConfig(size=64, restorer="spandrel", weights=str(esrgan), batch=2)
    with RunDir.open(tmp_path / "run", "restore", config, {}) as run:
        restored = restore(config, faces, run)
    assert {face.restorer for face in restored} == {f"ESRGAN {sha256_file(esrgan)[:8]}"}
    assert restored.pixels().shape == (3, 64, 64, 3)


def test_a_missing_spandrel_is_named_with_the_extra(esrgan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(MissingExtra, match=r"anonderm\[restore\]"):
        SpandrelRestorer(esrgan)


def test_other_networks_are_refused(tmp_path: Path, esrgan: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "net.pth")
    with pytest.raises(InputError, match="not a network that spandrel"):
        SpandrelRestorer(tmp_path / "net.pth")
    tensors = torch.load(esrgan, weights_only=True)["params_ema"]
    tensors["conv_first.weight" if "conv_first.weight" in tensors else "model.0.weight"] = torch.zeros(
        8, 3, 5, 5
    )
    torch.save(tensors, tmp_path / "net.pth")
    with pytest.raises(BrokenArtefact, match=r"net\.pth"):
        SpandrelRestorer(tmp_path / "net.pth")
