"""Several channels become one picture: in colours, or projected; a network for photographs knows no more than three."""

from __future__ import annotations

import colorsys
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import to_numpy
from lsa_engine.errors import InputError

Merging = Literal["rgb", "maximum", "mean"]

_EXACT_BYTES = 2  # integers up to so many bytes are exact in float32


def merge_channels(channels: Any, how: Merging = "rgb") -> NDArray[Any]:
    """Return one picture of several channels, such as the stains of a fluorescence micrograph.

    Parameters
    ----------
    channels : array_like
        (C, H, W), any real type.
    how : {"rgb", "maximum", "mean"}
        "rgb" gives every channel a colour (:func:`channel_colours`), "maximum" and "mean" project them.

    Returns
    -------
    numpy.ndarray
        (H, W, 3) for "rgb", else (H, W); values in the range of `channels`, of the same type where values are only
        chosen and not computed.

    Raises
    ------
    InputError
        If there are not three axes, or `how` is none of these.

    Examples
    --------
    >>> stains = np.stack([np.full((2, 2), value) for value in (0.2, 0.6)])
    >>> merge_channels(stains, "maximum")[0, 0]
    np.float64(0.6)
    >>> merge_channels(stains)[0, 0]  # red and cyan
    array([0.2, 0.6, 0.6])
    """
    if how not in get_args(Merging):
        raise InputError(f"Channels cannot be merged by {how!r}: choose one of {', '.join(get_args(Merging))}.")
    array = to_numpy(channels, "channels")
    if array.ndim != 3 or not array.size:
        raise InputError(f"The channels have shape {array.shape}, but (C, H, W) is expected: move their axis in front.")
    if how == "maximum":
        return np.asarray(array.max(axis=0))
    exact = array.dtype == np.float32 or array.dtype.itemsize <= _EXACT_BYTES
    work = np.float32 if exact else np.float64
    if how == "mean":
        return np.asarray(array.mean(axis=0, dtype=work))
    weights = channel_colours(len(array))
    if np.isin(weights, (0, 1)).all():
        return np.stack([array[row.argmax()] for row in weights], axis=-1)
    return np.asarray(np.moveaxis(np.tensordot(weights.astype(work), array.astype(work), 1), 0, -1))


def channel_colours(count: int) -> NDArray[np.float64]:
    """Return how much of each channel comes into red, green and blue: (3, count), every row of sum 1.

    The channels' hues lie evenly around the circle: three are red, green and blue, two are red and cyan, one is gray.
    """
    if count == 1:
        return np.ones((3, 1))
    weights = np.array([colorsys.hsv_to_rgb(number / count, 1, 1) for number in range(count)]).T.round(12)
    return weights / weights.sum(axis=1, keepdims=True)
