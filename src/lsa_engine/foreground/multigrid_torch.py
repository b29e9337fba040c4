"""The grids of the multigrid solver as tensor operations, for batches on any device."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lsa_engine.foreground.multigrid import Sums


class TensorGrid:
    """A :class:`~lsa_engine.foreground.multigrid.MeasuredGrid` of N images; the same steps as the compiled loops.

    Parameters
    ----------
    known, east, south : Tensor
        (N, 1, H, W): data weights, and the weights of the edges to the right and below, 0 in the last column and row.
    channels : int
        Channels of colour.
    """

    def __init__(self, known: Tensor, east: Tensor, south: Tensor, channels: int) -> None:
        self.known, self.east, self.south = known, east, south
        total = known + east + south
        total[..., 1:] += east[..., :-1]
        total[..., 1:, :] += south[..., :-1, :]
        self.inverse = torch.where(total > 0, 1 / total.clamp_min(torch.finfo(total.dtype).tiny), 0)
        rows = torch.arange(known.shape[-2], device=known.device)[:, None]
        columns = torch.arange(known.shape[-1], device=known.device)
        self.colours = ((rows + columns) % 2).bool()
        shape = (known.shape[0], channels, *known.shape[-2:])
        self.x, self.right = known.new_zeros(shape), known.new_zeros(shape)
        self.coarser: TensorGrid | None = None

    def add_coarser(self) -> TensorGrid:
        """Make the grid of half the size, with weights but no right-hand sides."""
        # Of the edges, those that leave the pairs of columns or rows become the coarser ones.
        leaving_right, leaving_below = self.east.clone(), self.south.clone()
        leaving_right[..., ::2], leaving_below[..., ::2, :] = 0, 0
        weights = (_sum_children(self.known), _sum_children(leaving_right) / 2, _sum_children(leaving_below) / 2)
        self.coarser = TensorGrid(*weights, self.x.shape[1])
        return self.coarser

    def sweep(self, times: int) -> None:  # noqa: D102
        for _ in range(times):
            for chosen in (~self.colours, self.colours):
                self.x = torch.where(chosen, self.x + self._residual() * self.inverse, self.x)

    def clear(self) -> None:  # noqa: D102
        self.x = torch.zeros_like(self.x)

    def restrict_right(self) -> None:  # noqa: D102
        self._below().right = _sum_children(self.right)

    def restrict_residual(self) -> None:  # noqa: D102
        # The colour smoothed last has no residual but rounding.
        self._below().right = _sum_children(torch.where(self.colours, 0, self._residual()))

    def measure(self) -> tuple[Sums, Sums]:  # noqa: D102
        residual = torch.where(self.colours, 0, self._residual())
        self._below().right = _sum_children(residual)
        missed = self.right - self.known * self.x
        cost = missed.square() / torch.where(self.known > 0, self.known, 1)
        cost[..., :-1] += self.east[..., :-1] * self.x.diff(dim=-1).square()
        cost[..., :-1, :] += self.south[..., :-1, :] * self.x.diff(dim=-2).square()
        return _total(residual.square() * self.inverse), _total(cost) / 2

    def prolong(self, *, add: bool) -> None:  # noqa: D102
        height, width = self.x.shape[-2:]
        fine = F.interpolate(self._below().x, scale_factor=2.0, mode="bilinear", align_corners=False)
        fine = fine[..., :height, :width]
        self.x = self.x + fine if add else fine

    def scaled_right(self) -> NDArray[np.float64]:  # noqa: D102
        return _total(self.right.square() * self.inverse)

    def _residual(self) -> Tensor:
        x = self.x
        residual = self.right - self.known * x
        across, along = self.east[..., :-1] * x.diff(dim=-1), self.south[..., :-1, :] * x.diff(dim=-2)
        residual[..., :-1] += across
        residual[..., 1:] -= across
        residual[..., :-1, :] += along
        residual[..., 1:, :] -= along
        return residual

    def _below(self) -> TensorGrid:
        assert self.coarser is not None
        return self.coarser


def build_tensor_grids(colours: Tensor, alpha: Tensor, kappa: float) -> list[TensorGrid]:
    """Return the grids of images (N, C, H, W) and their alphas (N, 1, H, W), finest first."""
    smoothness = kappa * (1 - alpha).square()
    east, south = torch.zeros_like(alpha), torch.zeros_like(alpha)
    east[..., :-1] = smoothness[..., :-1] + smoothness[..., 1:]
    south[..., :-1, :] = smoothness[..., :-1, :] + smoothness[..., 1:, :]
    finest = TensorGrid(alpha.square(), east, south, colours.shape[1])
    finest.right = finest.known * colours
    grids = [finest]
    while max(grids[-1].x.shape[-2:]) > 1:
        grids.append(grids[-1].add_coarser())
    return grids


def _sum_children(x: Tensor) -> Tensor:
    height, width = x.shape[-2:]
    return 4 * F.avg_pool2d(F.pad(x, (0, width % 2, 0, height % 2)), 2)


def _total(x: Tensor) -> NDArray[np.float64]:
    """Return the sums over each image, in double precision where the device has it."""
    wide = torch.float32 if x.device.type == "mps" else torch.float64
    return x.sum((1, 2, 3), dtype=wide).cpu().numpy().astype(np.float64)
