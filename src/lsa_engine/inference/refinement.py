"""Backpropagating refinement (§4.3): bend the decoder for one image until its matte obeys the trimap at its borders."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsa_engine.errors import InputError
from lsa_engine.network.prepared import Box
from lsa_engine.progress import Steps
from lsa_engine.trimap import Trimap

_RELEASED_COUNT = 0.1
_DEFAULTS = {"fast": (15, 0.1), "paper": (100, 20.0)}
_MOMENTA = (0.8, 0.99)

Tensors = dict[int, tuple[Tensor, Tensor]]
Decode = Callable[[Tensors], Sequence[Tensor]]


@dataclass(frozen=True)
class Refinement:
    """How to refine.

    Attributes
    ----------
    method : {"fast", "paper"}
        "fast": Adam with few steps, the best of them kept. "paper": gradient descent with a fixed rate, as printed.
    boundary : {"paper", "released"}
        "paper": ∂R by the four-neighbourhood, on both sides of the border (§4). "released": the unknown pixels with an
        eight-neighbour in the known region, and 0.1 added to each count, as in the published code.
    gates : {"live", "frozen"}
        "live": the network as it is, whose gates tie every pixel to every other. "frozen" ("fast" only): its gates stay
        as they are without refinement; everything is then local, and less has to be computed.
    iterations : int
        Most passes of the decoder: 15 with "fast", 100 with "paper". The matte of the paper's last pass is its result,
        so there is one update less.
    learning_rate : float
        Step size: 0.1 with "fast", 20 with "paper".
    fidelity_weight : float
        Weight of C2, which holds the matte near the unrefined one.
    tolerance : float
        "fast" stops when no pixel moves by more than this from one pass to the next; half a step of 8 bits.
    time_budget : float or None
        No further pass begins when so many seconds have gone by since the refinement began; 0 leaves the matte as it
        is.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    method: Literal["fast", "paper"] = "fast"
    boundary: Literal["paper", "released"] = "paper"
    gates: Literal["live", "frozen"] = "live"
    iterations: int = None  # type: ignore[assignment]  # the method's own
    learning_rate: float = None  # type: ignore[assignment]
    fidelity_weight: float = 0.1
    tolerance: float = 1 / 510
    time_budget: float | None = None

    def __post_init__(self) -> None:
        if self.method not in _DEFAULTS:
            raise InputError(
                f"Got refinement method {self.method!r}, expected 'fast' or 'paper'; choose one of these, or no "
                "refinement at all."
            )
        usual = dict(zip(("iterations", "learning_rate"), _DEFAULTS[self.method], strict=True))
        for name, value in usual.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if self.boundary not in ("paper", "released"):
            raise InputError(
                f"Got boundary rule {self.boundary!r}, expected 'paper' or 'released'; choose one of these."
            )
        if self.gates not in ("live", "frozen") or (self.gates == "frozen" and self.method == "paper"):
            raise InputError(
                f"Got gates {self.gates!r} with method {self.method!r}, expected 'live', or 'frozen' with 'fast'; "
                "choose one of these."
            )
        if self.iterations < 1:
            raise InputError(f"Got {self.iterations} refinement iterations, expected at least 1; give a larger number.")
        if not self.learning_rate > 0:
            raise InputError(
                f"Got learning rate {self.learning_rate}, expected a positive number; "
                f"the default is {usual['learning_rate']:g}."
            )
        if not self.fidelity_weight >= 0:
            raise InputError(f"Got fidelity weight {self.fidelity_weight}, expected 0 or more; the paper uses 0.1.")
        if not self.tolerance >= 0:
            raise InputError(f"Got tolerance {self.tolerance}, expected 0 or more; the default is 1/510.")
        if self.time_budget is not None and not self.time_budget >= 0:
            raise InputError(f"Got a time budget of {self.time_budget} s, expected 0 or more; None sets no limit.")

    def time_is_up(self, began: float) -> bool:
        """Whether the budget of a refinement that began at this :func:`time.perf_counter` is spent."""
        return self.time_budget is not None and time.perf_counter() - began >= self.time_budget


