"""The priors of an image that is too large to be held: from reduced copies of it, window by window, the same numbers.

What reaches across the whole image is computed at a reduced size in either case: the coarse matte and the sampled one
by their own factors, the fills on the coarser levels of their pyramid. These are collected strip by strip and solved
once; what is left to do at full size is local.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lsa_engine.boxes import Box
from lsa_engine.guidance.coarse_matte import coarse_lines, coarse_reduction
from lsa_engine.guidance.enlarging import enlarge_by_lines
from lsa_engine.guidance.fill import fill_means, fill_surroundings, fill_window
from lsa_engine.guidance.reducing import reduce_known, reduce_means, reduced_size
from lsa_engine.guidance.sampled_matte import enlarge_samples, sampled_lines, sampled_reduction
from lsa_engine.progress import unchecked

_FILL_PIXELS = 2_000_000


class Reduced:
    """Means of the colours and the known layers of an image, at one factor, collected in strips of rows.

    Parameters
    ----------
    size : (int, int)
        Height and width of the image.
    factor : int
        Of the reduction.

    Attributes
    ----------
    colours : (h, w, 3) float32
        Means of blocks, the last ones filled by repeating the border.
    known : (2, h, w) bool
        The blocks that are all foreground, and those that are all background.
    """

    def __init__(self, size: tuple[int, int], factor: int) -> None:
        self.factor = factor
        self._size = size
        cells = reduced_size(size, factor)
        self.colours = np.empty((*cells, 3), np.float32)
        self.known = np.empty((2, *cells), bool)

    def take(self, top: int, image: Tensor, trimap: Tensor) -> None:
        """Add rows of the image (1, 3, h, W) and trimap (1, 1, h, W) that begin at `top`, a multiple of the factor."""
        first, end = top // self.factor, top + image.shape[-2]
        last = len(self.colours) if end == self._size[0] else end // self.factor
        cells = (last - first, self.colours.shape[1])
        self.colours[first:last] = reduce_means(image, self.factor, cells)[0].permute(1, 2, 0).numpy()
        self.known[:, first:last] = reduce_known(trimap, self.factor, cells)[0].numpy()


class LargePriors:
    """Fills, coarse matte and sampled matte of a large image, to be had window by window.

    Strips of rows are taken first, in order (:meth:`take`), then all is solved (:meth:`solve`).

    Parameters
    ----------
    size : (int, int)
        Height and width of the image.
    unknown : int
        Number of its unknown pixels.
    reduced : callable
        From a factor to the :class:`Reduced` image that will be collected at it.
    """

    def __init__(self, size: tuple[int, int], unknown: int, reduced: Callable[[int], Reduced]) -> None:
        self.size = size
        pixels = size[0] * size[1]
        self._coarse = reduced(coarse_reduction(unknown, pixels))
        self._sampled = reduced(sampled_reduction(unknown, pixels))
        self._level = 1
        while pixels > _FILL_PIXELS * 4**self._level:
            self._level += 1
        rows, columns = (-(-length // 2**self._level) for length in size)
        self._weighted = np.zeros((2, 3, rows, columns), np.float32)
        self._weight = np.zeros((2, 1, rows, columns), np.float32)
        self.alignment = 2**self._level
        """Strips begin at multiples of this, and of the factors of the reduced images."""

    def take(self, top: int, image: Tensor, trimap: Tensor) -> None:
        """Add rows of the image (1, 3, h, W) and trimap (1, 1, h, W) to the fills."""
        from lsa_engine.guidance.fill_kernels import halve

        colours = image[0].numpy()
        for layer, value in enumerate((255, 0)):
            weight = (trimap[0] == value).numpy().astype(np.float32)
            weighted = colours * weight
            for _ in range(self._level):
                weight, weighted = halve(weight), halve(weighted)
            first = top // self.alignment
            rows = slice(first, first + weight.shape[1])
            self._weight[layer, :, rows], self._weighted[layer, :, rows] = weight, weighted

    def solve(self, check: Callable[[], None]) -> None:
        """Compute what reaches across the whole image; calls `check` between its parts, which may raise to stop."""
        self._fills = []
        for weighted, weight in zip(self._weighted, self._weight, strict=True):
            self._fills.append(fill_means(weighted, weight, check))
        self._lines = coarse_lines(self._coarse.colours.astype(np.float64), self._coarse.known, check)[None]
        lines, trust = sampled_lines(
            self._sampled.colours.astype(np.float64),
            self._sampled.known,
            self._sampled.factor,
            max(1, torch.get_num_threads()),
            check,
        )
        self._samples = lines[None], trust[None]
        del self._weighted, self._weight

    def surroundings(self, box: Box) -> Box:
        """Return the part of the image that :meth:`window` has to see for a box."""
        return fill_surroundings(box, self._level, self.size)

    def window(
        self, box: Box, image: Tensor, trimap: Tensor, check: Callable[[], None] = unchecked
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return both fills (1, 3, h, w), the coarse matte (1, 1, h, w) and the sampled one (1, 3, h, w) of a box.

        Image (1, 3, …) and trimap (1, 1, …) are those of the part that :meth:`surroundings` names. `check` is called
        between parts of the work, and may raise.
        """
        colours = image[0].numpy()
        fills = [
            torch.from_numpy(
                fill_window(filled, self._level, self.size, box, colours, (trimap[0, 0] == value).numpy(), check)
            )[None]
            for filled, value in zip(self._fills, (255, 0), strict=True)
        ]
        inside = box.within(self.surroundings(box))
        pair = inside.cut(image), inside.cut(trimap)
        coarse = enlarge_by_lines(*pair, self._lines, self._coarse.factor, box, check)
        sampled = enlarge_samples(*pair, *self._samples, self._sampled.factor, box, check)
        return fills[0], fills[1], coarse, sampled
