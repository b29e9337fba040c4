"""The grids of the multigrid solver as tensor operations, for batches on any device."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lsa_engine.foreground.multigrid import Convergence, Step, Sums, first_step, further_step, solve

# Up to this many pixels a CUDA GPU would wait for Python to launch the steps one by one: they are recorded instead.
_RECORDED_UP_TO = 1 << 24


class TensorGrid:
    """A :class:`~lsa_engine.foreground.multigrid.MeasuredGrid` of N images; the same steps as the compiled loops.

    No step waits for the device, and every one leaves its results in the same tensors.

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
        self.inverse = total.reciprocal().masked_fill_(total <= 0, 0)
        rows, columns = (torch.arange(length, dtype=known.dtype, device=known.device) for length in known.shape[-2:])
        second = (rows[:, None] + columns).remainder(2)
        self.smoothed_first = 1 - second
        # A chessboard's two colours, in the order in which they are solved for.
        self.halves = (self.inverse * self.smoothed_first, self.inverse * second)
        shape = (known.shape[0], channels, *known.shape[-2:])
        self.x, self.right = known.new_zeros(shape), known.new_zeros(shape)
        self.coarser: TensorGrid | None = None

    def add_coarser(self) -> TensorGrid:
        """Make the grid of half the size, with weights but no right-hand sides."""
        # Of the edges, those that leave the pairs of columns or rows become the coarser ones.
        leaving_right, leaving_below = self.east.clone(), self.south.clone()
        leaving_right[..., ::2].zero_()
        leaving_below[..., ::2, :].zero_()
        weights = (_sum_children(self.known), _sum_children(leaving_right) / 2, _sum_children(leaving_below) / 2)
        self.coarser = TensorGrid(*weights, self.x.shape[1])
        return self.coarser

    def sweep(self, times: int) -> None:  # noqa: D102
        for _ in range(times):
            for half in self.halves:
                self.x.addcmul_(self._residual(), half)

    def clear(self) -> None:  # noqa: D102
        self.x.zero_()

    def restrict_right(self) -> None:  # noqa: D102
        self._below().right.copy_(_sum_children(self.right))

    def restrict_residual(self) -> None:  # noqa: D102
        self._below().right.copy_(_sum_children(self._residual_left()))

    def measure(self) -> tuple[Tensor, Tensor]:  # noqa: D102
        residual = self._residual_left()
        self._below().right.copy_(_sum_children(residual))
        missed = self.right - self.known * self.x
        cost = missed.square() / self.known.masked_fill(self.known <= 0, 1)
        cost[..., :-1] += self.east[..., :-1] * self.x.diff(dim=-1).square()
        cost[..., :-1, :] += self.south[..., :-1, :] * self.x.diff(dim=-2).square()
        return _total(residual.square() * self.inverse), _total(cost) / 2

    def prolong(self, *, add: bool) -> None:  # noqa: D102
        height, width = self.x.shape[-2:]
        fine = F.interpolate(self._below().x, scale_factor=2.0, mode="bilinear", align_corners=False)
        fine = fine[..., :height, :width]
        if add:
            self.x += fine
        else:
            self.x.copy_(fine)

    def scaled_right(self) -> Tensor:  # noqa: D102
        return _total(self.right.square() * self.inverse)

    def _residual(self) -> Tensor:
        x = self.x
        residual = torch.addcmul(self.right, self.known, x, value=-1)
        across = x.diff(dim=-1).mul_(self.east[..., :-1])
        residual[..., :-1] += across
        residual[..., 1:] -= across
        along = x.diff(dim=-2).mul_(self.south[..., :-1, :])
        residual[..., :-1, :] += along
        residual[..., 1:, :] -= along
        return residual

    def _residual_left(self) -> Tensor:
        # The colour smoothed last has no residual but rounding.
        return self._residual().mul_(self.smoothed_first)

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
    torch.mul(finest.known, colours, out=finest.right)
    grids = [finest]
    while max(grids[-1].x.shape[-2:]) > 1:
        grids.append(grids[-1].add_coarser())
    return grids


