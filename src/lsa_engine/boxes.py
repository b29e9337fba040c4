"""Rectangles of pixels, and how a mask is covered by few of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

PlaneT = TypeVar("PlaneT", bound=Any)


class Box(NamedTuple):
    """Rows top:bottom and columns left:right of a plane; all even but where they end the plane."""

    top: int
    bottom: int
    left: int
    right: int

    def cut(self, plane: PlaneT) -> PlaneT:
        """Return this part of a tensor or array (..., H, W)."""
        return plane[..., self.top : self.bottom, self.left : self.right]

    def grown(self, pixels: int, size: Sequence[int]) -> Box:
        """Return the box with so many pixels around it, as far as the plane goes."""
        return Box(
            max(0, self.top - pixels),
            min(size[0], self.bottom + pixels),
            max(0, self.left - pixels),
            min(size[1], self.right + pixels),
        )

    def halved(self) -> Box:
        """Return the box on a plane of half the size, rounded up."""
        return Box(self.top // 2, (self.bottom + 1) // 2, self.left // 2, (self.right + 1) // 2)

    @property
    def area(self) -> int:
        """Number of pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    def shifted(self, rows: int, columns: int) -> Box:
        """Return the box moved down and to the right."""
        return Box(self.top + rows, self.bottom + rows, self.left + columns, self.right + columns)

    def reduced(self, factor: int) -> Box:
        """Return the box on a plane reduced by a factor, rounded up."""
        return Box(self.top // factor, -(-self.bottom // factor), self.left // factor, -(-self.right // factor))

    def enlarged(self, factor: int, size: Sequence[int]) -> Box:
        """Return the box on a plane so many times as large, of this height and width."""
        return Box(
            self.top * factor,
            min(self.bottom * factor, size[0]),
            self.left * factor,
            min(self.right * factor, size[1]),
        )

    def union(self, other: Box) -> Box:
        """Return the smallest box that holds both."""
        return Box(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def meets(self, other: Box) -> bool:
        """Whether there is a pixel in both."""
        rows = self.top < other.bottom and other.top < self.bottom
        return rows and self.left < other.right and other.left < self.right

    def strips(self, rows: int) -> list[Box]:
        """Return the box in strips of about so many rows, even but for the last."""
        rows += rows % 2
        return [
            self._replace(top=top, bottom=min(top + rows, self.bottom)) for top in range(self.top, self.bottom, rows)
        ]

    def within(self, other: Box) -> Box:
        """Return the box as it lies in what another box cuts out."""
        return Box(self.top - other.top, self.bottom - other.top, self.left - other.left, self.right - other.left)


def cover(wanted: NDArray[np.bool_], rows: int = 64, gap: int = 48) -> list[Box]:
    """Return boxes that hold every pixel of a mask (H, W), and little else.

    Parameters
    ----------
    wanted : ndarray
        (H, W) bool.
    rows : int
        Height of a box; even.
    gap : int
        So many columns must be free between two boxes side by side.
    """
    height, width = wanted.shape
    boxes = []
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        columns = np.flatnonzero(wanted[top:bottom].any(0))
        breaks = np.flatnonzero(np.diff(columns) > gap) + 1
        for run in np.split(columns, breaks) if columns.size else ():
            first, last = int(run[0]), int(run[-1])
            boxes.append(Box(top, bottom, first - first % 2, min(width, last + 2 - last % 2)))
    return boxes
