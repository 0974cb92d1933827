"""Adam without momentum, the optimiser of StyleGAN's training (Karras et al. 2018, appendix A.1)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_EPSILON = 1e-8


class Adam:
    """Adam with beta_1 = 0 (Kingma & Ba 2015, algorithm 1), over the parameters that have a gradient.

    It does what torch.optim.Adam would, with half the state, and without importing torch's compiler, which
    takes that one six seconds.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], rate: float, decay: float):
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.steps = [0] * len(self.parameters)
        self.scale = 1.0
        """What the step size is multiplied with."""
        self._rate, self._decay = rate, decay

    def gradients(self) -> list[Tensor]:
        """The gradients there are, in the order of the parameters."""
        return [parameter.grad for parameter in self.parameters if parameter.grad is not None]

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient, then drop the gradients."""
        moved, parameters, gradients = [], [], []
        for index, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                moved.append(index)
                parameters.append(parameter.data)
                gradients.append(parameter.grad)
                self.steps[index] += 1
                parameter.grad = None
        squares = [self.squares[index] for index in moved]

        torch._foreach_mul_(squares, self._decay)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - self._decay)
        divisors = torch._foreach_sqrt(squares)
        torch._foreach_div_(divisors, [(1 - self._decay ** self.steps[index]) ** 0.5 for index in moved])
        torch._foreach_add_(divisors, _EPSILON)
        torch._foreach_addcdiv_(parameters, gradients, divisors, -self._rate * self.scale)

    def state(self, prefix: str) -> dict[str, Tensor]:
        """Tensors to save, each name beginning with `prefix`."""
        state = {f"{prefix}{index}": square for index, square in enumerate(self.squares)}
        return state | {f"{prefix}steps": torch.tensor(self.steps)}

    @torch.no_grad()
    def load(self, prefix: str, tensors: dict[str, Tensor]) -> None:
        """Take over what `state` gave. Raises KeyError or RuntimeError where it does not fit."""
        for index, square in enumerate(self.squares):
            square.copy_(tensors[f"{prefix}{index}"])
        self.steps = tensors[f"{prefix}steps"].tolist()
