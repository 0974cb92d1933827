"""The network is the published one: its names, its shapes, and the ResNet inside."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.models import resnet18

from anonderm.core.errors import BrokenArtefact, MissingPath
from anonderm.models.skin_segmenter.bisenet import BiSeNet, initialise
from anonderm.models.skin_segmenter.segment import PARTS, load_face_parsing, load_published

_CONVOLUTIONS = {
    "cp.arm16.conv.conv": (128, 256, 3),
    "cp.arm16.conv_atten": (128, 128, 1),
    "cp.arm32.conv.conv": (128, 512, 3),
    "cp.arm32.conv_atten": (128, 128, 1),
    "cp.conv_head32.conv": (128, 128, 3),
    "cp.conv_head16.conv": (128, 128, 3),
    "cp.conv_avg.conv": (128, 512, 1),
    "ffm.convblk.conv": (256, 256, 1),
    "ffm.conv1": (64, 256, 1),
    "ffm.conv2": (256, 64, 1),
    "conv_out.conv.conv": (256, 256, 3),
    "conv_out.conv_out": (19, 256, 1),
    "conv_out16.conv.conv": (64, 128, 3),
    "conv_out16.conv_out": (19, 64, 1),
    "conv_out32.conv.conv": (64, 128, 3),
    "conv_out32.conv_out": (19, 64, 1),
}
_NORMS = {
    **{f"cp.{arm}.{norm}": 128 for arm in ("arm16", "arm32") for norm in ("conv.bn", "bn_atten")},
    **{f"cp.{name}.bn": 128 for name in ("conv_head32", "conv_head16", "conv_avg")},
    "ffm.convblk.bn": 256,
    "conv_out.conv.bn": 256,
    "conv_out16.conv.bn": 64,
    "conv_out32.conv.bn": 64,
}


def published_state() -> dict[str, Tensor]:
    """A state dict as github zllrunning/face-parsing.PyTorch publishes it, with random values."""
    torch.manual_seed(0)
    backbone = resnet18(weights=None).state_dict()
    state = {f"cp.resnet.{name}": value for name, value in backbone.items() if not name.startswith("fc.")}
    for name, (outputs, inputs, kernel) in _CONVOLUTIONS.items():
        state[f"{name}.weight"] = torch.randn(outputs, inputs, kernel, kernel) / (inputs * kernel**2) ** 0.5
    for name, channels in _NORMS.items():
        state[f"{name}.weight"] = torch.rand(channels) + 0.5
        state[f"{name}.bias"] = torch.randn(channels) * 0.1
        state[f"{name}.running_mean"] = torch.randn(channels) * 0.1
        state[f"{name}.running_var"] = torch.rand(channels) + 0.5
        state[f"{name}.num_batches_tracked"] = torch.tensor(80_000)
    return state


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "as torch wrote before 1.6"])
def test_the_published_weights_load_as_they_are(tmp_path, zipped):
    state = published_state()
    torch.save(state, tmp_path / "79999_iter.pth", _use_new_zipfile_serialization=zipped)
    segmenter = load_face_parsing(tmp_path / "79999_iter.pth")
    found = segmenter.network.state_dict()
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) for name, value in state.items())
    assert [PARTS[index] for index in segmenter.skin_classes] == ["skin", "nose"]
    assert segmenter.size == 512


def test_the_backbone_computes_what_torchvision_s_does(tmp_path):
    torch.manual_seed(1)
    theirs = resnet18(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    ours = BiSeNet(2).cp.resnet.eval()
    load_published(ours, tmp_path / "resnet18.pth", leave_out=("fc.",))
    x_NCHW = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x_NCHW))))
        expected = [x := layer(x) for layer in (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4)]
        for found, wanted in zip(ours(x_NCHW), expected[1:], strict=True):
            assert torch.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (75, 130)])
def test_logits_have_the_size_of_the_picture(size):
    network = BiSeNet(2, width=8).eval()
    with torch.inference_mode():
        heads = network.all_heads(torch.zeros(1, 3, *size))
    assert [tuple(head.shape) for head in heads] == [(1, 2, *size)] * 3


def test_the_same_seed_gives_the_same_network():
    states = []
    for _ in range(2):
        network = BiSeNet(2, width=8)
        initialise(network, torch.Generator().manual_seed(3))
        states.append(network.state_dict())
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())


def test_other_files_are_refused_with_their_name(tmp_path):
    with pytest.raises(MissingPath, match=r"gone\.pth"):
        load_face_parsing(tmp_path / "gone.pth")
    (tmp_path / "torn.pth").write_bytes(b"torn")
    with pytest.raises(BrokenArtefact, match=r"torn\.pth"):
        load_face_parsing(tmp_path / "torn.pth")
    torch.save(resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")
    with pytest.raises(BrokenArtefact, match=r"resnet18\.pth"):
        load_face_parsing(tmp_path / "resnet18.pth")


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Payload:
        def __reduce__(self):
            return (print, ("code ran",))

    torch.save({"weights": Payload()}, tmp_path / "evil.pth")
    with pytest.raises(BrokenArtefact, match=r"evil\.pth"):
        load_face_parsing(tmp_path / "evil.pth")
