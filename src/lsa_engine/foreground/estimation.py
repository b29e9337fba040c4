"""Foreground and background colours from a composite, for cut-outs without colour spill."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import as_alpha, as_float_image
from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps

EstimationMethod = Literal["multilevel", "closed-form"]

_LOADING = "loading PyMatting (compiling takes a minute on first use)"
_ESTIMATING = "estimating foreground colours"


def estimate_foreground(
    image: Any,
    alpha: Any,
    *,
    method: EstimationMethod = "multilevel",
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Split a photograph into the colours of its foreground and of its background.

    Finds F and B with ``image ≈ alpha * F + (1 - alpha) * B`` (equation 1 of the paper), both smooth where alpha does
    not determine them.

    Parameters
    ----------
    image : array (H, W, 3) or (H, W)
        The composite; unsigned integers are scaled by their range, floats lie in [0, 1].
    alpha : array (H, W)
        Opacity, by the same rules.
    method : {"multilevel", "closed-form"}
        Germer et al. (fast, the default) or Levin et al. (a large sparse system; slow above a megapixel), both by
        PyMatting.
    progress, cancel : optional
        The closed-form solver reports and checks every iteration. The multilevel method is one uninterruptible call
        (around a second for 12 megapixels), with a check before and after.

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
