"""The whole pipeline: identity without augmentation, one generator decides, derivatives, sizes, layouts."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from anonderm.gan.augment.pipeline import augment
from anonderm.gan.config import PIPELINES, PipelineName

ALL = PIPELINES["bgcfnc"]


def _random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=_random(1)) * 2 - 1


def test_without_groups_or_with_p_0_the_images_are_returned() -> None:
    images = _noise(4, 3, 16, 16)
    assert augment(images, ALL, 0.0, _random()) is images
    assert augment(images, PIPELINES["none"], 1.0, _random()) is images


@pytest.mark.parametrize("size", [8, 64, 256])
def test_untouched_images_come_through_unchanged(size: int) -> None:
    images = _noise(2, 3, size, size)
    assert torch.allclose(augment(images, ALL, 1e-12, _random()), images, atol=2e-5)


@pytest.mark.parametrize("name", [name for name in PIPELINES if name != "none"])
def test_every_pipeline_changes_images_and_more_of_them_with_a_larger_p(name: PipelineName) -> None:
    images = _noise(400, 3, 8, 8)

    def touched(p: float) -> float:
        change = (augment(images, PIPELINES[name], p, _random()) - images).abs().amax(dim=(1, 2, 3))
        return float((change > 1e-3).float().mean())

    assert 0 < touched(0.02) < 0.3
    assert touched(0.02) < touched(0.2) < touched(0.8)


def test_the_random_generator_determines_the_result() -> None:
    images = _noise(4, 3, 16, 16)
    first = augment(images, ALL, 0.8, _random(5))
    torch.manual_seed(123)
    assert torch.equal(first, augment(images, ALL, 0.8, _random(5)))
    assert not torch.equal(first, augment(images, ALL, 0.8, _random(6)))


def test_the_memory_format_does_not_matter() -> None:
    images = _noise(4, 3, 32, 32)
    other = images.contiguous(memory_format=torch.channels_last)
    expected = augment(images, ALL, 0.8, _random())
    assert torch.allclose(augment(other, ALL, 0.8, _random()), expected, atol=1e-6)


@pytest.mark.parametrize(("count", "size"), [(1, 8), (5, 16), (2, 512)])
def test_any_batch_and_size_keeps_shape_and_type(count: int, size: int) -> None:
    result = augment(_noise(count, 3, size, size), ALL, 1.0, _random())
    assert (result.shape, result.dtype) == ((count, 3, size, size), torch.float32)
    assert bool(result.isfinite().all())


def test_augmentation_is_twice_differentiable() -> None:
    images = _noise(2, 3, 8, 8).double().requires_grad_()

    def shown(x: Tensor) -> Tensor:
        return augment(x, ALL, 0.9, _random(3)).tanh()

    assert gradcheck(shown, (images,), fast_mode=True)
    assert gradgradcheck(shown, (images,), fast_mode=True)


def test_names_of_pipelines_import_no_torch() -> None:
    program = "import sys, anonderm.gan.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
