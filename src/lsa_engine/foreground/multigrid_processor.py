"""The grids of the multigrid solver on a processor: compiled loops over bands of rows, side by side in threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.bands import Bands
from lsa_engine.compiling import is_ready
from lsa_engine.foreground import multigrid_kernels as kernels

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
        self.x, self.right = np.zeros(colours, np.float32), np.zeros(colours, np.float32)
        self.known, self.east, self.south, self.inverse = (np.zeros(weights, np.float32) for _ in range(4))

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

    def smooth(self, colour: int) -> None:  # noqa: D102
        self._run(kernels.smooth, self.x, self.right, self.known, self.east, self.south, self.inverse, colour)

    def clear(self) -> None:  # noqa: D102
        self.x[:] = 0

    def restrict_right(self) -> None:  # noqa: D102
        coarse = self._below()
        self._run_coarse(kernels.sum_children, self.right, self.height, coarse.right, coarse.width)

    def restrict_residual(self) -> float:  # noqa: D102
        coarse = self._below()
        system = (self.x, self.right, self.known, self.east, self.south, self.inverse)
        return self._run_coarse(kernels.restrict_residual, *system, self.height, coarse.right, coarse.width)

    def prolong(self, *, add: bool) -> None:  # noqa: D102
        coarse = self._below()
        self._run_coarse(kernels.prolong, coarse.x, coarse.height, coarse.width, self.x, self.height, add)

    def scaled_right(self) -> float:  # noqa: D102
        return self._run(kernels.scaled_square, self.right, self.inverse)

    def energy(self) -> float:  # noqa: D102
        return self._run(kernels.measure_energy, self.x, self.right, self.known, self.east, self.south)

    def _below(self) -> ProcessorGrid:
        assert self.coarser is not None
        return self.coarser


def is_compiled() -> bool:
    """Whether the loops have run in this process already."""
    return is_ready(kernels.load_weights, kernels.smooth, kernels.store_colours)


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


def load_colours(grid: ProcessorGrid, colours: Values) -> None:
    """Set the right-hand sides from colours (H, W, C)."""
    grid.bands.run(kernels.load_colours, grid.height, colours.size, colours, grid.known, grid.right)


def read_colours(grid: ProcessorGrid, out: Values) -> None:
    """Copy x into colours (H, W, C)."""
    grid.bands.run(kernels.store_colours, grid.height, out.size, grid.x, out)
