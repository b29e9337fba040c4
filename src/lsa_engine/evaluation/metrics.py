"""The four matting metrics, as defined by the evaluation code of Deep Image Matting (Xu et al., CVPR 2017).

All four are taken over the unknown region U of the trimap. Before scoring, alpha and truth become 8-bit values
(floats are rounded, not truncated), and the prediction is overwritten with 255 and 0 where the trimap is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lsa_engine.arrays import as_alpha
from lsa_engine.errors import InputError
from lsa_engine.trimap import as_trimap

REGION = "the unknown region of the trimap"
"""What every metric of this module is taken over."""

_SIGMA = 1.4
_EPSILON = 0.01
_JUMP = np.float32(0.15)

_Bytes = NDArray[np.uint8]
_Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """The four metrics of one matte over the unknown region of its trimap; lower is better.

    Attributes
    ----------
    sad : float
        Sum of absolute differences, in thousands of fully wrong pixels.
    mse : float
        Mean squared difference of alpha (plain, not ×10³).
    grad : float
        Gradient error, ÷ 1000.
    conn : float
        Connectivity error, ÷ 1000.
    unknown_pixels : int
        Size of the unknown region.
    """

    sad: float
    mse: float
    grad: float
    conn: float
    unknown_pixels: int


def evaluate(alpha: Any, truth: Any, trimap: Any) -> Scores:
    """Score a matte against the true one.

    Parameters
    ----------
    alpha, truth : array (H, W)
        Predicted and true opacity: uint8, other unsigned integers (scaled by their range) or floats in [0, 1].
    trimap : Trimap or array (H, W)
        Anything that :func:`~lsa_engine.trimap.as_trimap` takes.

    Returns
    -------
    Scores

    Raises
    ------
    InputError
        If the sizes differ, nothing is unknown, or an array is not usable.

    References
    ----------
    N. Xu et al., "Deep Image Matting", CVPR 2017; C. Rhemann et al., "A Perceptually Motivated Online Benchmark for
    Image Matting", CVPR 2009.
    """
    scored = _prepare(alpha, truth, trimap)
    return Scores(_sad(*scored), _mse(*scored), _gradient(*scored), _connectivity(*scored), int(scored[2].sum()))


def sad(alpha: Any, truth: Any, trimap: Any) -> float:
    """Return the sum of absolute differences over the unknown region, ÷ 1000; arguments as in :func:`evaluate`."""
    return _sad(*_prepare(alpha, truth, trimap))


def mse(alpha: Any, truth: Any, trimap: Any) -> float:
    """Return the mean squared difference over the unknown region; arguments as in :func:`evaluate`."""
    return _mse(*_prepare(alpha, truth, trimap))


def gradient_error(alpha: Any, truth: Any, trimap: Any) -> float:
    """Return the gradient error over the unknown region, ÷ 1000; arguments as in :func:`evaluate`.

    Both mattes are stretched by the minimum and maximum of the whole image, filtered with the first derivatives of a
    Gaussian (σ = 1.4, 9×9, unit Frobenius norm, replicated borders), and the squared differences of the magnitudes
    are summed.
    """
    return _gradient(*_prepare(alpha, truth, trimap))


def connectivity_error(alpha: Any, truth: Any, trimap: Any) -> float:
    """Return the connectivity error over the unknown region, ÷ 1000; arguments as in :func:`evaluate`.

    For thresholds 0.1, 0.2, …, 1 in single precision, Ω is the largest 4-connected component of the pixels that both
    mattes reach; a pixel's level is the last threshold up to which it stays in Ω. What a matte has above that level,
    from 0.15 on, counts as disconnected.
    """
    return _connectivity(*_prepare(alpha, truth, trimap))


def _prepare(alpha: Any, truth: Any, trimap: Any) -> tuple[_Bytes, _Bytes, _Mask]:
    """The door: return prediction and truth as bytes, known pixels overwritten, and the unknown region."""
    predicted, true = _as_bytes(alpha, "alpha"), _as_bytes(truth, "truth")
    regions = as_trimap(trimap)
    if not predicted.shape == true.shape == regions.shape:
        raise InputError(
            f"alpha has shape {predicted.shape}, truth {true.shape} and the trimap {regions.shape}, "
            "but they must cover the same pixels: resize or crop them first."
        )
    if not regions.unknown.any():
        raise InputError(
            "The trimap has no unknown pixels, but the metrics are taken over those: mark some as unknown."
        )
    predicted[regions.foreground] = 255
    predicted[regions.background] = 0
    return predicted, true, regions.unknown


def _as_bytes(alpha: Any, name: str) -> _Bytes:
    """Round half up, as MATLAB's uint8() does for what is not negative."""
    return np.floor(as_alpha(alpha, name=name).astype(np.float64) * 255 + 0.5).astype(np.uint8)