class Cost(NamedTuple):
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
    boxes : sequence of Box, optional
        The matte will come in these parts, which hold every unknown pixel, ∂ and the strokes; whole by default.
    strokes : (array, array), optional
        (H, W) bool: further pixels of known background, and of known foreground, that count as if they were in ∂.
    """

    def __init__(
        self,
        trimap: Trimap,
        initial: Tensor,
        boundary: Literal["paper", "released"],
        fidelity_weight: float,
        boxes: Sequence[Box] | None = None,
        strokes: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
    ) -> None:
        self.boxes = boxes if boxes is not None else [Box(0, trimap.shape[0], 0, trimap.shape[1])]
        borders = trimap.boundaries(boundary)
        if strokes is not None:
            borders = (borders[0] | strokes[0], borders[1] | strokes[1])
        planes = (*borders, trimap.unknown)
        background, foreground, unknown = (self._cut(torch.from_numpy(plane).to(initial.device)) for plane in planes)
        extra = 2 * _RELEASED_COUNT if boundary == "released" else 0.0
        self._count = float(background.sum()) + float(foreground.sum()) + extra
        # Numbers rather than masks: picking them out has a gradient that needs no search.
        self._background, self._foreground, self._unknown = (
            torch.nonzero(mask)[:, 0] for mask in (background, foreground, unknown)
        )
        self._initial = self._cut(initial[0, 0].detach())[self._unknown]
        self._weight = fidelity_weight

    def parts(self, outputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the whole cost, C1 and C2 of a matte in parts (1, 1, h, w), clamped to [0, 1] first."""
        alpha = torch.cat([output.flatten() for output in outputs]).clamp(0, 1)
        border = alpha[self._background].square().sum() + (1 - alpha[self._foreground]).square().sum()
        boundary = border / max(self._count, 1.0)
        fidelity = (alpha[self._unknown] - self._initial).abs().mean().square()
        return boundary + self._weight * fidelity, boundary, fidelity

    def of(self, output: Tensor) -> Cost:
        """Return the cost of a whole matte (1, 1, H, W)."""
        return _numbers(self.parts([box.cut(output) for box in self.boxes]))

    def assemble(self, outputs: Sequence[Tensor], initial: Tensor) -> Tensor:
        """Return a whole matte (1, 1, H, W) from its parts, as it was at first where there are none."""
        whole = initial.clone()
        for box, output in zip(self.boxes, outputs, strict=True):
            box.cut(whole).copy_(output)
        return whole

    def _cut(self, plane: Tensor) -> Tensor:
        return torch.cat([box.cut(plane).flatten() for box in self.boxes])


@dataclass(frozen=True)
class Refined:
    """Outcome of a refinement: the matte (1, 1, H, W), not clamped, cost of the first and the chosen pass, A and B."""

    output: Tensor
    before: Cost
    after: Cost
    evaluations: int
    tensors: Tensors


def descend(
    decode: Decode,
    shapes: dict[int, tuple[int, int, int]],
    cost: RefinementCost,
    initial: Tensor,
    settings: Refinement,
    steps: Steps,
    began: float,
    start: Tensors | None = None,
) -> Refined:
    """Refine by gradient descent on A and B, as printed in §4.3, or by Adam.

    Parameters
    ----------
    decode : callable
        From the refinement tensors of stages 5…2 to the network's output in parts (1, 1, h, w), as the cost takes it.
    shapes : dict
        Shape of A and B after each of these stages.
    cost : RefinementCost
        What to lower.
    initial : Tensor
        (1, 1, H, W), output of the untouched network.
    settings : Refinement
        Method, iterations, rate, when to stop.
    steps : Steps
        Told of each iteration; may cancel.
    began : float
        When the refinement began, on :func:`time.perf_counter`.
    start : dict, optional
        A and B to start from; 0 by default, the untouched network.

    Returns
    -------
    Refined
        With "paper" the last pass, with "fast" the one of the lowest cost.
    """
    tensors = _zeros(shapes, initial.device) if start is None else _copies(start)
    if settings.time_is_up(began):
        before = cost.of(initial)
        return Refined(initial, before, before, 0, tensors)
    variables = [tensor for pair in tensors.values() for tensor in pair]
    fast = settings.method == "fast"
    optimiser: torch.optim.Optimizer = (
        torch.optim.Adam(variables, settings.learning_rate, _MOMENTA)
        if fast
        else torch.optim.SGD(variables, settings.learning_rate)
    )
    costs: list[Cost] = []
    best = Cost(math.inf, math.inf, math.inf)
    chosen = [box.cut(initial) for box in cost.boxes]
    previous: list[Tensor] = []
    kept = tensors
    for iteration in range(settings.iterations):
        last = iteration == settings.iterations - 1
        with torch.set_grad_enabled(not last):
            outputs = decode(tensors)
            parts = cost.parts(outputs)
        now, reached = _numbers(parts), [output.detach() for output in outputs]
        costs.append(now)
        if not fast:
            best, chosen = now, reached
        elif now.total < best.total:
            best, chosen, kept = now, reached, _copies(tensors)
        steps.advance()
        stands_still = fast and previous and _largest_move(reached, previous) <= settings.tolerance
        if last or stands_still or settings.time_is_up(began):
            break
        previous = reached
        optimiser.zero_grad(set_to_none=True)
        parts[0].backward()
        optimiser.step()
    return Refined(cost.assemble(chosen, initial), costs[0], best, iteration + 1, kept)


def _zeros(shapes: dict[int, tuple[int, int, int]], device: torch.device) -> Tensors:
    def zeros(shape: tuple[int, int, int]) -> Tensor:
        return torch.zeros((1, *shape), device=device, requires_grad=True)

    return {stage: (zeros(shape), zeros(shape)) for stage, shape in shapes.items()}


def _copies(tensors: Tensors) -> Tensors:
    def copy(tensor: Tensor) -> Tensor:
        return tensor.detach().clone().requires_grad_()

    return {stage: (copy(scale), copy(shift)) for stage, (scale, shift) in tensors.items()}


def _numbers(parts: Sequence[Tensor]) -> Cost:
    return Cost(*torch.stack([part.detach() for part in parts]).tolist())


def _largest_move(outputs: Sequence[Tensor], previous: Sequence[Tensor]) -> float:
    moves = [(a.clamp(0, 1) - b.clamp(0, 1)).abs().max() for a, b in zip(outputs, previous, strict=True)]
    return float(torch.stack(moves).max())
