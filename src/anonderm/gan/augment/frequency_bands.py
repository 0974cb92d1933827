"""Amplification of frequency bands. N images, H x W pixels (a square), B bands.

The four bands are octaves, the lowest first: up to 1/8 of the highest frequency, 1/8 to 1/4, 1/4 to 1/2 and
1/2 to 1. A filter is a matrix along each axis, mirrored at the edges.
"""

from functools import lru_cache

import torch
from torch import Tensor

from anonderm.gan.augment.draw import Draw

_BANDS = 4
_AMPLITUDE_OCTAVES = 1.0
_EXPECTED_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of natural images, in each band

# The low-pass of sym2, squared: h(z) h(1/z) / 2, with taps (1 + s, 3 + s, 3 - s, 1 - s) / sqrt(32), s^2 = 3.
# It has zero phase, and together with the high-pass h(-z) h(-1/z) / 2 it sums to one.
LOW_PASS = (-1 / 32, 0.0, 9 / 32, 1 / 2, 9 / 32, 0.0, -1 / 32)


def amplify_bands(images_N3HW: Tensor, draw: Draw) -> Tensor:
    """Amplify each band with probability p, keeping the expected power of an image."""
    gain_NB = band_gains(draw)
    bank_BWW = _bank(images_N3HW.shape[-1], images_N3HW.dtype, images_N3HW.device)
    filter_N1WW = torch.einsum("nb,bij->nij", gain_NB.to(images_N3HW.dtype), bank_BWW)[:, None]
    return filter_N1WW @ images_N3HW @ filter_N1WW.mT


def band_gains(draw: Draw) -> Tensor:
    """[N, B]; amplifying a band attenuates the others, which keeps the total power."""
    power_B = torch.tensor(_EXPECTED_POWER, device=draw.random.device)
    gain_NB = torch.ones(len(draw.share), _BANDS, device=draw.random.device)
    for band in range(_BANDS):
        amplitude_N = draw.chosen(draw.log_normal(_AMPLITUDE_OCTAVES), 1)
        kept_N = torch.rsqrt(1 + power_B[band] * (amplitude_N.square() - 1))
        gain_NB = gain_NB * kept_N[:, None]
        gain_NB[:, band] *= amplitude_N
    return gain_NB


@lru_cache(maxsize=8)
def _bank(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """[B, size, size]: one filter per band; their sum is the identity.

    From the highest frequencies down, the output of the low-pass is split again by the low-pass with its taps
    twice as far apart.
    """
    rest_WW = torch.eye(size, dtype=torch.float64)
    bands = []
    for level in range(_BANDS - 1):
        low_WW = _low_pass(size, 2**level) @ rest_WW
        bands.append(rest_WW - low_WW)
        rest_WW = low_WW
    return torch.stack([rest_WW, *reversed(bands)]).to(device, dtype)


def _low_pass(size: int, spread: int) -> Tensor:
    """[size, size]: the low-pass with its taps `spread` pixels apart."""
    matrix_WW = torch.zeros(size, size, dtype=torch.float64)
    row_W = torch.arange(size)
    for n, tap in enumerate(LOW_PASS):
        pixel_W = (row_W + (n - len(LOW_PASS) // 2) * spread).remainder(2 * size)
        pixel_W = torch.minimum(pixel_W, 2 * size - 1 - pixel_W)
        matrix_WW.index_put_((row_W, pixel_W), torch.tensor(tap).double(), accumulate=True)
    return matrix_WW
