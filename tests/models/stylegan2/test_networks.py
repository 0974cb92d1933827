"""Shapes, normalisation and conditioning of the networks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from anonderm.gan.config import PRESETS, architecture
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.discriminator import new_discriminator, with_deviation
from anonderm.models.stylegan2.generator import new_generator, to_pixels

TINY = architecture(PRESETS["tiny"], 32, ())
CONDITIONAL = dataclasses.replace(TINY, classes=("healthy", "severe"))


def _random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _latents(count: int, arch: Architecture, seed: int = 1) -> Tensor:
    return torch.randn(count, arch.z_dim, generator=_random(seed))


def _one_hot(*classes: int) -> Tensor:
    return torch.eye(2)[list(classes)]


def test_shapes_of_images_and_logits() -> None:
    generator, discriminator = new_generator(TINY, _random()), new_discriminator(TINY, _random())
    images = generator(_latents(4, TINY), None, generator.random_noise(4, _random()))
    assert images.shape == (4, 3, 32, 32)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert discriminator(images).shape == (4,)


def test_the_shipped_pair_fits_in_five_megabytes_as_float16() -> None:
    arch = architecture(PRESETS["tiny"], 64, ())
    networks = new_generator(arch, _random()), new_discriminator(arch, _random())
    numbers = sum(tensor.numel() for network in networks for tensor in network.state_dict().values())
    assert numbers * 2 < 5_000_000


def test_features_keep_unit_scale_through_the_generator() -> None:
    arch = architecture(PRESETS["tiny"], 64, ())
    generator = new_generator(arch, _random())
    features: list[Tensor] = []
    for layer in generator.layers():
        layer.register_forward_hook(lambda _module, _inputs, output: features.append(output))
    generator(_latents(8, arch), None, generator.constant_noise())
    scales = [float(feature.detach().square().mean().sqrt()) for feature in features]
    assert len(scales) == 9
    assert all(0.25 < scale < 1.5 for scale in scales), scales


def test_initial_weights_depend_only_on_the_random_generator() -> None:
    torch.manual_seed(0)
    first = new_generator(TINY, _random(3)).state_dict()
    torch.manual_seed(1)
    second = new_generator(TINY, _random(3)).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_noise_changes_detail_only_once_its_strength_is_learned() -> None:
    generator = new_generator(TINY, _random())
    z = _latents(2, TINY)
    assert torch.equal(generator(z, None, None), generator(z, None, generator.random_noise(2, _random())))
    with torch.no_grad():
        generator.layers()[-1].noise_strength.fill_(0.5)
    assert not torch.allclose(
        generator(z, None, None), generator(z, None, generator.random_noise(2, _random()))
    )


def test_truncation_moves_each_style_layer_towards_the_average_by_its_psi() -> None:
    generator = new_generator(TINY, _random())
    generator.track_average(generator.mapping(_latents(16, TINY)).mean(dim=0))
    average, w = generator.w_average, generator.mapping(_latents(3, TINY))
    psi = [0.0, 0.25, 0.5, 0.7, 0.7, 1.0, 1.5, -1.0]
    truncated = generator.truncate(w, psi)
    assert truncated.shape == (3, generator.style_layers, TINY.w_dim)
    for layer, own in enumerate(psi):
        assert torch.allclose(truncated[:, layer], average + own * (w - average), atol=1e-6)
    assert torch.equal(truncated[:, 0], average.expand(3, -1)), "psi 0 is the average face"
    assert torch.equal(truncated[:, 5], w), "psi 1 changes nothing"


def test_a_later_style_layer_cannot_change_what_came_before_it() -> None:
    generator = new_generator(TINY, _random())
    w = generator.mapping(_latents(1, TINY))[:, None].repeat(1, generator.style_layers, 1)
    changed = w.clone()
    changed[:, -1] += 1
    features: list[Tensor] = []
    generator.layers()[-1].register_forward_hook(lambda _module, _inputs, output: features.append(output))
    images = [generator.synthesise(styles, None) for styles in (w, changed)]
    assert torch.equal(features[0], features[1])
    assert not torch.equal(images[0], images[1])


def test_deviation_map_is_the_mean_standard_deviation_of_each_group() -> None:
    x = torch.randn(8, 3, 4, 4, generator=_random())
    with_map = with_deviation(x, 4)
    assert with_map.shape == (8, 4, 4, 4)
    members = x[[0, 2, 4, 6]]
    expected = members.var(dim=0, correction=0).sqrt().mean()
    assert torch.allclose(with_map[[0, 2, 4, 6], 3], expected.expand(4, 4, 4), atol=1e-5)
    assert not torch.allclose(with_map[0, 3], with_map[1, 3])


@pytest.mark.parametrize("count", [1, 3, 6, 7])
def test_the_discriminator_takes_any_batch_size(count: int) -> None:
    discriminator = new_discriminator(TINY, _random())
    assert discriminator(torch.zeros(count, 3, 32, 32)).isfinite().all()


def test_the_label_changes_the_face_and_the_logit() -> None:
    generator, discriminator = (
        new_generator(CONDITIONAL, _random()),
        new_discriminator(CONDITIONAL, _random()),
    )
    z = _latents(1, CONDITIONAL)
    faces = [generator(z, _one_hot(index), None) for index in (0, 1)]
    assert not torch.allclose(faces[0], faces[1])
    verdicts = [discriminator(faces[0], _one_hot(index)) for index in (0, 1)]
    assert not torch.allclose(verdicts[0], verdicts[1])


def test_pixels_cover_the_whole_range() -> None:
    images = torch.tensor([-2.0, -1.0, 0.0, 1.0]).reshape(4, 1, 1, 1).expand(4, 3, 1, 1)
    assert to_pixels(images)[:, 0, 0, 0].tolist() == [0, 0, 128, 255]
    assert to_pixels(images).dtype == np.uint8
