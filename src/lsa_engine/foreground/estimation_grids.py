"""The grids of the multigrid estimation of foreground and background from their composite."""

from __future__ import annotations

import numpy as np

from lsa_engine.bands import Bands
from lsa_engine.compiling import is_ready
from lsa_engine.foreground import estimation_kernels as kernels
from lsa_engine.foreground.multigrid_kernels import sum_children
from lsa_engine.foreground.multigrid_processor import ProcessorGrid, Values, framed


class PairGrid:
    """A :class:`~lsa_engine.foreground.multigrid.Grid` of two images whose pixels are tied by a composite.

    Parameters
    ----------
    front, back : ProcessorGrid
        The two images with their own weights.
    cross : array (H + 2, 2, K + 2)
        What joins the two colours of a pixel, laid out like the weights.
    """

    def __init__(self, front: ProcessorGrid, back: ProcessorGrid, cross: Values) -> None:
        self.front, self.back, self.cross = front, back, cross
        self.coarser: PairGrid | None = None
        self._bands, self._work = front.bands, 2 * front.height * front.width * front.channels
        self._cross_inverse = framed(cross.shape)
        inverses = (front.inverse, back.inverse, cross, self._cross_inverse)
        self._bands.run(kernels.invert_blocks, front.height, self._work, *inverses)

    def add_coarser(self) -> PairGrid:
        """Make the grid of half the size, with weights but no right-hand sides."""
        front, back = self.front.add_coarser(), self.back.add_coarser()
        joint = framed((front.height + 2, 2, 1, (front.width + 1) // 2 + 2))
        fine = (self.cross[:, :, None], self.front.height)
        self._bands.run(sum_children, front.height, self._work, *fine, joint, front.width)
        self.coarser = PairGrid(front, back, np.ascontiguousarray(joint[:, :, 0]))
        return self.coarser

    def sweep(self, times: int) -> None:  # noqa: D102
        system = [
            part
            for image in (self.front, self.back)
            for part in (image.x, image.right, image.known, image.east, image.south, image.inverse)
        ]
        joint = (self.cross, self._cross_inverse)
        for half in range(2 * times):
            self._bands.run(kernels.smooth_pair, self.front.height, self._work, *system, *joint, half % 2)

    def clear(self) -> None:  # noqa: D102
        self.front.clear()
        self.back.clear()

    def restrict_right(self) -> None:  # noqa: D102
        self.front.restrict_right()
        self.back.restrict_right()

    def restrict_residual(self) -> None:  # noqa: D102
        for one, other in ((self.front, self.back), (self.back, self.front)):
            coarse = one.coarser
            assert coarse is not None
            system = (one.x, one.right, one.known, one.east, one.south, other.x, self.cross, one.height)
            rows = coarse.height
            self._bands.run(kernels.restrict_pair_residual, rows, self._work, *system, coarse.right, coarse.width)

    def prolong(self, *, add: bool) -> None:  # noqa: D102
        self.front.prolong(add=add)
        self.back.prolong(add=add)


def is_compiled() -> bool:
    """Whether the loops have run in this process already."""
    return is_ready(kernels.load_pair_weights, kernels.smooth_pair, kernels.split_composite)


def build_pair_grids(alpha: Values, channels: int, kappa: float, floor: float, bands: Bands) -> list[PairGrid]:
    """Return the grids for an alpha (H, W), finest first, with weights and no right-hand sides."""
    height, width = alpha.shape
    front, back = (ProcessorGrid(height, width, channels, bands) for _ in range(2))
    cross = framed(front.known.shape)
    weights = [part for image in (front, back) for part in (image.known, image.east, image.south)]
    numbers = (np.float32(kappa), np.float32(floor))
    bands.run(kernels.load_pair_weights, height, alpha.size, alpha, *numbers, *weights, cross)
    front.finish_weights()
    back.finish_weights()
    grids = [PairGrid(front, back, cross)]
    while max(grids[-1].front.height, grids[-1].front.width) > 1:
        grids.append(grids[-1].add_coarser())
    return grids


def load_composite(grid: PairGrid, image: Values, alpha: Values) -> None:
    """Set the right-hand sides from a composite (H, W, C)."""
    right = (grid.front.right, grid.back.right)
    grid.front.bands.run(kernels.load_composite, grid.front.height, image.size, image, alpha, *right)


def split_composite(grid: PairGrid, image: Values, alpha: Values) -> tuple[Values, Values]:
    """Return foreground and background (H, W, C) in [0, 1]: x, moved by as little as makes the composite the image."""
    colours = np.empty_like(image), np.empty_like(image)
    given = (grid.front.x, grid.back.x, image, alpha)
    grid.front.bands.run(kernels.split_composite, grid.front.height, image.size, *given, *colours)
    return colours
