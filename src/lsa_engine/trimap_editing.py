"""Tools that change a trimap as a whole: its unknown band, its outlines, and what is too small to be meant.

All take `progress` and `cancel` as everywhere in the engine, and raise :class:`~lsa_engine.errors.InputError` for
distances below 0 and pixels without a size, and :class:`~lsa_engine.errors.Cancelled` when the token is set.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lsa_engine.distances import (
    Spacing,
    checked_distance,
    checked_spacing,
    count_steps,
    distances_to,
    reach,
    within,
)
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.tiles import tile_count, tiles
from lsa_engine.trimap import BACKGROUND, FOREGROUND, UNKNOWN, Trimap

_SIGMAS = 4  # beyond so many standard deviations nothing is left of a Gaussian
_OTHER = {FOREGROUND: BACKGROUND, BACKGROUND: FOREGROUND}


def widen_unknown(
    trimap: Trimap,
    distance: float,
    spacing: float | Spacing = (1.0, 1.0),
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Trimap:
    """Let the unknown grow into both known regions; where these touch, it opens between them.

    Parameters
    ----------
    trimap : Trimap
        What to change.
    distance : float
        Known pixels no farther than this from a pixel of another kind become unknown; in the units of `spacing`.
    spacing : float or (float, float)
        Height and width of a pixel; the default counts in pixels.

    Returns
    -------
    Trimap
    """
    spacing, distance = checked_spacing(spacing), checked_distance(distance, "distance")
    steps = Steps("widening", 2 * count_steps(trimap.shape, distance, spacing), progress, cancel)
    values = trimap.values.copy()
    for known in (trimap.foreground, trimap.background):
        values[known & within(distance, ~known, spacing, steps)] = UNKNOWN
    return Trimap(values)


def narrow_unknown(
    trimap: Trimap,
    distance: float,
    spacing: float | Spacing = (1.0, 1.0),
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Trimap:
    """Give unknown pixels near a known region to it; a line is left where foreground and background would meet.

    Parameters
    ----------
    trimap : Trimap
        What to change.
    distance : float
        Unknown pixels no farther than this from a known region go to it, unless the other region is nearer, or as near
        to within a pixel; in the units of `spacing`.
    spacing : float or (float, float)
        Height and width of a pixel; the default counts in pixels.

    Returns
    -------
    Trimap
    """
    spacing, distance = checked_spacing(spacing), checked_distance(distance, "distance")
    pixel = max(spacing)
    margin = reach(distance + pixel, spacing)
    steps = Steps("narrowing", tile_count(trimap.shape, margin), progress, cancel)
    values = trimap.values.copy()
    for tile in tiles(trimap.shape, margin):
        unknown = trimap.values[tile.core] == UNKNOWN
        window = trimap.values[tile.window]
        if unknown.any() and (window != UNKNOWN).any():
            near = {kind: distances_to(window == kind, spacing)[tile.inside] for kind in _OTHER}
            for kind, other in _OTHER.items():
                values[tile.core][unknown & (near[kind] <= distance) & (near[kind] + pixel < near[other])] = kind
        steps.advance()
    return Trimap(values)


def smooth_outlines(
    trimap: Trimap,
    distance: float,
    spacing: float | Spacing = (1.0, 1.0),
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Trimap:
    """Round the outlines of both known regions off; straight ones stay where they are.

    Each region becomes what its Gaussian blur exceeds one half in. What is thinner than `distance` becomes unknown.

    Parameters
    ----------
    trimap : Trimap
        What to change.
    distance : float
        The size of what is smoothed away, twice the standard deviation of the blur; in the units of `spacing`.
    spacing : float or (float, float)
        Height and width of a pixel; the default counts in pixels.

    Returns
    -------
    Trimap
    """
    spacing, distance = checked_spacing(spacing), checked_distance(distance, "distance")
    sigma = tuple(distance / 2 / size for size in spacing)
    margin = math.ceil(_SIGMAS * sigma[0]) + 1, math.ceil(_SIGMAS * sigma[1]) + 1
    steps = Steps("smoothing", tile_count(trimap.shape, margin), progress, cancel)
    values = trimap.values.copy()
    for tile in tiles(trimap.shape, margin):
        window = trimap.values[tile.window]
        if window.min() < window.max():
            smooth = np.full(window.shape, UNKNOWN, np.uint8)
            for kind in _OTHER:
                blurred = ndimage.gaussian_filter(
                    (window == kind).astype(np.float32), sigma, mode="nearest", truncate=_SIGMAS
                )
                smooth[blurred > 0.5] = kind
            values[tile.core] = smooth[tile.inside]
        steps.advance()
    return Trimap(values)


def fill_holes(
    trimap: Trimap,
    size: float,
    spacing: float | Spacing = (1.0, 1.0),
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Trimap:
    """Fill small holes: what the foreground surrounds becomes foreground, unknown in the background background.

    Parameters
    ----------
    trimap : Trimap
        What to change.
    size : float
        Holes are filled whose area is at most that of a disc of this diameter, in the units of `spacing`.
    spacing : float or (float, float)
        Height and width of a pixel; the default counts in pixels.

    Returns
    -------
    Trimap
    """
    most = _most_pixels(size, spacing)
    steps = Steps("filling holes", 2, progress, cancel)
    values = trimap.values.copy()
    values[_enclosed(values != FOREGROUND, most)] = FOREGROUND
    steps.advance()
    # Objects are holes in the background, too, so only what is unknown is filled there.
    holes, sizes = _parts(values == UNKNOWN)
    filled = (sizes <= most) & ~_touching(holes, sizes.size, values == FOREGROUND)
    filled[_at_the_frame(holes)] = False
    filled[0] = False
    values[filled[holes]] = BACKGROUND
    steps.advance()
    return Trimap(values)


def remove_islands(
    trimap: Trimap,
    size: float,
    spacing: float | Spacing = (1.0, 1.0),
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Trimap:
    """Remove small islands of known foreground and background; the largest of each kind stays, however small.

    An island becomes unknown where it borders on the unknown, and otherwise what surrounds it.

    Parameters
    ----------
    trimap : Trimap
        What to change.
    size : float
        Islands go whose area is at most that of a disc of this diameter, in the units of `spacing`.
    spacing : float or (float, float)
        Height and width of a pixel; the default counts in pixels.

    Returns
    -------
    Trimap
    """
    most = _most_pixels(size, spacing)
    steps = Steps("removing islands", 2, progress, cancel)
    values = trimap.values.copy()
    for kind, other in _OTHER.items():
        islands, sizes = _parts(trimap.values == kind)
        small = _small(sizes, most)
        loose = small & _touching(islands, sizes.size, trimap.values == UNKNOWN)
        values[loose[islands]] = UNKNOWN
        values[(small & ~loose)[islands]] = other
        steps.advance()
    return Trimap(values)


def count_islands(region: NDArray[np.bool_], most: int) -> tuple[int, tuple[int, int]]:
    """Return how many connected parts of a region have at most so many pixels, the largest part aside, and where.

    Parameters
    ----------
    region : array (H, W) of bool
        Parts hang together by their four neighbours.
    most : int
        Pixels.

    Returns
    -------
    count : int
        The number of small parts.
    place : (int, int)
        Row and column of a pixel of the first; (0, 0) if there is none.
    """
    parts, sizes = _parts(region)
    small = _small(sizes, most)
    numbers = np.flatnonzero(small)
    if not numbers.size:
        return 0, (0, 0)
    row, column = np.unravel_index(int(np.argmax(parts == numbers[0])), region.shape)
    return int(numbers.size), (int(row), int(column))


def _most_pixels(size: float, spacing: float | Spacing) -> float:
    height, width = checked_spacing(spacing)
    return math.pi / 4 * checked_distance(size, "size") ** 2 / (height * width)


def _parts(region: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the number of each pixel's connected part, 0 outside, and the parts' sizes."""
    parts = np.empty(region.shape, np.int32)
    ndimage.label(region, output=parts)
    return parts, np.bincount(parts.ravel())


def _small(sizes: NDArray[np.int64], most: float) -> NDArray[np.bool_]:
    """Return which parts are small; never the largest one, nor what is no part."""
    small = sizes <= most
    small[0] = False
    if sizes.size > 1:
        small[1 + int(np.argmax(sizes[1:]))] = False
    return small


def _enclosed(region: NDArray[np.bool_], most: float) -> NDArray[np.bool_]:
    """Return the connected parts of a region with at most so many pixels that do not reach the frame."""
    parts, sizes = _parts(region)
    wanted = sizes <= most
    wanted[_at_the_frame(parts)] = False
    wanted[0] = False
    return np.asarray(wanted[parts])


def _at_the_frame(parts: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))


def _touching(parts: NDArray[np.int32], count: int, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which parts have a pixel beside one of a region."""
    touching = np.zeros(count, bool)
    for here, there in (
        (np.s_[:-1], np.s_[1:]),
        (np.s_[1:], np.s_[:-1]),
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:, 1:], np.s_[:, :-1]),
    ):
        touching[parts[here][region[there]]] = True
    return touching
