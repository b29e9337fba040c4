"""Reduced images and trimaps: what the priors that need not see every pixel are computed on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

_SMALLEST = 3
_MOST_CELLS = 8_000_000


def reduce_pair(
    image: Tensor, trimap: Tensor, factor: int, most: int
) -> tuple[int, NDArray[np.float64], NDArray[np.bool_]]:
    """Return images (N, 3, H, W) and trimaps (N, 1, H, W) as the priors' loops take them.

    The factor of the reduction, as from :func:`reduction`; colours (N, h, w, 3); known layers (N, 2, h, w), foreground
    and background.
    """
    factor = reduction(trimap, factor, most)
    colours = reduce_means(image, factor).permute(0, 2, 3, 1).double().cpu().numpy()
    return factor, colours, reduce_known(trimap, factor).cpu().numpy()


def reduction(trimap: Tensor, factor: int, most: int) -> int:
    """Return the factor for the image of a batch that has most unknown pixels (:func:`reduction_for`)."""
    unknown = int((trimap == 128).flatten(1).sum(1).max())
    return reduction_for(unknown, trimap.shape[-2] * trimap.shape[-1], factor, most)


def reduction_for(unknown: int, pixels: int, factor: int, most: int) -> int:
    """Return `factor`, doubled until an image has no more than `most` unknown pixels at it, and 8 million in all."""
    while unknown > most * factor**2 or pixels > _MOST_CELLS * factor**2:
        factor *= 2
    return factor


def reduced_size(size: Sequence[int], factor: int) -> tuple[int, int]:
    """Return how many blocks hold an image of this height and width, at least 3 × 3."""
    height, width = (max(_SMALLEST, -(-length // factor)) for length in size)
    return height, width


def reduce_means(x: Tensor, factor: int, cells: tuple[int, int] | None = None) -> Tensor:
    """Return the means of blocks (N, C, h, w), the border repeated to fill the last ones; `cells` of them if given."""
    cells = cells or reduced_size(x.shape[-2:], factor)
    missing = [count * factor - length for count, length in zip(cells, x.shape[-2:], strict=True)]
    return F.avg_pool2d(F.pad(x, (0, missing[1], 0, missing[0]), mode="replicate"), factor)


def reduce_known(trimap: Tensor, factor: int, cells: tuple[int, int] | None = None) -> Tensor:
    """Return (N, 2, h, w) bool: the blocks that are all foreground, and those that are all background."""
    known = torch.cat([trimap == 255, trimap == 0], 1)
    return reduce_means(known.float(), factor, cells) > 0.999


def unknown_pixels(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (h, w) bool, what is in neither layer of `known` (2, h, w)."""
    return np.logical_not(known.any(0))
