"""Where a matte lies and how it is stretched (moments), and how long and how soft its edge is (outline, transition)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import measure

LEVEL = 0.5
"""The opacity on the outline of an object, and from which on a pixel is inside its hard mask."""

# Eigenvalues that differ by less than this part of the larger are equal up to rounding: no axis is the major one.
_EQUAL = 1e-9

_Alpha = NDArray[np.float32]
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """First and second moments of a matte of positive total opacity; see :func:`moments`."""

    centroid: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    axis_lengths: tuple[float, ...]
    major_axis: tuple[float, ...]
    eccentricity: float

    @classmethod
    def undefined(cls, axes: int) -> Moments:
        """Return the moments of a matte without opacity: NaN throughout."""
        nans = (math.nan,) * axes
        return cls(nans, (nans,) * axes, nans, nans, math.nan)


def moments(alpha: _Alpha, spacing: tuple[float, ...], origin: tuple[int, ...]) -> Moments:
    """Return the centroid, the covariance and the axes of a matte.

    Every pixel counts as a point of weight α at its centre, so a pixel's own extent adds nothing (see the notes).

    Parameters
    ----------
    alpha : numpy.ndarray
        float32 (H, W) or (Z, H, W) in [0, 1], not 0 everywhere.
    spacing : tuple of float
        Distance of pixel centres along every axis.
    origin : tuple of int
        Index of the first pixel of `alpha` in the whole picture.

    Returns
    -------
    Moments
        In units of `spacing` and its square; the origin is the centre of the whole picture's pixel 0.

    Notes
    -----
    The axis lengths are the full axes of the ellipse, or ellipsoid, of constant density with the same covariance:
    4 √λ in two dimensions and 2 √5 √λ in three, as in :func:`skimage.measure.regionprops`, which counts pixels as
    points as well. Other programs add spacing²/12, the variance of a pixel's square, to the diagonal.
    """
    total = float(alpha.sum(dtype=np.float64))
    axes = alpha.ndim
    centroid, offsets = [], []
    for axis in range(axes):
        positions = (np.arange(alpha.shape[axis]) + origin[axis]) * spacing[axis]
        middle = float(positions @ _projected(alpha, axis)) / total
        centroid.append(middle)
        offsets.append(positions - middle)
    covariance = np.empty((axes, axes))
    for i in range(axes):
        covariance[i, i] = offsets[i] ** 2 @ _projected(alpha, i) / total
        for j in range(i):
            covariance[i, j] = covariance[j, i] = offsets[j] @ _projected(alpha, j, i) @ offsets[i] / total
    variances, directions = np.linalg.eigh(covariance)
    variances = np.maximum(variances[::-1], 0.0)
    stretch = 4.0 if axes == 2 else 2.0 * math.sqrt(5.0)
    return Moments(
        centroid=tuple(centroid),
        covariance=tuple(tuple(map(float, row)) for row in covariance),
        axis_lengths=tuple(float(length) for length in stretch * np.sqrt(variances)),
        major_axis=_direction(directions[:, -1], variances),
        eccentricity=math.sqrt(1.0 - float(variances[-1] / variances[0])) if variances[0] > 0 else 0.0,
    )


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
    if not alpha.min() < LEVEL < alpha.max():
        return 0.0
    # Repeated once more, the outermost pixels carry the line straight on by a whole pixel, of which half is inside.
    padded = np.pad(alpha, 1, mode="edge")
    last = np.array(alpha.shape)
    scale = np.array(spacing)
    if alpha.ndim == 2:
        lengths, middles = _segments(padded, scale)
    else:
        lengths, middles = _triangles(padded, scale)
    outside = ((middles < 1) | (middles > last)).sum(axis=1)
    return float((lengths * 0.5**outside).sum())


def transition_size(alpha: _Alpha) -> float:
    """Return 6 Σ α (1 − α): the pixels of the transition band, each weighted by how undecided it is.

    For opacities spread evenly over [0, 1], as across a linear ramp, the mean of 6 α (1 − α) is 1, so this is the size
    of the ramp. Unlike a count of the pixels with 0 < α < 1, it does not jump where the ramp's ends fall on pixel
    centres, and a haze of α near 0 or 1 adds next to nothing.
    """
    wide = alpha.astype(np.float64)
    return 6.0 * float((wide * (1.0 - wide)).sum())


def _projected(alpha: _Alpha, *kept: int) -> _Floats:
    """Sum over all axes but `kept`, in double precision."""
    others = tuple(axis for axis in range(alpha.ndim) if axis not in kept)
    return np.asarray(alpha.sum(axis=others, dtype=np.float64))


def _direction(vector: _Floats, variances: _Floats) -> tuple[float, ...]:
    """Return the unit vector of the major axis, its first component that is not 0 positive; NaN if no axis is major."""
    if variances[0] - variances[1] <= _EQUAL * variances[0]:
        return (math.nan,) * len(vector)
    sign = np.sign(vector[np.flatnonzero(vector)[0]])
    return tuple(float(part) for part in sign * vector + 0.0)


def _segments(alpha: _Alpha, scale: _Floats) -> tuple[_Floats, _Floats]:
    """Return the lengths of the outline's segments and their middles, in pixels of `alpha`."""
    contours: list[NDArray[Any]] = measure.find_contours(alpha, LEVEL)
    lengths = [np.linalg.norm(np.diff(points, axis=0) * scale, axis=1) for points in contours]
    middles = [(points[1:] + points[:-1]) / 2 for points in contours]
    return np.concatenate(lengths), np.concatenate(middles)


def _triangles(alpha: _Alpha, scale: _Floats) -> tuple[_Floats, _Floats]:
    """Return the areas of the surface's triangles and their middles, in voxels of `alpha`."""
    vertices, faces, _, _ = measure.marching_cubes(alpha, LEVEL)
    corners = np.asarray(vertices, np.float64)[faces]
    first, second = ((corners[:, side] - corners[:, 0]) * scale for side in (1, 2))
    return np.linalg.norm(np.cross(first, second), axis=1) / 2, corners.mean(axis=1)
