"""Reduced images and trimaps: what the priors that need not see every pixel are computed on."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

_SMALLEST = 3


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
    """Return `factor`, doubled until no image of the batch has more than `most` unknown pixels at that reduction."""
    unknown = int((trimap == 128).flatten(1).sum(1).max())
    while unknown > most * factor**2:
        factor *= 2
    return factor


def reduce_means(x: Tensor, factor: int) -> Tensor:
    """Return the means of blocks, the border repeated to fill the last ones, and at least 3 × 3 of them."""
    missing = [max(-length % factor, _SMALLEST * factor - length) for length in x.shape[-2:]]
    return F.avg_pool2d(F.pad(x, (0, missing[1], 0, missing[0]), mode="replicate"), factor)


def reduce_known(trimap: Tensor, factor: int) -> Tensor:
    """Return (N, 2, h, w) bool: the blocks that are all foreground, and those that are all background."""
    known = torch.cat([trimap == 255, trimap == 0], 1)
    return reduce_means(known.float(), factor) > 0.999


def unknown_pixels(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (h, w) bool, what is in neither layer of `known` (2, h, w)."""
    return np.logical_not(known.any(0))
