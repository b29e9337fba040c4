"""Foreground and background colours from a composite, for cut-outs without colour spill."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import as_alpha, as_float_image
from lsa_engine.bands import Bands
from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps

EstimationMethod = Literal["lsa", "multilevel", "closed-form"]

_LOADING = "loading PyMatting (compiling takes a minute on first use)"
_ESTIMATING = "estimating foreground colours"
_COMPILING = "preparing to estimate foreground colours (compiling on first use)"

# The weights of smoothness by α and everywhere. Found on procedural mattes with known colours: without the second,
# the colours that are half seen follow the noise.
_KAPPA, _FLOOR = 0.03, 0.1


def estimate_foreground(
    image: Any,
    alpha: Any,
    *,
    method: EstimationMethod = "lsa",
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    r"""Split a photograph into the colours of its foreground and of its background.

    Finds F and B with ``image ≈ alpha * F + (1 - alpha) * B`` (equation 1 of the paper), both smooth where alpha does
    not determine them.

    Parameters
    ----------
    image : array (H, W, 3) or (H, W)
        The composite; unsigned integers are scaled by their range, floats lie in [0, 1].
    alpha : array (H, W)
        Opacity, by the same rules.
    method : {"lsa", "multilevel", "closed-form"}
        "lsa", the default, applies Assumption 1 of the paper (section 4.1) to both images: one pass of multigrid
        towards the minimum of

        .. math::

            \sum_i (\alpha_i F_i + (1-\alpha_i) B_i - I_i)^2 + \sum_{i,\, j \in \partial i}
            (\kappa (1-\alpha_i)^2 + \tfrac12\varepsilon) (F_i - F_j)^2
            + (\kappa \alpha_i^2 + \tfrac12\varepsilon) (B_i - B_j)^2

        with κ = 0.03 and ε = 0.1, and then the shortest step to colours that make up the image exactly. Germer et
        al. ("multilevel") and Levin et al. ("closed-form": a large sparse system, slow above a megapixel) are run by
        PyMatting.
    progress, cancel : optional
        "lsa" and "closed-form" report and check many times. "multilevel" is one uninterruptible call (around a second
        for 12 megapixels), with a check before and after.

    Returns
    -------
    foreground, background : float32 arrays (H, W, 3) in [0, 1]

    Raises
    ------
    InputError
        If the sizes differ, an array is not usable, or the method is unknown.
    Cancelled
        If `cancel` was set.

    References
    ----------
    T. Germer et al., "Fast Multi-Level Foreground Estimation", ICPR 2020.
    A. Levin et al., "A Closed-Form Solution to Natural Image Matting", TPAMI 2008.
    """
    if method not in get_args(EstimationMethod):
        raise InputError(
            f"method is {method!r}, but one of {', '.join(get_args(EstimationMethod))} is expected: choose one."
        )
    colours = as_float_image(image, name="image")
    opacity = as_alpha(alpha)
    if colours.shape[:2] != opacity.shape:
        raise InputError(
            f"image is {colours.shape[0]}×{colours.shape[1]} and alpha {opacity.shape[0]}×{opacity.shape[1]}, "
            "but they must cover the same pixels: resize or crop one of them."
        )
    if method == "lsa":
        return _assume_smoothness(colours, opacity, progress, cancel)
    if method == "multilevel":
        steps = Steps(_LOADING, 2, progress, cancel)
        # Imported here and not above: PyMatting compiles kernels when it is first imported.
        from pymatting.foreground.estimate_foreground_ml import estimate_foreground_ml

        steps.advance(message=_ESTIMATING)
        foreground, background = estimate_foreground_ml(colours, opacity, return_background=True)
        steps.advance()
    else:
        foreground, background = _closed_form(colours, opacity, progress, cancel)
    return _colours(foreground), _colours(background)


def _assume_smoothness(
    image: NDArray[np.float32],
    alpha: NDArray[np.float32],
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Run one pass of multigrid; further cycles come nearer to the minimum, but not to the true colours."""
    from lsa_engine.foreground import estimation_grids as pair
    from lsa_engine.foreground.multigrid import full_multigrid

    steps = Steps(_ESTIMATING if pair.is_compiled() else _COMPILING, 100, progress, cancel)
    image, alpha = np.ascontiguousarray(image), np.ascontiguousarray(alpha)
    with Bands(steps.check) as bands:
        grids = pair.build_pair_grids(alpha, image.shape[2], _KAPPA, _FLOOR, bands)
        pair.load_composite(grids[0], image, alpha)
        share = 100 // (len(grids) + 1)
        steps.advance(share, _ESTIMATING)
        full_multigrid(grids, before=1, after=1, after_cycle=lambda: steps.advance(share))
        colours = pair.split_composite(grids[0], image, alpha)
    steps.finish()
    return colours


def _closed_form(
    image: NDArray[np.float32],
    alpha: NDArray[np.float32],
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Solve one linear system a channel, each a step; every iteration checks the cancel token."""
    channels = image.shape[-1]
    steps = Steps(_LOADING, channels + 1, progress, cancel)
    from pymatting.foreground.estimate_foreground_cf import estimate_foreground_cf

    steps.advance(message=_ESTIMATING)
    tolerance = 1e-5
    solved = 0

    def after_iteration(_matrix: Any, _x: Any, _b: Any, norm_b: float, _r: Any, norm_r: float) -> None:
        nonlocal solved
        steps.check()
        if norm_r < tolerance * norm_b:
            solved += 1
            steps.advance()

    foreground, background = estimate_foreground_cf(
        image.astype(np.float64),
        alpha.astype(np.float64),
        rtol=tolerance,
        return_background=True,
        # The absolute tolerance ends a black channel at once: its relative residual is 0 / 0.
        cg_kwargs={"callback": after_iteration, "atol": 1e-10},
    )
    steps.advance(channels - solved)
    return foreground, background


def _colours(planes: NDArray[Any]) -> NDArray[np.float32]:
    return np.clip(planes, 0, 1).astype(np.float32)
