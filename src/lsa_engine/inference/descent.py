"""Backpropagating refinement (§4.3): bend the decoder for one image until its matte obeys the trimap at its borders."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from lsa_engine.boxes import Box
from lsa_engine.errors import Cancelled, InputError
from lsa_engine.inference.cost import Cost, CostScale, CostTerms, Mask
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.stepping import Adam, GradientDescent, Moments, Stepper
from lsa_engine.progress import Steps

_MOMENTA = (0.8, 0.99)
_PATIENCE = 1  # passes in a row that may be no better than the best
_SMALLER = 0.15
_FADING = 0.8  # of given A and B: what bent the matte for the edits before fades, so that many in a row do not add up
_LEAST_PASSES = 3  # from given A and B: of 200 edits in a row with as many, the last cost is that of a fresh start

Tensors = dict[int, tuple[Tensor, Tensor]]
Decode = Callable[[Tensors], Sequence[Tensor]]
MatteT = TypeVar("MatteT")


class Objective(Protocol[MatteT]):
    """A matte as a function of A and B, and what it costs."""

    initial: MatteT
    """The matte of the untouched network, not clamped."""
    device: torch.device
    """Where A and B are to lie."""

    def evaluate(self, tensors: Tensors, *, gradient: bool) -> Cost:
        """Compute the matte of these tensors; with `gradient`, :meth:`backward` can follow."""

    def backward(self) -> None:
        """Add the gradient of the cost evaluated last to that of its tensors."""

    def moved(self) -> float:
        """Return how far any pixel moved between the last two evaluations; infinity after the first."""

    def keep(self) -> None:
        """Keep the matte evaluated last as the one to return."""

    def kept(self) -> MatteT:
        """Return the matte kept last; the initial one if there is none."""

    def initial_cost(self) -> Cost:
        """Return the cost of the initial matte."""


@dataclass(frozen=True)
class Refined(Generic[MatteT]):
    """Outcome of a refinement: the matte, not clamped, cost of the first and the chosen pass, A and B.

    `cancelled` and `out_of_time` say that there would have been further passes. `moments` is what Adam has seen, to
    go on from. `gates_held` says that the network's gates stayed as they were.
    """

    output: MatteT
    before: Cost
    after: Cost
    evaluations: int
    tensors: Tensors
    cancelled: bool = False
    moments: Moments | None = None
    out_of_time: bool = False
    gates_held: bool = False


def descend(
    objective: Objective[MatteT],
    shapes: dict[int, tuple[int, int, int]],
    settings: Refinement,
    steps: Steps,
    began: float,
    start: Tensors | None = None,
    moments: Moments | None = None,
) -> Refined[MatteT]:
    """Refine by gradient descent on A and B, as printed in §4.3, or by Adam.

    Parameters
    ----------
    objective : Objective
        What to lower.
    shapes : dict
        Shape of A and B after each refined stage.
    settings : Refinement
        Method, iterations, rate, when to stop.
    steps : Steps
        Told of each iteration. When it raises :class:`~lsa_engine.errors.Cancelled`, the best pass so far is the
        result.
    began : float
        When the refinement began, on :func:`time.perf_counter`.
    start : dict, optional
        A and B to start from, of which at least three passes are made, and which the first step lets fade; 0 by
        default, the untouched network.
    moments : Moments, optional
        What Adam starts from. From nothing, its first step is as large as its rate in every number.

    Returns
    -------
    Refined
        With "paper" the last pass, with "fast" the one of the lowest cost.

    Raises
    ------
    InputError
        If that pass has no finite cost: its matte would hold no numbers.
    """
    tensors = _zeros(shapes, objective.device) if start is None else _copies(start)
    if start is None and settings.time_is_up(began):
        before = objective.initial_cost()
        return Refined(objective.kept(), before, before, 0, tensors, out_of_time=True)
    fast, rate = settings.method == "fast", settings.learning_rate
    stepper: Stepper = (
        Adam(_variables(tensors), rate, _MOMENTA, moments) if fast else GradientDescent(_variables(tensors), rate)
    )
    costs: list[Cost] = []
    best, kept, cancelled, out_of_time = Cost(math.inf, math.inf, math.inf), tensors, False, False
    since = 0  # passes that were no better than the best
    try:
        for iteration in range(settings.iterations):
            last = iteration == settings.iterations - 1
            costs.append(objective.evaluate(tensors, gradient=not last))
            if costs[-1].total < best.total:
                best, kept, since = costs[-1], _copies(tensors), 0
                objective.keep()
            else:
                since += 1
            steps.advance()
            if last or (fast and objective.moved() <= settings.tolerance):
                break
            hurried = start is not None and len(costs) < _LEAST_PASSES
            if settings.time_is_up(began) and not hurried:
                out_of_time = True
                break
            steps.check()
            if fast and since > _PATIENCE:
                # The steps are too large for what there is to gain: from the best on with smaller ones.
                tensors, since, rate = _copies(kept), 0, _SMALLER * rate
                stepper = Adam(_variables(tensors), rate, _MOMENTA)
                continue
            objective.backward()
            if start is not None and iteration == 0:
                _fade(_variables(tensors))
            stepper.step()
        if not fast:
            best, kept = costs[-1], tensors
            objective.keep()
    except Cancelled:
        cancelled = True
    if not costs:
        costs.append(objective.initial_cost())
        return Refined(objective.kept(), costs[0], costs[0], 0, kept, cancelled)
    if not math.isfinite(best.total):
        raise InputError(
            f"Got learning rate {settings.learning_rate:g} and fidelity weight {settings.fidelity_weight:g}, with "
            f"which the cost becomes {best.total:g} by pass {len(costs)}, expected finite numbers; choose smaller ones."
        )
    seen = stepper.moments if isinstance(stepper, Adam) else None
    return Refined(objective.kept(), costs[0], best, len(costs), kept, cancelled, seen, out_of_time)


class WholeObjective:
    """A matte that is decoded in one go.

    Parameters
    ----------
    decode : callable
        From the refinement tensors of stages 5…2 to the network's output in parts (1, 1, h, w).
    boxes : sequence of Box
        Where these parts lie; they hold every pixel of the masks.
    masks : three arrays
        (H, W) bool, as from :func:`~lsa_engine.inference.cost.cost_masks`.
    initial : Tensor
        (1, 1, H, W), output of the untouched network.
    settings : Refinement
        Boundary rule and weight of C2.
    outside : Tensor, optional
        (1, 1, H, W), the matte outside the boxes, which then need not hold every pixel of the masks. It counts in the
        cost and stays as it is; by default the initial one, which does not count.
    """

    def __init__(
        self,
        decode: Decode,
        boxes: Sequence[Box],
        masks: tuple[Mask, Mask, Mask],
        initial: Tensor,
        settings: Refinement,
        outside: Tensor | None = None,
    ) -> None:
        self.initial, self.device = initial, initial.device
        self._decode, self._boxes = decode, boxes
        self._terms = all_terms = CostTerms(
            masks, boxes, self._cut(initial), settings.boundary, leads_back=settings.method == "fast"
        )
        self._outside = initial
        self._sums_outside = torch.zeros(2, device=self.device)
        if outside is not None:
            self._outside = outside
            frame = Box(0, initial.shape[-2], 0, initial.shape[-1])
            all_terms = CostTerms(masks, [frame], [initial], settings.boundary)
            everywhere = all_terms.sums([outside])
            self._sums_outside = (everywhere - self._terms.sums(self._cut(outside))).clamp_min(0)
        self._scale = CostScale.of([all_terms], settings.boundary, settings.fidelity_weight)
        self._total: Tensor | None = None
        self._now: list[Tensor] = []
        self._previous: list[Tensor] = []
        self._kept: list[Tensor] = []

    def evaluate(self, tensors: Tensors, *, gradient: bool) -> Cost:
        """Compute the matte of these tensors."""
        with torch.set_grad_enabled(gradient):
            outputs = self._decode(tensors)
            sums = self._terms.sums(outputs) + self._sums_outside
            self._total = self._scale.parts(sums)[0]
        self._previous, self._now = self._now, [output.detach() for output in outputs]
        return self._scale.numbers(sums)

    def backward(self) -> None:
        """Add the gradient of the cost evaluated last to that of its tensors."""
        if self._total is not None:
            self._total.backward()

    def moved(self) -> float:
        """Return how far any pixel moved between the last two evaluations; infinity after the first."""
        return largest_move(self._now, self._previous) if self._previous else math.inf

    def keep(self) -> None:
        """Keep the matte evaluated last."""
        self._kept = self._now

    def kept(self) -> Tensor:
        """Return the matte (1, 1, H, W) kept last, as it was outside the boxes."""
        whole = self._outside.clone()
        for box, part in zip(self._boxes, self._kept, strict=False):
            box.cut(whole).copy_(part)
        return whole

    def initial_cost(self) -> Cost:
        """Return the cost of the initial matte."""
        return self._scale.numbers(self._terms.sums(self._cut(self.initial)) + self._sums_outside)

    def _cut(self, plane: Tensor) -> list[Tensor]:
        return [box.cut(plane) for box in self._boxes]


def largest_move(outputs: Sequence[Tensor], previous: Sequence[Tensor]) -> float:
    """Return how far any pixel, clamped to [0, 1], is from where it was."""
    moves = [(a.clamp(0, 1) - b.clamp(0, 1)).abs().max() for a, b in zip(outputs, previous, strict=True)]
    return float(torch.stack(moves).max())


def _variables(tensors: Tensors) -> list[Tensor]:
    return [tensor for pair in tensors.values() for tensor in pair]


@torch.no_grad()
def _fade(tensors: Sequence[Tensor]) -> None:
    """Bring numbers nearer to the untouched network, but those without a gradient: held, or of no account."""
    for tensor in tensors:
        if tensor.grad is not None:
            tensor.mul_(torch.where(tensor.grad != 0, _FADING, 1.0))


def _zeros(shapes: dict[int, tuple[int, int, int]], device: torch.device) -> Tensors:
    def zeros(shape: tuple[int, int, int]) -> Tensor:
        return torch.zeros((1, *shape), device=device, requires_grad=True)

    return {stage: (zeros(shape), zeros(shape)) for stage, shape in shapes.items()}


def _copies(tensors: Tensors) -> Tensors:
    def copy(tensor: Tensor) -> Tensor:
        return tensor.detach().clone().requires_grad_()

    return {stage: (copy(scale), copy(shift)) for stage, (scale, shift) in tensors.items()}
