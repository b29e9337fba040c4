"""The cost that foreground refinement minimises (paper, section 4.1)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import require_finite, to_numpy
from lsa_engine.errors import InputError

# Values that are looked at together: few enough to stay in the processor's cache.
_BLOCK = 1 << 17


def energy(foreground_hat: Any, foreground: Any, alpha: Any, kappa: float = 1.0) -> float:
    r"""Return the refinement cost of a re-estimated foreground.

    .. math::

        C(\hat F, F) = \tfrac12 \sum_i \sum_c \Big\{ \alpha_i^2 (\hat F_i^c - F_i^c)^2
            + \kappa (1 - \alpha_i)^2 \sum_{j \in \partial i} (\hat F_i^c - \hat F_j^c)^2 \Big\}

    The first term keeps colours where they are seen; the second makes them smooth where they are not (Assumption 1).

    Parameters
    ----------
    foreground_hat : array (H, W) or (H, W, C)
        The re-estimated foreground :math:`\hat F`. Unsigned integers are scaled by the range of their type, floats
        taken as they are.
    foreground : array, same shape
        The given foreground :math:`F`.
    alpha : array (H, W)
        Opacity, by the same rule; in [0, 1].
    kappa : float
        Weight κ > 0 of the smoothness term.

    Returns
    -------
    float
        The cost, summed over pixels and channels in double precision; colours in [0, 1], so the unit is squared colour.

    Raises
    ------
    InputError
        If shapes do not fit, a value is NaN or infinite, alpha leaves [0, 1], or kappa is not positive.

    Notes
    -----
    *The frame.* ∂i holds only the neighbours inside the image: three at an edge, two in a corner. Each pair of
    neighbours thus enters twice, once with the weight of either end, and nothing outside is invented.
    :func:`~lsa_engine.foreground.paper.simple_refine` follows the same rule, so the minimum of this cost is the fixed
    point of that update everywhere, the frame included.
    """
    check_kappa(kappa)
    estimate = _checked(foreground_hat, "foreground_hat")
    given = _checked(foreground, "foreground")
    opacity = _checked(alpha, "alpha")
    check_shapes(given, opacity, foreground_hat=estimate)
    if opacity.dtype.kind == "f" and (opacity.min() < 0 or opacity.max() > 1):
        raise InputError(
            f"The alpha spans {opacity.min():.6g} to {opacity.max():.6g}, but opacity lies in [0, 1]: "
            "rescale or clip it first."
        )
    if given.ndim == 2:
        estimate, given = estimate[..., None], given[..., None]
    height, width, channels = given.shape
    rows = max(1, _BLOCK // (width * channels))
    total = 0.0
    for top in range(0, height, rows):
        # One row more than is counted, for the pairs that it makes with the last one.
        block = slice(top, min(top + rows, height) + 1)
        parts = [_as_float64(array[block]) for array in (estimate, given, opacity)]
        total += _block_energy(parts[0], parts[1], parts[2], rows, kappa)
    return total


def _block_energy(
    estimate: NDArray[np.float64], given: NDArray[np.float64], opacity: NDArray[np.float64], rows: int, kappa: float
) -> float:
    """Return the cost of the first `rows` rows, and of their pairs with the row after them if there is one."""
    smoothness = (1.0 - opacity) ** 2
    data = np.sum((opacity[:rows, :, None] * (estimate[:rows] - given[:rows])) ** 2)
    # A pair (i, j) is counted from i with weight q_i and from j with weight q_j.
    beside = smoothness[:rows, 1:] + smoothness[:rows, :-1]
    across = np.sum(beside[..., None] * np.diff(estimate[:rows], axis=1) ** 2)
    down = np.sum((smoothness[1:] + smoothness[:-1])[..., None] * np.diff(estimate, axis=0) ** 2)
    return float(0.5 * (data + kappa * (across + down)))


def check_kappa(kappa: float) -> None:
    """Raise InputError unless `kappa` is a positive finite number."""
    if not (math.isfinite(kappa) and kappa > 0):
        raise InputError(
            f"kappa is {kappa!r}, but it weighs the smoothness term and must be positive: give 1.0 as in the paper."
        )


def check_shapes(foreground: NDArray[Any], alpha: NDArray[Any], **others: NDArray[Any]) -> None:
    """Raise InputError unless alpha is (H, W), foreground (H, W) or (H, W, C), and `others` like foreground."""
    if alpha.ndim != 2 or alpha.size == 0:
        raise InputError(
            f"alpha has shape {alpha.shape}, but one non-empty plane (H, W) is expected: pass a single channel."
        )
    if foreground.ndim not in (2, 3) or foreground.size == 0 or foreground.shape[:2] != alpha.shape:
        raise InputError(
            f"The foreground has shape {foreground.shape} and alpha {alpha.shape}, but (H, W) or (H, W, C) of alpha's "
            "size is expected: resize or crop one of them."
        )
    for name, array in others.items():
        if array.shape != foreground.shape:
            raise InputError(
                f"{name} has shape {array.shape}, but the foreground's shape {foreground.shape} is expected: "
                "pass two versions of the same picture."
            )


def _checked(array: Any, name: str) -> NDArray[Any]:
    """Return an array of unsigned integers or floats, all finite; refuse the rest."""
    values = to_numpy(array, name)
    require_finite(values, name)
    if values.dtype.kind not in "uf":
        raise InputError(
            f"The {name} holds {values.dtype}, but unsigned integers or floats in [0, 1] are expected: "
            "convert it to one of them."
        )
    return values


def _as_float64(values: NDArray[Any]) -> NDArray[np.float64]:
    """Scale unsigned integers by their type's range, leave floats in full precision."""
    if values.dtype.kind == "u":
        return values / float(np.iinfo(values.dtype).max)
    return values.astype(np.float64)
