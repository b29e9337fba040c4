"""Euclidean distances in the units of the pixels, measured in tiles and no farther than they are asked for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lsa_engine.errors import InputError
from lsa_engine.progress import Steps
from lsa_engine.scalars import is_number
from lsa_engine.tiles import tile_count, tiles

Spacing = tuple[float, float]


def within(
    distance: float, region: NDArray[np.bool_], spacing: Spacing = (1.0, 1.0), steps: Steps | None = None
) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie no farther than `distance` from that of a pixel of `region`.

    Parameters
    ----------
    distance : float
        In the units of `spacing`, 0 or more.
    region : array (H, W) of bool
        What distances are measured to; nothing is known beyond the frame.
    spacing : (float, float)
        Height and width of a pixel.
    steps : Steps, optional
        Advances by :func:`count_steps`.

    Returns
    -------
    array (H, W) of bool
        Holds `region`.
    """
    near = np.zeros(region.shape, bool)
    for tile in tiles(_plane(region), reach(distance, spacing)):
        window = region[tile.window]
        if not window.any():
            pass
        elif window[tile.inside].all():
            near[tile.core] = True
        else:
            near[tile.core] = distances_to(window, spacing)[tile.inside] <= distance
        if steps is not None:
            steps.advance()
    return near


def count_steps(shape: tuple[int, int], distance: float, spacing: Spacing) -> int:
    """Return by how many steps :func:`within` advances."""
    return tile_count(shape, reach(distance, spacing))


def reach(distance: float, spacing: Spacing) -> tuple[int, int]:
    """Return how many rows and columns a distance reaches."""
    rows, columns = (math.floor(min(distance / size, 1e6)) + 1 for size in spacing)
    return rows, columns


def distances_to(region: NDArray[np.bool_], spacing: Spacing) -> NDArray[np.float64]:
    """Return each pixel's distance to the nearest pixel of a region, infinite where there is none."""
    if not region.any():
        return np.full(region.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~region, sampling=spacing))


def checked_distance(distance: float, name: str) -> float:
    """Refuse a distance that is negative or not a number, with an :class:`InputError`."""
    if not (is_number(distance) and 0 <= distance < math.inf):
        raise InputError(f"The distance {name} is {distance!r}, but it must be finite and 0 or more: choose another.")
    return float(distance)


def checked_spacing(spacing: float | Spacing) -> Spacing:
    """Return height and width of a pixel, and refuse others than positive ones with an :class:`InputError`."""
    try:
        sizes = np.atleast_1d(np.asarray(spacing, dtype=np.float64))
    except (TypeError, ValueError):
        sizes = np.empty(0)
    if sizes.shape not in ((1,), (2,)) or not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise InputError(
            f"The spacing is {spacing!r}, but the height and width of a pixel are expected: pass two positive numbers."
        )
    return float(sizes[0]), float(sizes[-1])


def _plane(region: NDArray[np.bool_]) -> tuple[int, int]:
    height, width = region.shape
    return height, width
