"""What an edit of the trimap may move: a region around it, and the cells of A and B that act on nothing else (§4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from lsa_engine.inference.descent import Tensors

_BLOCK = 16
_HEAD = 8  # three convolutions and bilinear doubling, rounded up


@dataclass(frozen=True)
class Region:
    """A part of an image (H, W), made of square blocks.

    Attributes
    ----------
    blocks : (⌈H/16⌉, ⌈W/16⌉) bool
        Which blocks belong to it.
    shape : (int, int)
        H and W.
    """

    blocks: NDArray[np.bool_]
    shape: tuple[int, int]

    @classmethod
    def around(cls, edit: NDArray[np.bool_]) -> Region:
        """Return the region that the pixels of an edit (H, W) may move.

        It reaches so far that cells of the finest grid, and most of the second finest, lie inside with all that they
        act on: about a twelfth of the image to every side.
        """
        blocks = np.zeros([-(-length // _BLOCK) for length in edit.shape], bool)
        rows, columns = np.nonzero(edit)
        blocks[rows // _BLOCK, columns // _BLOCK] = True
        reach = [-(-(length // 12 + 32) // _BLOCK) for length in edit.shape]
        return cls(ndimage.maximum_filter(blocks, [2 * length + 1 for length in reach]), (edit.shape[0], edit.shape[1]))

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Its pixels (H, W)."""
        height, width = self.shape
        return self.blocks.repeat(_BLOCK, 0)[:height].repeat(_BLOCK, 1)[:, :width]

    def share(self, pixels: NDArray[np.bool_]) -> float:
        """Return the share of some pixels (H, W) that lies inside; 1 if there are none, or the region is empty."""
        total = np.count_nonzero(pixels)
        return np.count_nonzero(pixels & self.mask) / total if total and self.blocks.any() else 1.0

    def cells(self, stage: int, count: int) -> NDArray[np.bool_]:
        """Return the cells (S, S) of a grid after a decoder stage that act on pixels of the region alone."""
        outside = np.zeros((self.blocks.shape[0] + 1, self.blocks.shape[1] + 1), np.int64)
        outside[1:, 1:] = np.cumsum(np.cumsum(~self.blocks, 0), 1)
        (top, bottom), (left, right) = (_acts_on(length, stage, count) for length in self.shape)
        columns = outside[:, right] - outside[:, left]
        return np.asarray(columns[bottom] == columns[top])


class HeldCells:
    """Holds the cells of A and B that act outside of a region as they were last.

    Parameters
    ----------
    region : Region
        Where the others act.
    last : dict
        A and B as they were.
    """

    def __init__(self, region: Region, last: Tensors) -> None:
        self._last = last
        self._free = {
            stage: torch.from_numpy(region.cells(stage, scale.shape[-1])).to(scale.device)
            for stage, (scale, _) in last.items()
        }

    def __call__(self, tensors: Tensors) -> Tensors:
        """Return A and B, but for the cells that are held."""
        return {stage: (self._held(tensors, stage, 0), self._held(tensors, stage, 1)) for stage in tensors}

    def _held(self, tensors: Tensors, stage: int, number: int) -> Tensor:
        then = self._last[stage][number].detach()
        return torch.where(self._free[stage], tensors[stage][number], then) if self._free[stage].any() else then


def _acts_on(length: int, stage: int, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first block, and the one after the last, that each of `count` cells along an axis acts on.

    Bicubic interpolation reaches two cells to both sides, and the outermost cells on to the frame; then the stages that
    follow, each with a 3 × 3 convolution, and the head see further.
    """
    pixels = -(-length // 2**stage) * 2**stage / count
    further = 2 ** (stage + 2) + _HEAD
    cell = np.arange(count)
    first = np.floor((cell - 1.5) * pixels) - further
    stop = np.ceil((cell + 2.5) * pixels) + further
    blocks = -(-length // _BLOCK)
    return (
        np.clip(first // _BLOCK, 0, blocks).astype(np.intp),
        np.clip(-(-stop // _BLOCK), 0, blocks).astype(np.intp),
    )
