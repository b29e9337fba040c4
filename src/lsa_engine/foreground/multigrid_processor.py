"""The grids of the multigrid solver on a processor: compiled loops over bands of rows, side by side in threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.bands import Bands
from lsa_engine.compiling import is_ready
from lsa_engine.foreground import multigrid_kernels as kernels
from lsa_engine.foreground.multigrid import Sums

Values = NDArray[np.float32]


class ProcessorGrid:
    """A :class:`~lsa_engine.foreground.multigrid.MeasuredGrid` in arrays; the kernels say how pixels lie in them."""

    def __init__(self, height: int, width: int, channels: int, bands: Bands) -> None:
        self.height, self.width, self.channels = height, width, channels
        self.bands = bands
        self.coarser: ProcessorGrid | None = None
        places = (width + 1) // 2
        weights = (height + 2, 2, places + 2)
        colours = (height + 2, 2, channels, places + 2)
        self.x, self.right = framed(colours), framed(colours)
        self.known, self.east, self.south, self.inverse = (framed(weights) for _ in range(4))

    @property
    def _work(self) -> int:
        return self.height * self.width * self.channels

    def _run(self, loop: Callable[..., Any], *arguments: Any) -> float:
        return self.bands.run(loop, self.height, self._work, *arguments)

    def _run_coarse(self, loop: Callable[..., Any], *arguments: Any) -> float:
        return self.bands.run(loop, (self.height + 1) // 2, self._work, *arguments)

    def finish_weights(self) -> None:
        """Compute what follows from the data and edge weights."""
        self._run(kernels.invert_diagonal, self.known, self.east, self.south, self.inverse)

    def add_coarser(self) -> ProcessorGrid:
        """Make the grid of half the size, with weights but no right-hand sides."""
        height, width = (self.height + 1) // 2, (self.width + 1) // 2
        coarse = ProcessorGrid(height, width, self.channels, self.bands)
        fine = (self.known, self.east, self.south, self.height)
        self._run_coarse(kernels.coarsen_weights, *fine, coarse.known, coarse.east, coarse.south, width)
        coarse.finish_weights()
        self.coarser = coarse
        return coarse

    def sweep(self, times: int) -> None:  # noqa: D102
        system = (self.x, self.right, self.known, self.east, self.south, self.inverse, times)
        # The rows that a band leaves to the seam must be its own.
        edges = self.bands.edges(self.height, self._work, 4 * times)
        self.bands.run(kernels.sweep_band, self.height, self._work, *system, self.height, edges=edges)
        for seam in edges[1:-1]:
            kernels.sweep_seam(*system, seam)

    def clear(self) -> None:  # noqa: D102
        self.x[:] = 0

    def restrict_right(self) -> None:  # noqa: D102
        coarse = self._below()
        self._run_coarse(kernels.sum_children, self.right, self.height, coarse.right, coarse.width)

    def restrict_residual(self) -> None:  # noqa: D102
        coarse = self._below()
        system = (self.x, self.right, self.known, self.east, self.south)
        self._run_coarse(kernels.restrict_residual, *system, self.height, coarse.right, coarse.width)

    def measure(self) -> tuple[Sums, Sums]:  # noqa: D102
        coarse = self._below()
        sums = np.empty((coarse.height, 2))
        system = (self.x, self.right, self.known, self.east, self.south, self.inverse)
        self._run_coarse(kernels.measure, *system, self.height, coarse.right, coarse.width, sums)
        squares, cost = sums.sum(0)
        return float(squares), float(cost)

    def prolong(self, *, add: bool) -> None:  # noqa: D102
        coarse = self._below()
        self._run_coarse(kernels.prolong, coarse.x, coarse.height, coarse.width, self.x, self.height, add)

    def scaled_right(self) -> float:  # noqa: D102
        return self._run(kernels.scaled_square, self.right, self.inverse)

    def _below(self) -> ProcessorGrid:
        assert self.coarser is not None
        return self.coarser


def framed(shape: tuple[int, ...]) -> Values:
    """Return a grid whose frame is 0, as are its last row and places, which not every loop writes to.

    The rest is left as it is: numpy asks for memory in large pages then, which saves more time than a sweep takes.
    """
    values = np.empty(shape, np.float32)
    values[0] = values[-2:] = values[..., 0] = values[..., -2:] = 0
    return values


def is_compiled() -> bool:
    """Whether the loops have run in this process already."""
    return is_ready(kernels.load_weights, kernels.sweep_band, kernels.store_colours)


def build_grids(alpha: Values, channels: int, kappa: float, bands: Bands) -> list[ProcessorGrid]:
    """Return the grids for an alpha (H, W), finest first, with weights and no right-hand sides."""
    height, width = alpha.shape
    finest = ProcessorGrid(height, width, channels, bands)
    weights = (finest.known, finest.east, finest.south)
    bands.run(kernels.load_weights, height, height * width, alpha, np.float32(kappa), *weights)
    finest.finish_weights()
    grids = [finest]
    while max(grids[-1].height, grids[-1].width) > 1:
        grids.append(grids[-1].add_coarser())
    return grids


def load_colours(grid: ProcessorGrid, colours: NDArray[Any], first: int = 0) -> None:
    """Set the right-hand sides from as many channels of colours (H, W, C) as the grid has, from the first one on.

    Integers of 8 and 16 bits are scaled by their range, float32 are taken as they are.
    """
    scale = np.float32(1 / np.iinfo(colours.dtype).max if colours.dtype.kind == "u" else 1)
    work = grid.height * grid.width * grid.channels
    grid.bands.run(kernels.load_colours, grid.height, work, colours, first, scale, grid.known, grid.right)


def read_colours(grid: ProcessorGrid, out: NDArray[Any], first: int = 0) -> None:
    """Copy x into channels of colours (H, W, C), of a type as for :func:`load_colours`."""
    largest = np.float32(np.iinfo(out.dtype).max if out.dtype.kind == "u" else 0)
    work = grid.height * grid.width * grid.channels
    grid.bands.run(kernels.store_colours, grid.height, work, grid.x, out, first, largest)
