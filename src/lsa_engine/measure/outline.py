"""How long the outline of a matte is, or how large the surface of a volume."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from skimage import measure

LEVEL = 0.5
"""The opacity on the outline of an object, and from which on a pixel is inside its hard mask."""

# Pixels at a time. The marching cubes keep Python's lock until they are done, and a window waits for it.
_PART = 60_000

_Alpha = NDArray[np.float32]
_Floats = NDArray[np.float64]


def outline_length(alpha: _Alpha, spacing: tuple[float, ...]) -> float:
    """Return the length of the line α = 0.5, or the area of that surface in a volume.

    The line is interpolated linearly between pixel centres (marching squares, marching cubes). It reaches to the frame,
    half a pixel beyond the outermost centres, and does not run along it: where the frame cuts is no edge of the object.

    Parameters
    ----------
    alpha : numpy.ndarray
        float32 (H, W) or (Z, H, W) in [0, 1]; every axis may be one pixel long.
    spacing : tuple of float
        Distance of pixel centres along every axis.

    Returns
    -------
    float
        In units of `spacing`, or their square for a volume; 0 where no such line is.
    """
    # Repeated once more, the outermost pixels carry the line straight on by a whole pixel, of which half is inside.
    padded = np.pad(alpha, 1, mode="edge")
    last = np.array(alpha.shape)
    scale = np.array(spacing)
    total = 0.0
    for start, part in _parts(padded):
        sizes, middles = _segments(part, scale) if alpha.ndim == 2 else _triangles(part, scale)
        middles[:, 0] += start
        outside = ((middles < 1) | (middles > last)).sum(axis=1)
        total += float((sizes * 0.5**outside).sum())
    return total


def _parts(alpha: _Alpha) -> Iterator[tuple[int, _Alpha]]:
    """Yield where each part that the level is in begins, and the part; its first row or plane ends the one before."""
    step = max(1, _PART // alpha[0].size)
    for start in range(0, len(alpha) - 1, step):
        part = alpha[start : start + step + 1]
        if part.min() < LEVEL < part.max():
            yield start, part


def _segments(alpha: _Alpha, scale: _Floats) -> tuple[_Floats, _Floats]:
    """Return the lengths of the outline's segments and their middles, in pixels of `alpha`.

    Marching squares. A square of which two opposite corners are above the level, and the others not, has two segments,
    which cut off the corners that are above.
    """
    above = alpha > LEVEL
    across = above[:, :-1] != above[:, 1:]
    down = above[:-1] != above[1:]
    crossed = np.stack([across[:-1], across[1:], down[:, :-1], down[:, 1:]])  # top, bottom, left, right of a square
    rows, columns = np.nonzero(crossed.any(axis=0))
    crossed = crossed[:, rows, columns].T
    corner = [alpha[rows + y, columns + x].astype(np.float64) for y in (0, 1) for x in (0, 1)]
    with np.errstate(divide="ignore", invalid="ignore"):  # a side that is not crossed may have equal ends
        top, bottom, left, right = (
            (LEVEL - corner[first]) / (corner[second] - corner[first])
            for first, second in ((0, 1), (2, 3), (0, 2), (1, 3))
        )
    points = np.stack(
        [np.stack([rows + y, columns + x], axis=1) for y, x in ((0.0, top), (1.0, bottom), (left, 0.0), (right, 1.0))],
        axis=1,
    )
    squares = np.arange(len(rows))
    twice = crossed.all(axis=1)
    ends = np.argsort(~crossed, axis=1, kind="stable")[:, :2]
    # Of a saddle: top with left and bottom with right, or top with right and bottom with left.
    slanted = above[rows, columns]
    ends[twice, 0], ends[twice, 1] = 0, np.where(slanted, 2, 3)[twice]
    others = np.stack([np.ones(twice.sum(), int), np.where(slanted, 3, 2)[twice]], axis=1)
    squares, ends = np.concatenate([squares, squares[twice]]), np.concatenate([ends, others])
    first, second = (points[squares, ends[:, side]] for side in (0, 1))
    return np.linalg.norm((second - first) * scale, axis=1), (first + second) / 2


def _triangles(alpha: _Alpha, scale: _Floats) -> tuple[_Floats, _Floats]:
    """Return the areas of the surface's triangles and their middles, in voxels of `alpha`."""
    vertices, faces, _, _ = measure.marching_cubes(alpha, LEVEL)
    corners = np.asarray(vertices, np.float64)[faces]
    first, second = ((corners[:, side] - corners[:, 0]) * scale for side in (1, 2))
    return np.linalg.norm(np.cross(first, second), axis=1) / 2, corners.mean(axis=1)
