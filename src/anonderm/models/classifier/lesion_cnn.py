"""The lesion CNN, a small backbone for lesion types, and dropout that draws from an explicit generator."""

# N faces, C channels, H x W pixels, D features

import itertools

import torch
from torch import Tensor, nn

from anonderm.models.classifier.batch_shard import BatchShard

LESION_CNN = "lesion-cnn"

_WIDTHS = (16, 32, 64)
_DENSE = (128, 64)


class Dropout(nn.Module):
    """Inverted dropout (Srivastava et al. 2014) whose draws a resumed training repeats.

    They come from `generator`, on the device of the values. With a `shard`, they are made for the whole batch
    and the rows of the shard are used.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.generator: torch.Generator | None = None
        self.shard: BatchShard | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.share == 0:
            return x
        count, rows = (self.shard.batch_size, self.shard.rows) if self.shard else (len(x), slice(None))
        drawn = torch.rand((count, *x.shape[1:]), generator=self.generator, device=x.device)
        kept = drawn[rows] >= self.share
        return x * kept.to(x) / (1 - self.share)


def draw_dropout_from(generator: torch.Generator, network: nn.Module) -> None:
    """Make every Dropout of the network draw from this generator."""
    for layer in network.modules():
        if isinstance(layer, Dropout):
            layer.generator = generator


class LesionCnn(nn.Module):
    """Three 5 x 5 convolutions (16, 32, 64 channels) and two dense layers (128, 64); features [N, 64].

    After each convolution: batch norm, ReLU, 2 x 2 max-pool, dropout 0.2; after the first dense layer dropout
    0.5. The output layer and its dropout belong to the classifier.
    size: side of the images in pixels, at least 32; the first dense layer has (size // 8)^2 x 64 inputs.
    Source: the network for acne lesion types of Amanqos, Kenzheakhmetov and Chung, at 416 px.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        widths = (3, *_WIDTHS)
        self.blocks = nn.Sequential(*(_block(*pair) for pair in itertools.pairwise(widths)))
        flat = (size // 2 ** len(_WIDTHS)) ** 2 * _WIDTHS[-1]
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Linear(flat, _DENSE[0]),
            nn.ReLU(),
            Dropout(0.5),
            nn.Linear(_DENSE[0], _DENSE[1]),
            nn.ReLU(),
        )
        self.feature_info = [{"module": f"blocks.{index}"} for index in range(len(_WIDTHS))]

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.dense(self.blocks(x_NCHW))


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 5, padding=2),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        nn.MaxPool2d(2),
        Dropout(0.2),
    )