def solve_tensors(
    colours: Tensor,
    alpha: Tensor,
    kappa: float,
    tolerance: float,
    floor: Sums,
    after_cycle: Callable[[], None] = lambda: None,
) -> tuple[Tensor, Convergence]:
    """Refine images (N, C, H, W) with their alphas (N, 1, H, W), both float32 on one device.

    Returns
    -------
    refined : Tensor
        (N, C, H, W), its own memory.
    outcome : Convergence

    Raises
    ------
    torch.OutOfMemoryError
        If the device has too little memory.

    Notes
    -----
    On a CUDA GPU the steps for images of up to 16 megapixels are recorded as CUDA graphs when a size is first seen and
    replayed from then on; the last size's recording is kept, with its memory.
    """
    if colours.is_cuda and colours.shape[0] * colours.shape[-2] * colours.shape[-1] <= _RECORDED_UP_TO:
        with _Recording.lock:
            recording = _Recording.of(colours, alpha, kappa)
            outcome = solve(recording.grids, tolerance, floor, after_cycle=after_cycle, perform=recording.perform)
            return recording.grids[0].x.clone(), outcome
    grids = build_tensor_grids(colours, alpha, kappa)
    outcome = solve(grids, tolerance, floor, after_cycle=after_cycle, perform=lambda step: _numbers(*step()))
    return grids[0].x, outcome


class _Recording:
    """The steps for images of one size, as CUDA graphs over tensors that stay where they are."""

    lock = threading.Lock()
    _last: _Recording | None = None

    @classmethod
    def of(cls, colours: Tensor, alpha: Tensor, kappa: float) -> _Recording:
        """Return the recording for these images' size, with the images in it, ready to be performed."""
        key = (colours.shape, colours.device, kappa)
        if cls._last is None or cls._last.key != key:
            cls._last = None  # its memory goes before new is asked for
            cls._last = cls(colours, alpha, kappa)
        recording = cls._last
        recording.colours.copy_(colours)
        recording.alpha.copy_(alpha)
        recording.begun = False
        return recording

    def __init__(self, colours: Tensor, alpha: Tensor, kappa: float) -> None:
        self.key = (colours.shape, colours.device, kappa)
        self.colours, self.alpha = colours.clone(), alpha.clone()
        self.begun = False
        with torch.cuda.device(colours.device):
            # Libraries set themselves up in a run that is not recorded, on a stream of its own.
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                grids = build_tensor_grids(self.colours, self.alpha, kappa)
                first_step(grids)()
                if len(grids) > 1:
                    further_step(grids)()
                del grids
            torch.cuda.current_stream().wait_stream(stream)
            self._first, self._further = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._first):
                self.grids = build_tensor_grids(self.colours, self.alpha, kappa)
                self._first_sums = first_step(self.grids)()
            if len(self.grids) > 1:
                with torch.cuda.graph(self._further, pool=self._first.pool()):
                    self._further_sums = further_step(self.grids)()

    def perform(self, _: Step) -> tuple[Sums, Sums]:
        """Replay the step that is due: the first, which builds the grids too, or a further one."""
        if not self.begun:
            self.begun = True
            self._first.replay()
            return _numbers(*self._first_sums)
        self._further.replay()
        return _numbers(*self._further_sums)


def _numbers(residual: Tensor | float, cost: Tensor | float) -> tuple[Sums, Sums]:
    """Return sums as numbers: here the device is waited for."""
    if isinstance(residual, Tensor) and isinstance(cost, Tensor):
        both = torch.stack([residual, cost]).cpu().numpy().astype(np.float64)
        return both[0], both[1]
    return residual, cost  # type: ignore[return-value]  # of a single pixel


def _sum_children(x: Tensor) -> Tensor:
    height, width = x.shape[-2:]
    return 4 * F.avg_pool2d(F.pad(x, (0, width % 2, 0, height % 2)), 2)


def _total(x: Tensor) -> Tensor:
    """Return the sums (N,) over each image, in double precision where the device has it."""
    return x.sum((1, 2, 3), dtype=torch.float32 if x.device.type == "mps" else torch.float64)
