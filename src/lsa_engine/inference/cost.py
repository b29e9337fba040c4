"""The cost that backpropagating refinement lowers (§4.3), of a whole matte or added up over its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsa_engine.boxes import Box
from lsa_engine.trimap import Trimap

_RELEASED_COUNT = 0.1

Boundary = Literal["paper", "released"]
Mask = NDArray[np.bool_]
Strokes = tuple[Mask, Mask]


class Cost(NamedTuple):
    """The refinement cost (§4.3) and its two parts: C1 at the borders, C2 inside the unknown region."""

    total: float
    boundary: float
    fidelity: float


def cost_masks(trimap: Trimap, boundary: Boundary, strokes: Strokes | None = None) -> tuple[Mask, Mask, Mask]:
    """Return the pixels (H, W) that count as background, as foreground, and as unknown.

    Parameters
    ----------
    trimap : Trimap
        (H, W); the borders are taken from it as it is, without padding.
    boundary : {"paper", "released"}
        Rule for ∂.
    strokes : (array, array), optional
        (H, W) bool: further pixels of known background, and of known foreground, that count as if they were in ∂.
    """
    background, foreground = trimap.boundaries(boundary)
    if strokes is not None:
        background, foreground = background | strokes[0], foreground | strokes[1]
    return background, foreground, trimap.unknown


def wanted_pixels(masks: Sequence[Mask]) -> Mask:
    """Return every pixel (H, W) that one of the masks holds."""
    wanted = masks[0].copy()
    for mask in masks[1:]:
        wanted |= mask
    return wanted


class CostTerms:
    """What the boxes of an image add to its cost.

    Parameters
    ----------
    masks : three arrays
        (H, W) bool, as from :func:`cost_masks`.
    boxes : sequence of Box
        The matte will come in these parts, which hold every pixel of the masks.
    initial : sequence of Tensor
        (1, 1, h, w), the matte of the untouched network in each of them, not clamped.
    boundary : {"paper", "released"}
        The published code clamps α̂ to [0, 1] but not α̂_init, so that a network which overshoots is held where it is;
        with "paper" both are mattes.
    leads_back : bool
        Whether outputs outside [0, 1] have the gradient that leads back inside. The printed cost has none there: a
        pixel that overshoots on the wrong side of a border would never be drawn across.
    """

    def __init__(
        self,
        masks: tuple[Mask, Mask, Mask],
        boxes: Sequence[Box],
        initial: Sequence[Tensor],
        boundary: Boundary = "paper",
        *,
        leads_back: bool = False,
    ) -> None:
        # Numbers rather than masks: picking them out has a gradient that needs no search.
        numbers = []
        for mask in masks:
            flat = np.concatenate([mask[box.top : box.bottom, box.left : box.right].ravel() for box in boxes])
            numbers.append(torch.from_numpy(np.flatnonzero(flat)).to(initial[0].device))
        self._background, self._foreground, self._unknown = numbers
        self.borders = len(self._background) + len(self._foreground)
        self.unknown = len(self._unknown)
        raw = torch.cat([part.detach().flatten() for part in initial])[self._unknown]
        self._initial = raw if boundary == "released" else raw.clamp(0, 1)
        self._leads_back = leads_back

    def sums(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return Σ α̂² + Σ (1−α̂)² over the borders, and Σ |α̂ − α̂_init|, of a matte in parts clamped to [0, 1] first."""
        raw = torch.cat([output.flatten() for output in outputs])
        alpha = _ClampLeadingBack.apply(raw) if self._leads_back else raw.clamp(0, 1)
        border = alpha[self._background].square().sum() + (1 - alpha[self._foreground]).square().sum()
        return torch.stack([border, (alpha[self._unknown] - self._initial).abs().sum()])


class _ClampLeadingBack(torch.autograd.Function):
    """Clamp to [0, 1]; what lies outside keeps the gradient whose descent leads back."""

    @staticmethod
    def forward(ctx: Any, raw: Tensor) -> Tensor:
        ctx.save_for_backward(raw)
        return raw.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (raw,), (gradient,) = ctx.saved_tensors, gradients
        stays = ((raw >= 0) | (gradient < 0)) & ((raw <= 1) | (gradient > 0))
        return gradient * stays


class CostScale(NamedTuple):
    """What makes a cost of its sums.

    Attributes
    ----------
    borders : float
        |∂{T=0}| + |∂{T=1}|, with the strokes; the published code adds 0.1 to each.
    unknown : int
        Number of unknown pixels.
    fidelity_weight : float
        Weight of C2.
    """

    borders: float
    unknown: int
    fidelity_weight: float

    @classmethod
    def of(cls, parts: Sequence[CostTerms], boundary: Boundary, fidelity_weight: float) -> CostScale:
        """Return the scale of the sums over all these parts."""
        extra = 2 * _RELEASED_COUNT if boundary == "released" else 0.0
        borders = sum(part.borders for part in parts) + extra
        return cls(max(borders, 1.0), max(sum(part.unknown for part in parts), 1), fidelity_weight)

    def parts(self, sums: Tensor) -> Tensor:
        """Return the whole cost, C1 and C2 from sums over the image (2,).

        C1 = [Σ_{∂{T=0}} α̂² + Σ_{∂{T=1}} (1−α̂)²] / (|∂{T=0}| + |∂{T=1}|), C2 = (mean over {T=0.5} of |α̂ − α̂_init|)².
        """
        boundary = sums[0] / self.borders
        fidelity = (sums[1] / self.unknown).square()
        return torch.stack([boundary + self.fidelity_weight * fidelity, boundary, fidelity])

    def numbers(self, sums: Tensor) -> Cost:
        """Return the cost of sums over the image (2,)."""
        return Cost(*self.parts(sums.detach()).tolist())
