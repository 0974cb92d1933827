"""DFDNet, with random weights in the layout in which its authors publish theirs.

The layout is spelled out here, and not taken from the code that reads it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from anonderm.core.errors import BrokenArtefact, InputError
from anonderm.models.restorers.dfdnet.components import COMPONENTS, boxes_of
from anonderm.models.restorers.dfdnet.dictionary import match, read_dictionaries, standardised
from anonderm.models.restorers.dfdnet.network import DFDNet
from anonderm.models.restorers.dfdnet.restorer import DfdnetRestorer, load_published, published_names

SIDES = {"left_eye": 80, "right_eye": 80, "nose": 50, "mouth": 110}
VGG = {0: (3, 1), 2: (1, 1), 5: (1, 2), 7: (2, 2), 10: (2, 4)} | dict.fromkeys((12, 14, 16), (4, 4))
VGG |= {19: (4, 8)} | dict.fromkeys((21, 23, 25, 28, 30, 32, 34), (8, 8))


def published_layout(width: int) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
    """Channels in and out of the plain convolutions and of the spectrally normalised ones."""
    plain = {
        f"VggExtract.model.features.{index}": (a if index == 0 else a * width, b * width)
        for index, (a, b) in VGG.items()
    }
    plain |= {f"up4.{block}.Model.{layer}": (width, width) for block in (2, 3) for layer in (0, 2)}
    plain["up4.4"] = (width, 3)
    normalised: dict[str, tuple[int, int]] = {}
    for side, factor in ((256, 2), (128, 4), (64, 8), (32, 8)):
        for part in ("le", "re", "no", "mo"):
            for layer in (0, 2):
                normalised[f"{part}_{side}.{layer}"] = (factor * width, factor * width)
    for branch in (1, 2, 3, 4):
        for layer in (0, 2):
            normalised[f"MSDilate.conv{branch}.{layer}"] = (8 * width, 8 * width)
    normalised["MSDilate.convi"] = (32 * width, 8 * width)
    for stage, (inward, outward) in enumerate(((8, 8), (8, 4), (4, 2), (2, 1))):
        normalised[f"up{stage}.conv1.1"] = (inward * width, outward * width)
        normalised[f"up{stage}.convup.1"] = (outward * width, outward * width)
        for model in ("ScaleModel1", "ShiftModel1"):
            normalised[f"up{stage}.{model}.0"] = (inward * width, outward * width)
            normalised[f"up{stage}.{model}.2"] = (outward * width, outward * width)
        normalised[f"to_rgb{stage}.0"] = (outward * width, outward * width)
        normalised[f"to_rgb{stage}.2"] = (outward * width, 3)
    normalised["up4.0"] = (width, width)
    return plain, normalised


def write_published(folder: Path, width: int, entries: int = 5) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    plain, normalised = published_layout(width)
    tensors = {
        "VggExtract.RGB_mean": torch.zeros(1, 3, 1, 1),
        "VggExtract.model.classifier.0.bias": torch.ones(4),
    }
    for name, (inward, outward) in (plain | normalised).items():
        weight = torch.randn(outward, inward, 3, 3) * (2 / (9 * inward)) ** 0.5
        tensors[f"{name}.bias"] = 0.1 * torch.randn(outward)
        if name in plain:
            tensors[f"{name}.weight"] = weight
            continue
        left, _, right = torch.linalg.svd(weight.flatten(1), full_matrices=False)
        tensors |= {
            f"{name}.weight_orig": weight,
            f"{name}.weight_u": left[:, 0],
            f"{name}.weight_v": right[0],
        }
    torch.save(tensors, folder / "latest_net_G.pth")
    (folder / "DictionaryCenter512").mkdir()
    rng = np.random.default_rng(0)
    for part, side in SIDES.items():
        for map_side, factor in ((256, 2), (128, 4), (64, 8), (32, 8)):
            length = factor * width * (side * map_side // 512) ** 2
            entry = rng.random((entries, length), np.float32)
            np.save(folder / "DictionaryCenter512" / f"{part}_{map_side}_center.npy", entry)
    return tensors


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dfdnet")
    write_published(folder, width=4)
    return folder


def test_published_weights_restore_faces_at_full_structure(published: Path) -> None:
    restorer = DfdnetRestorer(published)
    faces = np.random.default_rng(1).integers(0, 256, (2, 512, 512, 3), np.uint8)
    restored = restorer(faces, [None, None])
    assert restored.shape == (2, 512, 512, 3)
    assert restored.std() > 1
    alone = restorer(faces[1:], [None])
    assert abs(restored[1:].astype(int) - alone).max() <= 1, "a face does not depend on its batch"


def test_dictionaries_change_the_face_at_its_components_and_not_far_from_them(published: Path) -> None:
    network, dictionaries = load_published(published)
    boxes = [boxes_of(None)]
    image = torch.rand(1, 3, 512, 512) * 2 - 1
    without = {name: tuple(torch.zeros_like(each) for each in dictionaries[name]) for name in dictionaries}
    with torch.inference_mode():
        change = (network(image, boxes, dictionaries) - network(image, boxes, without)).abs()[0].amax(0)
    x0, y0, x1, y1 = boxes[0]["mouth"]
    assert change[y0:y1, x0:x1].mean() > 1e-3
    assert change[:40].max() == 0, "no component reaches up there"


def test_every_convolution_of_the_network_has_its_place_in_the_published_layout() -> None:
    plain, normalised = published_layout(64)
    with torch.device("meta"):
        ours = DFDNet(64).state_dict()
    names = published_names()
    assert set(ours) == {f"{name}.{kind}" for name in names for kind in ("weight", "bias")}
    for name, theirs in names.items():
        inward, outward = (plain | normalised)[theirs]
        assert ours[f"{name}.weight"].shape == (outward, inward, 3, 3), name
    unused = set(plain | normalised) - set(names.values())
    assert {name.split(".")[0] for name in unused} == {f"to_rgb{stage}" for stage in range(4)}


def test_spectral_normalisation_is_undone_once(published: Path) -> None:
    network, _ = load_published(published)
    for convolution in (network.context.join, network.head.convolve):
        largest = torch.linalg.matrix_norm(convolution.weight.detach().flatten(1), 2)
        assert largest.item() == pytest.approx(1, abs=1e-4)
    stored = torch.load(published / "latest_net_G.pth", weights_only=True)
    assert torch.equal(network.head.to_rgb.weight, stored["up4.4.weight"])


def test_the_match_is_that_of_restyling_every_entry() -> None:
    """The definition, written out: AdaIN of every entry, inner products, the best one resized."""
    torch.manual_seed(2)
    entries, component = 3 * torch.rand(7, 6, 10, 10) + torch.rand(7, 6, 1, 1), torch.rand(1, 6, 13, 9) * 5
    scaled = F.interpolate(component, (10, 10), mode="bilinear", align_corners=False)

    def moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.mean((2, 3), keepdim=True), (x.var((2, 3), keepdim=True) + 1e-5).sqrt()

    (mean, deviation), (own_mean, own_deviation) = moments(scaled), moments(entries)
    restyled = (entries - own_mean) / own_deviation * deviation + mean
    best = F.conv2d(scaled, restyled).flatten().argmax()
    expected = F.interpolate(restyled[best : best + 1], (13, 9))
    torch.testing.assert_close(match(standardised(entries), component), expected, atol=1e-5, rtol=1e-5)


def test_an_entry_is_found_again_whatever_its_style() -> None:
    entries = torch.rand(9, 4, 8, 8)
    shown = entries[5:6] * torch.tensor([2.0, 0.5, 3.0, 1.0]).view(1, 4, 1, 1) + 7
    torch.testing.assert_close(match(standardised(entries), shown), shown, atol=1e-3, rtol=1e-3)


def test_boxes_follow_the_points() -> None:
    points = np.zeros((68, 2))
    points[48:68] = [[200 + 5 * (k % 20), 380 + (k % 2)] for k in range(20)]
    x0, y0, x1, y1 = boxes_of(points)["mouth"]
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((247.5, 380.5), abs=1)
    assert x1 - x0 == pytest.approx(95, abs=2), "as high as it is wide"
    assert y1 - y0 == pytest.approx(95, abs=2)
    assert boxes_of(points)["nose"] == (0, 0, 32, 32), "a box is never empty, and never outside"


def test_average_components_match_faces_of_this_framing() -> None:
    boxes = boxes_of(None)
    assert tuple(boxes) == COMPONENTS
    centres = {name: ((x0 + x1) / 2, (y0 + y1) / 2) for name, (x0, y0, x1, y1) in boxes.items()}
    assert centres["left_eye"][0] < 256 < centres["right_eye"][0]
    assert centres["left_eye"][1] < centres["nose"][1] < centres["mouth"][1]
    assert centres["left_eye"][0] + centres["right_eye"][0] == pytest.approx(512, abs=2)


def test_other_files_in_their_place_are_named(published: Path, tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "latest_net_G.pth")
    with pytest.raises(InputError, match="no VGG-19"):
        load_published(tmp_path)
    tensors = torch.load(published / "latest_net_G.pth", weights_only=True)
    del tensors["up2.convup.1.weight_u"]
    torch.save(tensors, tmp_path / "latest_net_G.pth")
    with pytest.raises(BrokenArtefact, match=r"up2\.convup\.1\.weight_u"):
        load_published(tmp_path)
    np.save(tmp_path / "left_eye_256_center.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(BrokenArtefact, match="left_eye_256_center"):
        read_dictionaries(tmp_path, (8, 16, 32, 32))
    np.save(tmp_path / "left_eye_256_center.npy", np.zeros((3, 100), np.float32))
    with pytest.raises(BrokenArtefact, match="8 x 40 x 40"):
        read_dictionaries(tmp_path, (8, 16, 32, 32))
