"""export-gan: the written network draws what this package draws."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from test_importer import ARCH, CONDITIONAL, networks

from anonderm.cli import main
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import BrokenArtefact, ConfigError, MissingExtra
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.checkpoint import save_gan
from anonderm.models.stylegan2.generator import Generator, to_pixels
from anonderm.models.stylegan2.sampling import draw_faces, latents
from anonderm.models.stylegan2.third_party import exporter
from anonderm.models.stylegan2.third_party.config import ExportGanConfig
from anonderm.models.stylegan2.third_party.exporter import export_gan


def saved(path: Path, arch: Architecture) -> tuple[Checkpoint, Generator]:
    generator, discriminator = networks(arch)
    card = CheckpointCard("gan", arch.to_card(), arch.resolution, classes=arch.classes)
    return save_gan(path / "gan.safetensors", generator, discriminator, torch.tensor(0.0), card), generator


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.parametrize("arch", [ARCH, CONDITIONAL], ids=["unconditional", "conditional"])
def test_torchscript_draws_the_seeds_of_this_package(tmp_path: Path, arch: Architecture) -> None:
    checkpoint, generator = saved(tmp_path, arch)
    path = export_gan(ExportGanConfig("", tmp_path / "net.pt"), checkpoint)
    script = torch.jit.load(path)
    z = torch.from_numpy(np.concatenate([np.random.RandomState(s).randn(1, arch.z_dim) for s in range(5)]))
    label = (torch.eye(3)[[1] * 5],) if arch.classes else ()
    for psi in (0.7, 1.0):
        drawn = to_pixels(script(z.float(), *label, torch.tensor(psi)))
        own = draw_faces(
            generator, [0, 1, 2, 3, 4], [psi] * generator.style_layers, "const", 1 if arch.classes else None
        )
        assert np.abs(drawn.astype(int) - own).max() <= 1
    assert np.ptp(own) > 50


@pytest.mark.parametrize("arch", [ARCH, CONDITIONAL], ids=["unconditional", "conditional"])
def test_onnx_draws_the_seeds_of_this_package(tmp_path: Path, arch: Architecture) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    checkpoint, generator = saved(tmp_path, arch)
    path = export_gan(ExportGanConfig("", tmp_path / "net.onnx"), checkpoint)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = {"z": latents(generator, [0, 1, 2, 3, 4]).numpy(), "psi": np.array(0.7, np.float32)}
    if arch.classes:
        inputs["label"] = np.eye(3, dtype=np.float32)[[1] * 5]
    drawn = to_pixels(torch.from_numpy(session.run(["images"], inputs)[0]))
    own = draw_faces(
        generator, [0, 1, 2, 3, 4], [0.7] * generator.style_layers, "const", 1 if arch.classes else None
    )
    assert np.abs(drawn.astype(int) - own).max() <= 1
    assert np.ptp(own) > 50


def test_without_the_extra_onnx_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    checkpoint, _ = saved(tmp_path, ARCH)
    with pytest.raises(MissingExtra, match=r"anonderm\[onnx\]"):
        export_gan(ExportGanConfig("", tmp_path / "net.onnx"), checkpoint)
    assert not (tmp_path / "net.onnx").exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_a_file_that_draws_other_images_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, run = exporter._torchscript()
    monkeypatch.setitem(exporter._FORMATS, ".pt", lambda: (write, lambda *both: run(*both) + 0.1))
    checkpoint, _ = saved(tmp_path, ARCH)
    with pytest.raises(BrokenArtefact, match="generates other images"):
        export_gan(ExportGanConfig("", tmp_path / "net.pt"), checkpoint)
    assert [path.name for path in tmp_path.iterdir() if "net" in path.name] == []


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_the_command_takes_shipped_weights_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export-gan", "phantom-64", str(tmp_path / "net.pt")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "net.pt")


def test_a_file_name_of_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.pt or \.onnx"):
        ExportGanConfig("phantom-64", tmp_path / "net.bin")
