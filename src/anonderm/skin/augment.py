"""Augmentation of training photos and their labels.

published: that of github zllrunning/face-parsing.PyTorch: colour jitter, mirror, scale, crop.
strong: for masks of drawn faces; randomises everything that differs between a drawing and a photo.
"""

# N photos, C channels, S x S pixels in, T x T pixels out; photos are RGB in 0..1

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.core.images import LUMINANCE
from anonderm.metrics.confusion import IGNORED

_SCALES = (0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
_JITTER = 0.5
_PLAIN = 1 / 3
_OCTAVES = 6  # of random textures


def published(
    x_NCSS: Tensor, labels_NSS: Tensor, crop: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Photos [N, C, T, T] and labels [N, T, T]; crops stay inside their photo."""
    count, share = len(x_NCSS), crop / x_NCSS.shape[-1]
    choice_N = torch.randint(len(_SCALES), (count,), generator=generator)
    scale_N = torch.tensor(_SCALES)[choice_N].clamp(min=share)
    room_N = 1 - share / scale_N
    shift_N2 = (2 * torch.rand(count, 2, generator=generator) - 1) * room_N[:, None]
    mirror_N = _signs(count, generator)
    extent_N = share / scale_N
    zero_N = torch.zeros(count)
    rows = (mirror_N * extent_N, zero_N, shift_N2[:, 0], zero_N, extent_N, shift_N2[:, 1])
    moved, labels = _move(x_NCSS, labels_NSS, torch.stack(rows, 1).view(-1, 2, 3), crop)
    return _jitter(moved, generator), labels


def strong(
    x_NCSS: Tensor, labels_NSS: Tensor, crop: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Photos [N, C, T, T] and labels [N, T, T]; outside a photo is background.

    A third of the photos are only moved and recoloured, so that the network still segments drawings, too.
    """
    count, share = len(x_NCSS), crop / x_NCSS.shape[-1]
    zoom_N = torch.exp(_uniform(count, math.log(0.5), math.log(1.7), generator))
    stretch_N = torch.exp(_normal(count, 0.08, generator))
    angle_N = _normal(count, 0.25, generator)
    shift_N2 = torch.stack([_normal(count, 0.16, generator) for _ in range(2)], 1)
    cosine_N, sine_N, extent_N = angle_N.cos(), angle_N.sin(), share / zoom_N
    mirror_N = _signs(count, generator) * stretch_N
    rows = (
        extent_N * cosine_N * mirror_N,
        -extent_N * sine_N,
        shift_N2[:, 0],
        extent_N * sine_N * mirror_N,
        extent_N * cosine_N,
        shift_N2[:, 1],
    )
    moved, labels = _move(x_NCSS, labels_NSS, torch.stack(rows, 1).view(-1, 2, 3), crop)
    beyond = labels == IGNORED
    labels = torch.where(beyond, torch.zeros_like(labels), labels)
    texture = _texture(moved, labels, generator)
    other = _replace_background(moved, labels, beyond, texture, generator)
    other, covered = _cover(other, labels, texture.roll(1, 0), generator)
    other = _camera(_light(other, generator), generator)
    plain_N = (torch.rand(count, generator=generator) < _PLAIN).to(moved.device)
    moved = torch.where(plain_N.view(-1, 1, 1, 1), moved, other)
    return _jitter(moved, generator), torch.where(plain_N.view(-1, 1, 1), labels, covered)


def _move(x_NCSS: Tensor, labels_NSS: Tensor, affine_N23: Tensor, crop: int) -> tuple[Tensor, Tensor]:
    """Crops by affine maps (from the crop's -1..1 to the photo's); labels outside the photo are IGNORED."""
    grid_NTT2 = F.affine_grid(affine_N23.to(x_NCSS), [len(x_NCSS), 3, crop, crop], align_corners=False)
    moved = F.grid_sample(x_NCSS, grid_NTT2, padding_mode="reflection", align_corners=False)
    # Nearest, as labels cannot be averaged; shifted by one, to distinguish the zeros outside the photo.
    shifted = labels_NSS[:, None].to(x_NCSS) + 1
    found = F.grid_sample(shifted, grid_NTT2, mode="nearest", padding_mode="zeros", align_corners=False)
    labels = found[:, 0].round().long() - 1
    return moved, torch.where(labels < 0, torch.full_like(labels, IGNORED), labels)


def _jitter(x_NCTT: Tensor, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and saturation, each scaled by 0.5 to 1.5."""
    count = len(x_NCTT)
    light, contrast, saturation = (
        _uniform(count, 1 - _JITTER, 1 + _JITTER, generator).to(x_NCTT).view(-1, 1, 1, 1) for _ in range(3)
    )
    x_NCTT = (x_NCTT * light).clamp(0, 1)
    middle = _grey(x_NCTT).mean(dim=(2, 3), keepdim=True)
    x_NCTT = (middle + contrast * (x_NCTT - middle)).clamp(0, 1)
    grey = _grey(x_NCTT)
    return (grey + saturation * (x_NCTT - grey)).clamp(0, 1)


def _replace_background(
    x_NCTT: Tensor, labels_NTT: Tensor, beyond_NTT: Tensor, texture: Tensor, generator: torch.Generator
) -> Tensor:
    """In two photos of three, a random texture replaces everything beyond a random distance from the skin.

    Outside its edges, every photo gets it.
    """
    count, side = len(x_NCTT), x_NCTT.shape[-1]
    margin_N = _uniform(count, 0.0, 0.3, generator)
    keep_N = torch.rand(count, generator=generator) < 1 / 3
    # Distance from skin in steps of eight pixels: enough for a ragged border.
    cells = max(8, side // 8)
    near = F.adaptive_max_pool2d((labels_NTT == 1).to(x_NCTT)[:, None], cells)
    distance = torch.zeros_like(near)
    for _ in range(cells // 3):
        distance += 1 - near
        near = F.max_pool2d(near, 3, stride=1, padding=1)
    distance = F.interpolate(distance, (side, side), mode="bilinear", align_corners=False)[:, 0]
    margin_N11 = (margin_N * cells).to(x_NCTT).view(-1, 1, 1)
    far = (distance > margin_N11) & ~keep_N.to(x_NCTT.device).view(-1, 1, 1)
    replaced = ((far | beyond_NTT) & (labels_NTT != 1))[:, None]
    return torch.where(replaced, texture, x_NCTT)


def _cover(
    x_NCTT: Tensor, labels_NTT: Tensor, texture: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A third of the faces is partly covered by a soft shape of another texture, as by hair or a hand."""
    count, side = len(x_NCTT), x_NCTT.shape[-1]
    shape = _field(count, 1, 4, side, generator)
    level_N = torch.where(torch.rand(count, generator=generator) < 1 / 3, 1.3, 99.0)
    hidden = (shape > level_N.view(-1, 1, 1, 1)).to(x_NCTT.device)
    return torch.where(hidden, texture, x_NCTT), labels_NTT.masked_fill(hidden[:, 0], 0)


def _light(x_NCTT: Tensor, generator: torch.Generator) -> Tensor:
    """Uneven, coloured light and a skin grain that drawings lack, multiplied in roughly linear light."""
    count, side = len(x_NCTT), x_NCTT.shape[-1]
    broad = _field(count, 1, 3, side, generator) * _uniform(count, 0, 0.45, generator).view(-1, 1, 1, 1)
    grain = _field(count, 1, side // 4, side, generator)
    grain = grain * _uniform(count, 0, 0.08, generator).view(-1, 1, 1, 1)
    tint = torch.randn(count, 3, 1, 1, generator=generator) * 0.08
    gamma = torch.exp(_normal(count, 0.2, generator)).view(-1, 1, 1, 1)
    factor = torch.exp(broad + grain + tint)
    return (x_NCTT.clamp(1e-4, 1) ** gamma.to(x_NCTT) * factor.to(x_NCTT)).clamp(0, 1)


def _camera(x_NCTT: Tensor, generator: torch.Generator) -> Tensor:
    """Blur, lower resolution, noise, and occasionally no colour."""
    count, side = len(x_NCTT), x_NCTT.shape[-1]
    blur_N, grey_N, noise_N = (torch.rand(count, generator=generator).to(x_NCTT) for _ in range(3))
    soft = F.avg_pool2d(x_NCTT, 5, stride=1, padding=2, count_include_pad=False)
    coarse = F.interpolate(x_NCTT, (side // 3, side // 3), mode="bilinear", antialias=True)
    coarse = F.interpolate(coarse, (side, side), mode="bilinear")
    blur_N111 = blur_N.view(-1, 1, 1, 1)
    x_NCTT = torch.where(blur_N111 < 0.2, coarse, torch.where(blur_N111 < 0.45, soft, x_NCTT))
    x_NCTT = torch.where(grey_N.view(-1, 1, 1, 1) < 0.08, _grey(x_NCTT).expand_as(x_NCTT), x_NCTT)
    noise = torch.randn(x_NCTT.shape, generator=generator).to(x_NCTT)
    return (x_NCTT + noise * (noise_N.view(-1, 1, 1, 1) ** 2 * 0.08)).clamp(0, 1)


def _texture(x_NCTT: Tensor, labels_NTT: Tensor, generator: torch.Generator) -> Tensor:
    """Coloured clouds, from smooth to rough, [N, C, T, T]; half of them close to the photo's skin colour.

    Made at half resolution, which is rough enough.
    """
    count, side = len(x_NCTT), x_NCTT.shape[-1]
    half = side // 2
    skin = (labels_NTT == 1).to(x_NCTT)[:, None]
    skin_NC11 = (x_NCTT * skin).sum(dim=(2, 3), keepdim=True) / skin.sum(dim=(2, 3), keepdim=True).clamp(
        min=1
    )
    any_NC11 = torch.rand(count, 3, 1, 1, generator=generator).to(x_NCTT)
    like_skin_N = torch.rand(count, generator=generator).to(x_NCTT).view(-1, 1, 1, 1) < 0.5
    colour_NC11 = torch.where(like_skin_N, skin_NC11 + 0.3 * (any_NC11 - 0.5), any_NC11)
    strength = _uniform(count, 0.02, 0.3, generator).view(-1, 1, 1, 1)
    decay = _uniform(count, 0.4, 1.1, generator).view(-1, 1, 1, 1)
    clouds = 0.4 * strength * _field(count, 3, 3, half, generator)
    for octave in range(_OCTAVES):
        clouds = clouds + strength * decay**octave * _field(count, 1, 2 ** (octave + 1), half, generator)
    wide = F.interpolate(clouds, (side, side), mode="bilinear", align_corners=False)
    return (colour_NC11 + wide.to(x_NCTT)).clamp(0, 1)


def _field(count: int, channels: int, cells: int, side: int, generator: torch.Generator) -> Tensor:
    """Smooth random numbers of about unit variance, `cells` independent ones per side."""
    coarse = torch.randn(count, channels, max(2, cells), max(2, cells), generator=generator)
    return F.interpolate(coarse, (side, side), mode="bilinear", align_corners=True)


def _grey(x_NCTT: Tensor) -> Tensor:
    """Luma of Rec. 601, [N, 1, T, T]."""
    weights = torch.tensor(LUMINANCE).to(x_NCTT).view(1, 3, 1, 1)
    return (x_NCTT * weights).sum(dim=1, keepdim=True)


def _signs(count: int, generator: torch.Generator) -> Tensor:
    return torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)


def _normal(count: int, deviation: float, generator: torch.Generator) -> Tensor:
    return torch.randn(count, generator=generator) * deviation


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low
