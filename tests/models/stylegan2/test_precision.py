"""bfloat16 against float64: images, and the second-order gradients that some CPU kernels get wrong."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from anonderm.gan import losses
from anonderm.models.stylegan2 import precision
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.discriminator import Discriminator, new_discriminator
from anonderm.models.stylegan2.generator import Generator, new_generator
from anonderm.models.stylegan2.precision import use_precision

# 64 to 128 maps of 8 to 32 px: as wide as what goes wrong, and as small as a second allows.
ARCH = Architecture(32, 2048, 128, 32, 32, 2)
LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


def _randn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(7))


def _weights_gradient(network: nn.Module, loss: Tensor) -> Tensor:
    """Of the convolutions, as one long vector."""
    weights = [p for name, p in network.named_parameters() if name.endswith("weight") and p.dim() == 4]
    return torch.cat([g.flatten().double() for g in torch.autograd.grad(loss, weights)])


def _r1(discriminator: Discriminator, layout: torch.memory_format = torch.channels_last) -> Tensor:
    images = _randn(4, 3, 32, 32).to(discriminator.logit.weight.dtype).contiguous(memory_format=layout)
    images.requires_grad_()
    return _weights_gradient(discriminator, losses.r1_penalty(discriminator(images), images))


def _path_length(generator: Generator) -> Tensor:
    w = _randn(2, 1, 32).to(generator.w_average).expand(-1, generator.style_layers, -1).requires_grad_()
    images = generator.synthesise(w, None)
    lengths = losses.path_lengths(images, w, _randn(*images.shape).to(images))
    return _weights_gradient(generator, lengths.square().mean())


def _in_layout(network: nn.Module, layout: torch.memory_format) -> None:
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=layout)


@cache
def _exact() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    generator, discriminator = new_generator(ARCH, random).double(), new_discriminator(ARCH, random).double()
    return _path_length(generator), _r1(discriminator)


def _compare(found: Tensor, exact: Tensor, tolerance: float) -> None:
    # What a kernel gets wrong has an error of 1; rounding alone gives 0.04 (R1) and 0.10 (path length).
    assert exact.norm() > 0
    assert (found - exact).norm() / exact.norm() < tolerance


@pytest.mark.parametrize(("kind", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.2)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_of_r1_and_path_length_get_the_gradients_of_float64(
    kind: precision.Precision, tolerance: float, layout: str
) -> None:
    random = torch.Generator().manual_seed(0)
    generator, discriminator = new_generator(ARCH, random), new_discriminator(ARCH, random)
    use_precision(kind, generator, discriminator)
    for network in (generator, discriminator):
        _in_layout(network, LAYOUTS[layout])
    exact_path_length, exact_r1 = _exact()
    _compare(_path_length(generator), exact_path_length, tolerance)
    _compare(_r1(discriminator, LAYOUTS[layout]), exact_r1, tolerance)


def test_images_in_bfloat16_differ_by_a_few_grey_levels() -> None:
    generator = new_generator(ARCH, torch.Generator().manual_seed(0))
    z = _randn(4, 32)
    with torch.no_grad():
        exact = generator(z, None, generator.constant_noise())
        use_precision("bfloat16", generator)
        images = generator(z, None, generator.constant_noise())
    assert images.dtype == torch.float32
    assert 0 < (images - exact).abs().max() < 0.02 * exact.abs().max()


def test_parameters_and_their_gradients_stay_in_float32() -> None:
    discriminator = new_discriminator(ARCH, torch.Generator().manual_seed(0))
    use_precision("bfloat16", discriminator)
    dtypes: list[torch.dtype] = []
    for layer in (discriminator.blocks[0], discriminator.convolution):
        layer.register_forward_hook(lambda _module, _inputs, output: dtypes.append(output.dtype))
    logit = discriminator(_randn(2, 3, 32, 32))
    logit.sum().backward()
    assert dtypes == [torch.bfloat16, torch.float32]
    assert logit.dtype == torch.float32
    assert {p.grad.dtype for p in discriminator.parameters() if p.grad is not None} == {torch.float32}


@pytest.mark.parametrize("has_units", [True, False])
def test_auto_computes_in_bfloat16_only_where_the_processor_does(
    has_units: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_cpu_has_bfloat16_units", lambda: has_units)
    generator = new_generator(ARCH, torch.Generator().manual_seed(0))
    use_precision("auto", generator)
    assert generator.compute == (torch.bfloat16 if has_units else None)
