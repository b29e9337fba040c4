"""Where a matte lies and how it is stretched (moments), and how much of it is undecided (transition)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
