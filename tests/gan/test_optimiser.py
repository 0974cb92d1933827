"""The optimiser against torch's own."""

from __future__ import annotations

import torch
from torch import nn

from anonderm.gan.optimiser import Adam


def _parameters() -> list[nn.Parameter]:
    random = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=random)) for shape in ((3, 4), (5,), ())]


def test_it_moves_as_torch_adam_with_beta1_zero() -> None:
    ours, theirs = _parameters(), _parameters()
    mine = Adam(ours, 0.01, 0.99)
    reference = torch.optim.Adam(theirs, lr=0.01, betas=(0.0, 0.99), eps=1e-8)
    random = torch.Generator().manual_seed(1)
    for step in range(5):
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            missing = index == 1 and step == 2  # a phase that does not reach this parameter
            a.grad = None if missing else torch.randn(a.shape, generator=random)
            b.grad = None if missing else a.grad.clone()
        mine.step()
        reference.step()
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
        assert a.grad is None


def test_its_state_continues_exactly() -> None:
    first, second = _parameters(), _parameters()
    whole, part = Adam(first, 0.01, 0.99), Adam(second, 0.01, 0.99)
    for step in range(4):
        for a, b in zip(first, second, strict=True):
            a.grad = torch.full_like(a, step + 1.0)
            b.grad = a.grad.clone()
        whole.step()
        part.step()
        if step == 1:
            resumed = Adam(second, 0.01, 0.99)
            resumed.load("x.", part.state("x."))
            part = resumed
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
