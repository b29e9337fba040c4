"""The two steps that a refinement takes: along the gradient, and Adam's.

``torch.optim`` has both, but its first optimiser loads torch's compiler, which takes two seconds that the first
refinement would wait for, and in which Python's collector stops all other threads, a window's among them, for up to
0.3 s at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_EPSILON = 1e-8


class Stepper(Protocol):
    """Moves tensors by their gradients."""

    def step(self) -> None:
        """Move every tensor that has a gradient, and take that gradient away."""


class GradientDescent:
    """x ← x − rate·∂.

    Parameters
    ----------
    tensors : sequence of Tensor
        Leaves of the graph, changed in place.
    rate : float
        The learning rate.
    """

    def __init__(self, tensors: Sequence[Tensor], rate: float) -> None:
        self._tensors, self._rate = tensors, rate

    @torch.no_grad()
    def step(self) -> None:
        """Move every tensor that has a gradient, and take that gradient away."""
        for tensor in self._tensors:
            if (gradient := _taken(tensor)) is not None:
                tensor.sub_(gradient, alpha=self._rate)


@dataclass
class Moments:
    """What Adam remembers: steps made, and averages of the gradients and of their squares, one for each tensor."""

    steps: int
    means: list[Tensor]
    squares: list[Tensor]


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1): steps of about the rate in every number, whatever its gradient's size.

    Parameters
    ----------
    tensors : sequence of Tensor
        Leaves of the graph, changed in place.
    rate : float
        The learning rate.
    decays : (float, float)
        β₁ and β₂: how much of the old averages is kept at each step.
    start : Moments, optional
        What to go on from; left as it is. By default nothing has been seen.
    """

    def __init__(
        self, tensors: Sequence[Tensor], rate: float, decays: tuple[float, float], start: Moments | None = None
    ) -> None:
        self._tensors, self._rate, self._decays = tensors, rate, decays
        self._steps = 0 if start is None else start.steps
        self._means = _zeros(tensors) if start is None else [mean.clone() for mean in start.means]
        self._squares = _zeros(tensors) if start is None else [square.clone() for square in start.squares]

    @property
    def moments(self) -> Moments:
        """What has been seen so far, to go on from; moves along with further steps."""
        return Moments(self._steps, self._means, self._squares)

    @torch.no_grad()
    def step(self) -> None:
        """Move every tensor that has a gradient, and take that gradient away."""
        first, second = self._decays
        self._steps += 1
        size = self._rate / (1 - first**self._steps)
        spread = (1 - second**self._steps) ** 0.5
        for tensor, mean, square in zip(self._tensors, self._means, self._squares, strict=True):
            if (gradient := _taken(tensor)) is not None:
                mean.lerp_(gradient, 1 - first)
                square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
                tensor.addcdiv_(mean, square.sqrt().div_(spread).add_(_EPSILON), value=-size)


def _taken(tensor: Tensor) -> Tensor | None:
    """Return a tensor's gradient, if it has one, and take it away."""
    gradient, tensor.grad = tensor.grad, None
    return gradient


def _zeros(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [torch.zeros_like(tensor, requires_grad=False) for tensor in tensors]
