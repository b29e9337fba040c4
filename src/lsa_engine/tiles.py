"""Work on a large plane in tiles with a margin, so that it can be stopped, and skipped where nothing happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_EDGE = 512
_MARGINS = 4


class Tile(NamedTuple):
    """One tile of a plane.

    Attributes
    ----------
    core : (slice, slice)
        The rows and columns that the tile answers for; the cores of all tiles cover the plane once.
    window : (slice, slice)
        The core and its margin, as far as the plane reaches.
    inside : (slice, slice)
        The core within the window.
    """

    core: tuple[slice, slice]
    window: tuple[slice, slice]
    inside: tuple[slice, slice]


def tiles(shape: tuple[int, int], margin: tuple[int, int] = (0, 0)) -> Iterator[Tile]:
    """Yield the tiles of a plane, row by row.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the plane.
    margin : (int, int)
        Rows and columns around a tile that what happens in it depends on; tiles are several times as large.
    """
    rows, columns = (
        list(_spans(length, reach, max(_EDGE, _MARGINS * reach))) for length, reach in zip(shape, margin, strict=True)
    )
    for row in rows:
        for column in columns:
            yield Tile(*((row[part], column[part]) for part in range(3)))


def tile_count(shape: tuple[int, int], margin: tuple[int, int] = (0, 0)) -> int:
    """Return how many tiles :func:`tiles` yields."""
    height, width = (-(-length // max(_EDGE, _MARGINS * reach)) for length, reach in zip(shape, margin, strict=True))
    return height * width


def _spans(length: int, reach: int, step: int) -> Iterator[tuple[slice, slice, slice]]:
    for start in range(0, length, step):
        stop = min(start + step, length)
        low, high = max(0, start - reach), min(length, stop + reach)
        yield slice(start, stop), slice(low, high), slice(start - low, stop - low)
