"""Classifier two-sample test by a small CNN trained from scratch: pixels show it what embeddings lose."""

# N images, H x W pixels, C channels

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from anonderm.core.images import Pixels
from anonderm.core.launch import device, step_generator
from anonderm.embeddings.encoder import to_tensor
from anonderm.metrics.bootstrap import Rows
from anonderm.metrics.c2st import FitAndScore, Floats, Truth

SIZE = 64

_WIDTHS = (24, 48, 96, 96)
_BATCH = 32
_RATE = 3e-3


def on_pixels(pixels_NHWC: Pixels, second_N: Truth, epochs: int, seed: int) -> FitAndScore:
    """Trains on uint8 [N, 64, 64, 3], mirrored half of the time; the same seed gives the same scores."""

    def fit_and_score(train: Rows, test: Rows) -> Floats:
        network = _network(seed).to(device())
        _train(network, pixels_NHWC[train], second_N[train], epochs, seed)
        return _scores(network.eval(), pixels_NHWC[test])

    return fit_and_score


def _network(seed: int) -> nn.Sequential:
    """Four convolutions of stride 2, global average pooling, and one logit."""
    layers: list[nn.Module] = []
    for width_in, width in zip((3, *_WIDTHS), _WIDTHS, strict=False):
        layers += [nn.Conv2d(width_in, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(_WIDTHS[-1], 1)]
    network = nn.Sequential(*layers)
    random = step_generator(seed, 0)
    for each in network.modules():
        if isinstance(each, nn.Conv2d | nn.Linear):
            deviation = math.sqrt(2 / each.weight[0].numel())
            nn.init.normal_(each.weight, std=deviation, generator=random)
    nn.init.zeros_(network[-1].bias)  # type: ignore[arg-type]
    return network


def _train(network: nn.Module, pixels_NHWC: Pixels, second_N: Truth, epochs: int, seed: int) -> None:
    """AdamW with a cosine schedule."""
    optimiser = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-2)
    steps = max(1, len(pixels_NHWC) // _BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * steps)
    truth_N = torch.from_numpy(second_N.astype(np.float32))
    network.train()
    for epoch in range(epochs):
        random = step_generator(seed, 1 + epoch)
        order_N = torch.randperm(len(pixels_NHWC), generator=random)
        for rows in order_N.tensor_split(steps):
            x_NCHW = to_tensor(pixels_NHWC[rows.numpy()]).to(device())
            mirrored_N = torch.rand(len(rows), generator=random) < 0.5
            x_NCHW = torch.where(mirrored_N[:, None, None, None].to(x_NCHW.device), x_NCHW.flip(3), x_NCHW)
            logits_N = network(x_NCHW)[:, 0]
            loss = functional.binary_cross_entropy_with_logits(logits_N, truth_N[rows].to(logits_N.device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


@torch.inference_mode()
def _scores(network: nn.Module, pixels_NHWC: Pixels) -> Floats:
    batches = [pixels_NHWC[start : start + 256] for start in range(0, len(pixels_NHWC), 256)]
    return np.concatenate(
        [network(to_tensor(each).to(device()))[:, 0].double().cpu().numpy() for each in batches]
    )
