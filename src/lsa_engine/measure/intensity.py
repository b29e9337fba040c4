"""Intensities of an image under a matte: means, deviations and percentiles, every pixel weighted by its opacity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import require_finite, to_numpy
from lsa_engine.errors import InputError

PERCENTILES = (5, 25, 50, 75, 95)
"""The percentiles that are measured of every channel."""

# A cumulated weight that misses its share by rounding alone has reached it.
_ROUNDING = 1e-10


@dataclass(frozen=True)
class ChannelStatistics:
    """Intensities of one channel under one matte, in the image's own units; NaN where the matte has no opacity.

    Attributes
    ----------
    channel : str
        The channel's name.
    mean : float
        Σ α v / Σ α.
    standard_deviation : float
        √(Σ α (v − mean)² / Σ α); opacities are shares of pixels and no counts, so nothing is subtracted from Σ α.
    percentiles : tuple of float
        One for each of :data:`PERCENTILES`, as :func:`weighted_quantiles` defines them.
    """

    channel: str
    mean: float
    standard_deviation: float
    percentiles: tuple[float, ...]


def channel_statistics(
    values: NDArray[Any], weights: NDArray[np.float64], names: Sequence[str]
) -> tuple[ChannelStatistics, ...]:
    """Measure every channel.

    Parameters
    ----------
    values : numpy.ndarray
        (N, C), finite.
    weights : numpy.ndarray
        float64 (N,), positive; N may be 0.
    names : sequence of str
        C names.
    """
    if not len(weights):
        return tuple(ChannelStatistics(name, math.nan, math.nan, (math.nan,) * len(PERCENTILES)) for name in names)
    statistics = []
    shares = weights / weights.sum()
    for index, name in enumerate(names):
        channel = values[:, index].astype(np.float64)
        mean = float(shares @ channel)
        deviation = math.sqrt(float(shares @ (channel - mean) ** 2))
        quantiles = _quantiles(channel, weights, np.array(PERCENTILES) / 100)
        statistics.append(ChannelStatistics(name, mean, deviation, tuple(map(float, quantiles))))
    return tuple(statistics)


def weighted_quantiles(values: Any, weights: Any, fractions: Any) -> NDArray[np.float64]:
    """Return quantiles of weighted values.

    The quantile of a fraction q is the smallest value v for which the values up to v hold at least the share q of the
    whole weight. It is always one of the values, and for whole-number weights it is the quantile of a list in which
    every value is repeated as often as its weight says (``numpy.quantile`` with ``method="inverted_cdf"``).

    Parameters
    ----------
    values : array_like
        (N,), finite.
    weights : array_like
        (N,), finite, not negative, and not all 0; values of weight 0 count for nothing.
    fractions : array_like
        (K,) in [0, 1]; 0 gives the smallest value.

    Returns
    -------
    numpy.ndarray
        float64 (K,).

    Raises
    ------
    InputError
        If a number is outside its range, or values and weights differ in number.
    """
    numbers = np.asarray(to_numpy(values, "list of values"), np.float64)
    masses = np.asarray(to_numpy(weights, "list of weights"), np.float64)
    parts = np.atleast_1d(np.asarray(to_numpy(fractions, "list of fractions"), np.float64))
    if numbers.ndim != 1 or numbers.shape != masses.shape:
        raise InputError(
            f"The values have shape {numbers.shape} and the weights {masses.shape}, but two lists of the same length "
            "are expected: pass values[selected] and weights[selected]."
        )
    if not len(numbers):
        raise InputError("No values were given, but a quantile needs at least one: select some pixels.")
    require_finite(numbers, "list of values")
    require_finite(masses, "list of weights")
    if masses.min() < 0 or masses.sum() <= 0:
        raise InputError(
            f"The weights run from {masses.min():g} to {masses.max():g}, but none may be negative and one must be "
            "positive: pass opacities in [0, 1]."
        )
    if not ((parts >= 0) & (parts <= 1)).all():
        raise InputError(
            f"The fractions are {fractions!r}, but numbers in [0, 1] are expected: divide percentages by 100."
        )
    seen = masses > 0
    return _quantiles(numbers[seen], masses[seen], parts)


def _quantiles(
    values: NDArray[np.float64], weights: NDArray[np.float64], fractions: NDArray[np.float64]
) -> NDArray[np.float64]:
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    ranks = np.searchsorted(cumulated, fractions * cumulated[-1] * (1 - _ROUNDING))
    return np.asarray(values[order[np.minimum(ranks, len(values) - 1)]])
