"""Backpropagating refinement (§4.3): bend the decoder for one image until its matte obeys the trimap at its borders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lsa_engine.errors import InputError
from lsa_engine.progress import Steps
from lsa_engine.trimap import Trimap

_RELEASED_COUNT = 0.1


@dataclass(frozen=True)
class Refinement:
    """How to refine.

    Attributes
    ----------
    method : {"paper"}
        "paper": gradient descent with a fixed rate, as printed.
    boundary : {"paper", "released"}
        "paper": ∂R by the four-neighbourhood, on both sides of the border (§4). "released": the unknown pixels with an
        eight-neighbour in the known region, and 0.1 added to each count, as in the published code.
    iterations : int
        Passes of the decoder; the matte of the last one is the result, so there is one update less.
    learning_rate : float
        Step of the gradient descent.
    fidelity_weight : float
        Weight of C2, which holds the matte near the unrefined one.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    method: str = "paper"
    boundary: Literal["paper", "released"] = "paper"
    iterations: int = 100
    learning_rate: float = 20.0
    fidelity_weight: float = 0.1

    def __post_init__(self) -> None:
        if self.method != "paper":
            raise InputError(
                f"Got refinement method {self.method!r}, expected 'paper'; choose it, or no refinement at all."
            )
        if self.boundary not in ("paper", "released"):
            raise InputError(
                f"Got boundary rule {self.boundary!r}, expected 'paper' or 'released'; choose one of these."
            )
        if self.iterations < 1:
            raise InputError(f"Got {self.iterations} refinement iterations, expected at least 1; give a larger number.")
        if not self.learning_rate > 0:
            raise InputError(f"Got learning rate {self.learning_rate}, expected a positive number; the paper uses 20.")
        if not self.fidelity_weight >= 0:
            raise InputError(f"Got fidelity weight {self.fidelity_weight}, expected 0 or more; the paper uses 0.1.")


@dataclass(frozen=True)
class Cost:
    """The refinement cost (§4.3) and its two parts: C1 at the borders, C2 inside the unknown region."""

    total: float
    boundary: float
    fidelity: float


class RefinementCost:
    """C1 + weight·C2 of a matte.

    C1 = [Σ_{∂{T=0}} α̂² + Σ_{∂{T=1}} (1−α̂)²] / (|∂{T=0}| + |∂{T=1}|), and C2 = (mean over {T=0.5} of |α̂ − α̂_init|)².

    Parameters
    ----------
    trimap : Trimap
        (H, W); the borders are taken from it as it is, without padding.
    initial : Tensor
        (1, 1, H, W), the matte of the untouched network, not clamped.
    boundary : {"paper", "released"}
        Rule for ∂.
    fidelity_weight : float
        Weight of C2.
    """

    def __init__(
        self, trimap: Trimap, initial: Tensor, boundary: Literal["paper", "released"], fidelity_weight: float
    ) -> None:
        background, foreground = trimap.boundaries(boundary)
        extra = 2 * _RELEASED_COUNT if boundary == "released" else 0.0
        device = initial.device
        self._background = torch.from_numpy(background).to(device)
        self._foreground = torch.from_numpy(foreground).to(device)
        self._unknown = torch.from_numpy(trimap.unknown).to(device)
        self._initial = initial[0, 0].detach()[self._unknown]
        self._count = float(background.sum()) + float(foreground.sum()) + extra
        self._weight = fidelity_weight

    def parts(self, output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the whole cost, C1 and C2 of an output (1, 1, H, W), which is clamped to [0, 1] first."""
        alpha = output[0, 0].clamp(0, 1)
        border = alpha[self._background].square().sum() + (1 - alpha[self._foreground]).square().sum()
        boundary = border / max(self._count, 1.0)
        fidelity = (alpha[self._unknown] - self._initial).abs().mean().square()
        return boundary + self._weight * fidelity, boundary, fidelity


@dataclass(frozen=True)
class Refined:
    """Outcome of a refinement: the matte (1, 1, H, W), not clamped, and the cost of the first and last pass."""

    output: Tensor
    before: Cost
    after: Cost
    evaluations: int


def descend(
    decode: Callable[[dict[int, tuple[Tensor, Tensor]]], Tensor],
    shapes: dict[int, tuple[int, int, int]],
    trimap: Trimap,
    initial: Tensor,
    settings: Refinement,
    steps: Steps,
) -> Refined:
    """Refine by gradient descent on A and B, as printed in §4.3.

    Parameters
    ----------
    decode : callable
        From the refinement tensors of stages 5…2 to the network's output (1, 1, H, W).
    shapes : dict
        Shape of A and B after each of these stages.
    trimap : Trimap
        (H, W).
    initial : Tensor
        (1, 1, H, W), output of the untouched network.
    settings : Refinement
        Iterations, rate, boundary rule, weight.
    steps : Steps
        Told of each iteration; may cancel.
    """
    cost = RefinementCost(trimap, initial, settings.boundary, settings.fidelity_weight)
    tensors = {
        stage: (
            torch.zeros((1, *shape), device=initial.device, requires_grad=True),
            torch.zeros((1, *shape), device=initial.device, requires_grad=True),
        )
        for stage, shape in shapes.items()
    }
    variables = [tensor for pair in tensors.values() for tensor in pair]
    costs: list[Cost] = []
    for iteration in range(settings.iterations):
        last = iteration == settings.iterations - 1
        with torch.set_grad_enabled(not last):
            output = decode(tensors)
            total, boundary, fidelity = cost.parts(output)
        costs.append(Cost(*(float(part.detach()) for part in (total, boundary, fidelity))))
        if not last:
            gradients = torch.autograd.grad(total, variables)
            with torch.no_grad():
                torch._foreach_add_(variables, gradients, alpha=-settings.learning_rate)
        steps.advance()
    return Refined(output.detach(), costs[0], costs[-1], settings.iterations)
