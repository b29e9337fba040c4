"""Foreground refinement exactly as the paper prints it: Algorithms 1 and 2 of section 4.1."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsa_engine.bands import Bands
from lsa_engine.errors import InputError
from lsa_engine.foreground.energy import check_kappa, check_shapes
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.scalars import is_number

_Array = NDArray[np.float32]


def simple_refine(
    premultiplied: ArrayLike,
    alpha: ArrayLike,
    initial: ArrayLike,
    kappa: float = 1.0,
    iterations: int = 20,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> NDArray[np.float32]:
    r"""Refine a foreground at one scale by Jacobi sweeps (Algorithm 1).

    Every sweep replaces the colour of every pixel, from the colours of the sweep before, by

    .. math::

        \hat F_i \leftarrow \frac{\alpha_i \tilde I_i
            + \kappa \sum_{j \in \partial i} ((1-\alpha_i)^2 + (1-\alpha_j)^2) \hat F_j}
            {\alpha_i^2 + \kappa |\partial i| (1-\alpha_i)^2 + \kappa \sum_{j \in \partial i} (1-\alpha_j)^2}

    Parameters
    ----------
    premultiplied : array (H, W) or (H, W, C)
        :math:`\tilde I = \alpha F`, floats.
    alpha : array (H, W)
        Opacity in [0, 1].
    initial : array, shape of `premultiplied`
        The foreground to begin with.
    kappa : float
        Weight κ > 0 of the smoothness term.
    iterations : int
        Number of sweeps T ≥ 0.
    progress, cancel : optional
        Called and checked after every sweep (`cancel` several times within one where the image is large).

    Returns
    -------
    float32 array, shape of `premultiplied`

    Raises
    ------
    InputError
        If shapes do not fit or an option is out of range.
    Cancelled
        If `cancel` was set.

    Notes
    -----
    *The frame.* The printed denominator has 4κ(1−α)², which is right where a pixel has four neighbours; the paper
    does not say what happens at the frame. Here ∂i holds only the neighbours inside the image and the 4 is their
    number \|∂i\| (three at an edge, two in a corner). That is the zero of the gradient of
    :func:`~lsa_engine.foreground.energy.energy` under that function's rule, so that the fixed point of the sweeps is
    the minimum of the cost: the reason for the choice. Keeping the 4 with nothing outside would darken the frame;
    reflecting, as the authors' released code does, counts the inner neighbour twice, which is the minimum of another
    cost (with cells of half weight at the frame). All rules agree away from the frame.
    """
    tilde, opacity, start = (np.asarray(array, dtype=np.float32) for array in (premultiplied, alpha, initial))
    check_kappa(kappa)
    check_shapes(tilde, opacity, initial=start)
    _check_count("iterations", iterations, 0)
    steps = Steps("refining the foreground", iterations * opacity.size, progress, cancel)
    with Bands(steps.check) as bands:
        refined = _sweep(_planes(tilde), opacity, _planes(start), kappa, iterations, steps, bands)
    return _like(refined, tilde)


def multiscale_refine(
    foreground: ArrayLike,
    alpha: ArrayLike,
    *,
    scales: int = 6,
    kappa: float = 1.0,
    iterations: int = 20,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> NDArray[np.float32]:
    r"""Refine a foreground from coarse to fine (Algorithm 2).

    At scale s = S−1, …, 0 the premultiplied foreground and alpha are resized from the originals, the estimate from
    the scale before, to (w // 2ˢ, h // 2ˢ), at least one pixel; then 2ˢ·T sweeps of Algorithm 1 follow.

    Parameters
    ----------
    foreground : array (H, W) or (H, W, C)
        The given foreground F, floats.
    alpha : array (H, W)
        Opacity in [0, 1].
    scales, kappa, iterations : int, float, int
        S, κ and T; the defaults are the paper's.
    progress, cancel : optional
        Called and checked after every sweep; a step is the update of one pixel, so that the fraction follows the work.

    Returns
    -------
    float32 array, shape of `foreground`

    Raises
    ------
    InputError
        If shapes do not fit or an option is out of range.
    Cancelled
        If `cancel` was set.

    Notes
    -----
    "Resize" is bilinear between half-pixel centres, without antialiasing. See :func:`simple_refine` for the frame.
    The result is smoother than the minimum of the cost, since a coarse pixel's data term does not weigh as much as
    the pixels that it stands for; this is how the paper prints it.
    """
    given, opacity = np.asarray(foreground, dtype=np.float32), np.asarray(alpha, dtype=np.float32)
    check_kappa(kappa)
    check_shapes(given, opacity)
    _check_count("scales", scales, 1)
    _check_count("iterations", iterations, 0)
    estimate = _planes(given)
    tilde = estimate * opacity
    height, width = opacity.shape
    plan = [(max(1, height >> s), max(1, width >> s), iterations << s) for s in reversed(range(scales))]
    steps = Steps("refining the foreground", sum(h * w * sweeps for h, w, sweeps in plan), progress, cancel)
    with Bands(steps.check) as bands:
        for h, w, sweeps in plan:
            small, plane, start = (_resize(planes, h, w) for planes in (tilde, opacity, estimate))
            estimate = _sweep(small, plane, start, kappa, sweeps, steps, bands)
    return _like(estimate, given)


def _sweep(
    tilde: _Array, alpha: _Array, initial: _Array, kappa: float, iterations: int, steps: Steps, bands: Bands
) -> _Array:
    """Run Jacobi sweeps on planes (C, H, W); `alpha` is (H, W). Advances `steps` by the number of pixels per sweep."""
    from lsa_engine.foreground.paper_kernels import sweep

    base, weights = _coefficients(tilde, alpha, kappa, initial)
    height = initial.shape[1]
    old, new = initial, np.empty_like(initial)
    spare = np.empty_like(initial) if iterations > 1 else new
    for _ in range(iterations):
        bands.run(sweep, height, initial.size, old, new, base, *weights)
        # The caller's array is only read: after the first sweep, two arrays of our own take turns.
        old, new = new, (spare if old is initial else old)
        steps.advance(alpha.size)
    return old


def _coefficients(
    tilde: _Array, alpha: _Array, kappa: float, initial: _Array
) -> tuple[_Array, tuple[_Array, _Array, _Array, _Array]]:
    """Return the update's constant term (C, H, W) and its four neighbours' weights (H, W), over the denominator."""
    smoothness = (1 - alpha) ** 2
    across = np.float32(kappa) * (smoothness[:, 1:] + smoothness[:, :-1])
    along = np.float32(kappa) * (smoothness[1:] + smoothness[:-1])
    left, right, up, down = (np.zeros_like(alpha) for _ in range(4))
    left[:, 1:], right[:, :-1], up[1:], down[:-1] = across, across, along, along
    # The sum of the weights is |∂i| κ q_i + κ Σ_j q_j: the denominator without the data term.
    denominator = alpha**2 + left + right + up + down
    base = tilde * alpha
    # An invisible pixel without neighbours (a 1×1 scale) is free: it keeps its colour.
    free = denominator == 0
    denominator[free] = 1
    base[:, free] = initial[:, free]
    base /= denominator
    for weight in (left, right, up, down):
        weight /= denominator
    return base, (left, right, up, down)


def _resize(planes: _Array, height: int, width: int) -> _Array:
    """Resize the last two axes bilinearly: half-pixel centres, no antialiasing, clamped at the frame."""
    for axis, size in ((-2, height), (-1, width)):
        length = planes.shape[axis]
        if length == size:
            continue
        position = np.clip((np.arange(size) + 0.5) * (length / size) - 0.5, 0, length - 1)
        lower = np.floor(position).astype(np.intp)
        upper = np.minimum(lower + 1, length - 1)
        fraction = (position - lower).astype(np.float32)
        if axis == -2:
            fraction = fraction[:, None]
        below = np.take(planes, lower, axis=axis)
        planes = below + (np.take(planes, upper, axis=axis) - below) * fraction
    return planes


def _planes(image: _Array) -> _Array:
    """(H, W) or (H, W, C) to contiguous (C, H, W)."""
    return np.ascontiguousarray(np.moveaxis(np.atleast_3d(image), -1, 0))


def _like(planes: _Array, image: _Array) -> _Array:
    """Bring (C, H, W) back to the shape of `image`, in memory of its own."""
    return np.moveaxis(planes, 0, -1).reshape(image.shape).copy()


def _check_count(name: str, value: int, least: int) -> None:
    if not (is_number(value, Integral) and value >= least):
        raise InputError(f"{name} is {value!r}, but a whole number of at least {least} is expected: give one.")