def _sad(predicted: _Bytes, truth: _Bytes, unknown: _Mask) -> float:
    return float(np.abs(_difference(predicted, truth, unknown)).sum() / 255 / 1000)


def _mse(predicted: _Bytes, truth: _Bytes, unknown: _Mask) -> float:
    return float(np.mean((_difference(predicted, truth, unknown) / 255) ** 2))


def _difference(predicted: _Bytes, truth: _Bytes, unknown: _Mask) -> NDArray[np.int64]:
    return predicted[unknown].astype(np.int64) - truth[unknown]


def _gradient(predicted: _Bytes, truth: _Bytes, unknown: _Mask) -> float:
    difference = _gradient_magnitude(predicted)[unknown] - _gradient_magnitude(truth)[unknown]
    return float(np.sum(difference**2) / 1000)


def _gradient_magnitude(matte: _Bytes) -> NDArray[np.float64]:
    """Magnitude of the Gaussian derivatives of a matte stretched to [0, 1]."""
    values = matte.astype(np.float64)
    low, high = values.min(), values.max()
    # MATLAB's mat2gray leaves a constant image as it is, clipped.
    stretched = (values - low) / (high - low) if high > low else np.clip(values, 0, 1)
    half = math.ceil(_SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * _SIGMA * _EPSILON)))
    x = np.arange(-half, half + 1, dtype=np.float64)
    gauss = np.exp(-(x**2) / (2 * _SIGMA**2)) / (_SIGMA * math.sqrt(2 * math.pi))
    slope = -x * gauss / _SIGMA**2
    # The kernel is the outer product of the two, so its Frobenius norm is the product of theirs.
    gauss, slope = gauss / np.linalg.norm(gauss), slope / np.linalg.norm(slope)
    across = ndimage.convolve1d(
        ndimage.convolve1d(stretched, gauss, axis=0, mode="nearest"), slope, axis=1, mode="nearest"
    )
    down = ndimage.convolve1d(
        ndimage.convolve1d(stretched, slope, axis=0, mode="nearest"), gauss, axis=1, mode="nearest"
    )
    return np.hypot(across, down)


def _connectivity(predicted: _Bytes, truth: _Bytes, unknown: _Mask) -> float:
    p, g = predicted.astype(np.float32) / np.float32(255), truth.astype(np.float32) / np.float32(255)
    # The thresholds are single precision too, so that 153/255 reaches 0.6.
    thresholds = [np.float32(k / 10) for k in range(11)]
    level = np.ones(p.shape, np.float32)
    inside = np.ones(p.shape, bool)
    both = np.minimum(p, g)
    for below, threshold in pairwise(thresholds):
        stays = inside & _largest_component(both >= threshold)
        level[inside & ~stays] = below
        inside = stays
        if not inside.any():
            break
    difference = np.abs(_connected_degree(p, level)[unknown] - _connected_degree(g, level)[unknown])
    return float(difference.sum(dtype=np.float64) / 1000)


def _connected_degree(matte: NDArray[np.float32], level: NDArray[np.float32]) -> NDArray[np.float32]:
    """φ of the benchmark's paper: 1 less what lies above the connected level, unless that is under 0.15."""
    above = matte - level
    return np.float32(1) - above * (above >= _JUMP)


def _largest_component(mask: _Mask) -> _Mask:
    """Largest 4-connected component; on a tie the first, counted down the columns as MATLAB does."""
    labels, count = ndimage.label(mask.T)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    largest = 1 + int(np.argmax(sizes[1:]))
    return np.equal(labels.T, largest)
