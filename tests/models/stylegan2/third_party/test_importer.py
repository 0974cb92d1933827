"""import-gan: what a pickle of the field holds comes out as networks that compute the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import field_pickles as field
import numpy as np
import pytest
import torch

from anonderm.cli import main
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import ConfigError, InputError
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.checkpoint import load_discriminator, load_generator
from anonderm.models.stylegan2.discriminator import Discriminator, new_discriminator
from anonderm.models.stylegan2.generator import Generator, new_generator
from anonderm.models.stylegan2.sampling import draw_faces
from anonderm.models.stylegan2.third_party.config import ImportGanConfig
from anonderm.models.stylegan2.third_party.importer import import_gan

ARCH = Architecture(32, 512, 48, z_dim=24, w_dim=16, mapping_layers=2)
CONDITIONAL = dataclasses.replace(
    ARCH, classes=("0", "1", "2"), label_layers=3, label_dim=20, deviation_group=None, clamp=0.75
)


def networks(arch: Architecture) -> tuple[Generator, Discriminator]:
    """Random networks in which nothing is at its neutral initial value."""
    random = torch.Generator().manual_seed(5)
    generator, discriminator = new_generator(arch, random), new_discriminator(arch, random)
    with torch.no_grad():
        for network in (generator, discriminator):
            for name, tensor in network.state_dict().items():
                if name.endswith(("bias", "noise_strength", "w_average")):
                    tensor += 0.3 * torch.randn(tensor.shape, generator=random)
    return generator.eval().requires_grad_(False), discriminator.eval().requires_grad_(False)


def imported(path: Path, data: bytes, **settings: Any) -> Checkpoint:
    pickle = path / "network-snapshot.pkl"
    pickle.write_bytes(data)
    return import_gan(ImportGanConfig(pickle, path / "gan.safetensors", **settings))


def assert_same(
    checkpoint: Checkpoint, generator: Generator, discriminator: Discriminator, exact: bool = True
) -> None:
    classes = len(generator.arch.classes)
    class_index = 1 if classes else None
    loaded, loaded_discriminator = load_generator(checkpoint), load_discriminator(checkpoint)
    psi = [0.7] * generator.style_layers
    faces = [draw_faces(each, [0, 1, 2, 3], psi, "const", class_index) for each in (generator, loaded)]
    assert np.ptp(faces[0]) > 50, "images without content would prove nothing"
    assert np.abs(faces[0].astype(int) - faces[1]).max() <= (0 if exact else 1)
    images = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    label = torch.eye(3)[[0, 1, 2, 0, 1, 2]] if classes else None
    logits = [each(images, label) for each in (discriminator, loaded_discriminator)]
    assert logits[0].std() > 1e-4
    assert torch.allclose(logits[0], logits[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arch", [ARCH, CONDITIONAL], ids=["unconditional", "conditional"])
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_pytorch_pickle_comes_back_as_the_networks_it_was_made_from(
    tmp_path: Path, arch: Architecture, protocol: int
) -> None:
    generator, discriminator = networks(arch)
    checkpoint = imported(tmp_path, field.pytorch_pickle(generator, discriminator, protocol))
    assert_same(checkpoint, generator, discriminator)
    found = Architecture.from_card(checkpoint.card.architecture)
    assert (found.sizes, found.classes, found.clamp) == (arch.sizes, arch.classes, arch.clamp)
    assert [found.channels(size) for size in found.sizes] == [arch.channels(size) for size in arch.sizes]


@pytest.mark.parametrize(
    "arch", [ARCH, dataclasses.replace(CONDITIONAL, clamp=None)], ids=["plain", "classes"]
)
def test_a_tensorflow_pickle_comes_back_as_the_networks_it_was_made_from(
    tmp_path: Path, arch: Architecture
) -> None:
    generator, discriminator = networks(arch)
    data = field.dumped(field.tensorflow_networks(generator, discriminator, version=5 if arch.classes else 4))
    assert_same(imported(tmp_path, data), generator, discriminator, exact=False)


def test_the_default_group_is_that_of_the_program_that_wrote_the_pickle(tmp_path: Path) -> None:
    generator, discriminator = networks(ARCH)
    for version, group in ((4, 4), (5, None)):
        trio = field.tensorflow_networks(generator, discriminator, version)
        del trio[1].state["static_kwargs"]["mbstd_group_size"]
        card = imported(tmp_path, field.dumped(trio)).card
        assert card.architecture["deviation_group"] == group


def test_another_learning_rate_of_the_mapping_changes_no_image(tmp_path: Path) -> None:
    generator, discriminator = networks(ARCH)
    modules = field.nvidia_generator(generator)
    for place, module in modules.items():
        if place.startswith("mapping.fc"):
            module.attributes["bias_gain"] = 0.1
            module.parameters = {name: tensor / 10 for name, tensor in module.parameters.items()}
    content = {
        "G_ema": field.persistent(modules),
        "D": field.persistent(field.nvidia_discriminator(discriminator)),
    }
    assert_same(imported(tmp_path, field.dumped(content)), generator, discriminator, exact=False)


def test_a_pickle_with_only_the_generator_can_draw(tmp_path: Path) -> None:
    generator, _ = networks(ARCH)
    checkpoint = imported(tmp_path, field.pytorch_pickle(generator, None), label="healthy", licence="CC0-1.0")
    psi = [0.7] * generator.style_layers
    assert np.array_equal(draw_faces(load_generator(checkpoint), [7], psi), draw_faces(generator, [7], psi))
    assert (checkpoint.card.label, checkpoint.card.licence) == ("healthy", "CC0-1.0")
    assert checkpoint.card.notes["discriminator"] is False
    with pytest.raises(InputError, match="only a generator"):
        load_discriminator(checkpoint)


def test_classes_can_be_named(tmp_path: Path) -> None:
    data = field.pytorch_pickle(*networks(CONDITIONAL))
    assert imported(tmp_path, data, classes=("mild", "moderate", "severe")).card.classes[2] == "severe"
    with pytest.raises(InputError, match="2 classes were named, but the network has 3"):
        imported(tmp_path, data, classes=("mild", "severe"))


Edit = Callable[[field.Modules, field.Modules], object]


def _set(network: int, place: str, **attributes: Any) -> Edit:
    return lambda *both: both[network][place].attributes.update(attributes)


EDITS: dict[str, tuple[Edit, str]] = {
    "generator kind": (_set(0, "synthesis.b8", architecture="resnet"), "architecture = 'resnet'"),
    "discriminator kind": (_set(1, "b32", architecture="orig"), "architecture = 'orig'"),
    "activation": (_set(0, "synthesis.b8.conv0", activation="swish"), "activation = 'swish'"),
    "no noise": (_set(0, "synthesis.b8.conv0", use_noise=False), "use_noise = False"),
    "grey": (_set(0, "synthesis", img_channels=1), "img_channels = 1"),
    "deviation maps": (_set(1, "b4.mbstd", num_channels=2), "mbstd_num_channels = 2"),
    "clamps": (_set(0, "synthesis.b8.conv0", conv_clamp=256), "conv_clamp differs"),
    "dense rate": (_set(1, "b4.fc", bias_gain=0.1), "lr_multiplier = 0.1"),
    "another layer": (
        lambda g, d: g.update({"synthesis.input": field.Module("SynthesisInput")}),
        "SynthesisInput",
    ),
    "filter": (
        lambda g, d: g["synthesis.b8.conv0"].buffers.update(resample_filter=torch.ones(2, 2) / 4),
        "low-pass filter",
    ),
    "more tensors": (
        lambda g, d: g["synthesis.b8"].parameters.update(extra=torch.ones(2)),
        "synthesis.b8.extra",
    ),
    "a layer missing": (lambda g, d: g.pop("synthesis.b8.torgb.affine"), "style.weight"),
    "a block missing": (
        lambda g, d: [g.pop(place) for place in list(g) if place.startswith("synthesis.b8")],
        "blocks of 4, 16, 32 px",
    ),
    "a generator instead of D": (
        lambda g, d: setattr(d[""], "class_name", "Generator"),
        "instead of the Disc",
    ),
}


@pytest.mark.parametrize(("edit", "named"), EDITS.values(), ids=EDITS)
def test_unsupported_options_are_refused_by_name(tmp_path: Path, edit: Edit, named: str) -> None:
    generator, discriminator = networks(ARCH)
    both = field.nvidia_generator(generator), field.nvidia_discriminator(discriminator)
    edit(*both)
    data = field.dumped({"G_ema": field.persistent(both[0]), "D": field.persistent(both[1])})
    with pytest.raises(InputError, match=named) as caught:
        imported(tmp_path, data)
    assert "network-snapshot.pkl" in str(caught.value)
    assert not (tmp_path / "gan.safetensors").exists()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"architecture": "resnet"}, "architecture = 'resnet'"),
        ({"resample_kernel": [1, 2, 1]}, "resample_kernel"),
        ({"blur": 3}, "option blur"),
        ({"mapping_lrmul": "fast"}, "mapping_lrmul"),
    ],
)
def test_a_tensorflow_option_without_counterpart_is_refused(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    trio = field.tensorflow_networks(*networks(ARCH))
    trio[2].state["static_kwargs"].update(change)
    with pytest.raises(InputError, match=named):
        imported(tmp_path, field.dumped(trio))


@pytest.mark.parametrize(
    "variable", ["ToRGB_lod0/weight", "synthesis/8x8/Skip/weight", "mapping/LabelConcat/weight"]
)
def test_a_tensorflow_network_of_an_earlier_kind_is_refused(tmp_path: Path, variable: str) -> None:
    trio = field.tensorflow_networks(*networks(ARCH))
    trio[2].state["variables"].append((variable, np.zeros((1, 1, 3, 3), np.float32)))
    with pytest.raises(InputError, match=variable.split("/")[-2]):
        imported(tmp_path, field.dumped(trio))


def test_a_format_before_stylegan2_is_refused(tmp_path: Path) -> None:
    trio = field.tensorflow_networks(*networks(ARCH))
    trio[2].state["version"] = 3
    with pytest.raises(InputError, match="older than StyleGAN2"):
        imported(tmp_path, field.dumped(trio))


def test_the_command_writes_a_checkpoint_that_generate_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.pkl").write_bytes(field.pytorch_pickle(*networks(ARCH)))
    out = tmp_path / "net.safetensors"
    assert main(["import-gan", str(tmp_path / "net.pkl"), str(out), "--label", "healthy"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    faces = tmp_path / "faces"
    assert main(["generate", str(out), "--seeds", "0-1", "--out", str(faces)]) == 0
    assert len(list((faces / "faces").rglob("*.png"))) == 2


def test_names_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    for settings in ({"classes": ("a", "a")}, {"label": "../x"}, {"classes": ("a",), "label": "b"}):
        with pytest.raises(ConfigError):
            ImportGanConfig(tmp_path / "x.pkl", tmp_path / "x.safetensors", **settings)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="safetensors"):
        ImportGanConfig(tmp_path / "x.pkl", tmp_path / "x.pt")
