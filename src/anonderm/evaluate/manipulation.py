"""A published detector of manipulated faces: EfficientNet-B4 of Bonettini et al. 2020.

The network is timm's; the tensors of the authors' weights (named as in efficientnet_pytorch) are renamed. The
variant follows from the tensors: plain or with attention (AutoAtt), trained end to end or on features of a
triplet loss (ST). Sources: Bonettini et al. 2020, sec. III; Tan and Le 2019.
"""

# N images, H x W pixels, C channels

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anonderm.core import progress
from anonderm.core.errors import BrokenArtefact
from anonderm.core.faceset import FaceSet
from anonderm.core.imagenet import normalised
from anonderm.core.launch import device
from anonderm.core.tensorfiles import read_weights
from anonderm.embeddings.published import clean_resize

SIZE = 224

_BATCH = 16
_WHERE = "Get one of EfficientNet(AutoAtt)B4(ST) from https://github.com/polimi-ispl/icpr2020dfdc."
_FEATURES = 1792
# Stage of EfficientNet-B4, and place in it, of each block.
_BLOCKS = [(stage, block) for stage, blocks in enumerate((2, 4, 4, 6, 6, 8, 2)) for block in range(blocks)]
_ATTENTION_STAGE, _ATTENTION_FEATURES = 2, 56
_PREFIXES = {
    "classifier.0.": "normalise.",
    "classifier.1.": "classifier.",
    "classifier.": "classifier.",
    "efficientnet.attconv.": "attention.",
}
_PLAIN = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
_SQUEEZE = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
# The first block has no expansion, so its layers have other names.
_FIRST_STAGE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
} | _SQUEEZE
_LATER_STAGES = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
} | _SQUEEZE


class Detector(nn.Module):
    """Face [N, 3, 224, 224], normalised as ImageNet -> logit [N] of being manipulated."""

    def __init__(self, attention: bool, siamese: bool) -> None:
        import timm

        super().__init__()
        network: Any = timm.create_model("tf_efficientnet_b4", pretrained=False, num_classes=0)
        # efficientnet_pytorch pads as for images of 380 px: this layer is padded equally on all sides.
        strided = network.blocks[2][0]
        width = strided.conv_dw.in_channels
        strided.conv_dw = nn.Conv2d(width, width, 5, 2, padding=2, groups=width, bias=False)
        self.efficientnet = network
        self.attention = nn.Conv2d(_ATTENTION_FEATURES, 1, 1) if attention else None
        self.normalise = nn.BatchNorm1d(_FEATURES) if siamese else nn.Identity()
        self.classifier = nn.Linear(_FEATURES, 1)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        network: Any = self.efficientnet
        x_NCHW = network.bn1(network.conv_stem(x_NCHW))
        for index, stage in enumerate(network.blocks):
            x_NCHW = stage(x_NCHW)
            if self.attention is not None and index == _ATTENTION_STAGE:
                x_NCHW = x_NCHW * torch.sigmoid(self.attention(x_NCHW))
        x_NCHW = network.bn2(network.conv_head(x_NCHW))
        return self.classifier(self.normalise(x_NCHW.mean((2, 3))))[:, 0]


def load_detector(weights: Path) -> tuple[Detector, str]:
    """The detector, and the authors' name of its variant. Raises BrokenArtefact for other weights."""
    state = read_weights(weights, _WHERE)
    siamese = any(name.startswith("feat_ext.") for name in state)
    attention = any(".attconv." in name for name in state)
    detector = Detector(attention, siamese)
    try:
        used = {name: each for name, each in state.items() if not name.startswith("feat_ext.classifier.")}
        detector.load_state_dict({_renamed(name): tensor for name, tensor in used.items()})
    except (LookupError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BrokenArtefact(
            f"{weights}: not EfficientNet-B4 weights of Bonettini et al. ({reason}).",
            _WHERE,
        ) from error
    variant = f"EfficientNet{'AutoAtt' if attention else ''}B4{'ST' if siamese else ''}"
    return detector.eval().to(device()), variant


def manipulation_scores(detector: Detector, faces: FaceSet) -> NDArray[np.float64]:
    """The detector's probability [N] that each face was manipulated, from the whole square picture."""
    scores = []
    with torch.inference_mode(), progress.bar("detecting manipulations", len(faces)) as bar:
        for batch in faces.batches(_BATCH):
            pixels_NHWC = np.stack([clean_resize(faces.image(face), SIZE) for face in batch])
            x_NCHW = torch.from_numpy(pixels_NHWC).permute(0, 3, 1, 2).to(device())
            scores.append(torch.sigmoid(detector(normalised(x_NCHW / 255)).double()).cpu().numpy())
            bar.advance(len(batch))
    return np.concatenate(scores) if scores else np.zeros(0)


def _renamed(name: str) -> str:
    """Our name of a tensor of the published file. Raises LookupError."""
    name = name.removeprefix("feat_ext.")
    for published, ours in _PREFIXES.items():
        if name.startswith(published):
            return ours + name.removeprefix(published)
    if match := re.fullmatch(r"efficientnet\._blocks\.(\d+)\.(\w+)\.(\w+)", name):
        stage, block = _BLOCKS[int(match[1])]
        layer = (_LATER_STAGES if stage else _FIRST_STAGE)[match[2]]
        return f"efficientnet.blocks.{stage}.{block}.{layer}.{match[3]}"
    _, layer, kind = name.split(".")
    return f"efficientnet.{_PLAIN[layer]}.{kind}"
