"""Foreground colours: the refinement cost and its algorithms (paper, section 4.1), and estimation from a composite."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import as_alpha, as_float_image, to_numpy
from lsa_engine.errors import InputError
from lsa_engine.foreground.energy import check_kappa, energy
from lsa_engine.foreground.estimation import estimate_foreground
from lsa_engine.foreground.paper import multiscale_refine, simple_refine
from lsa_engine.progress import CancelToken, ProgressCallback

__all__ = ["energy", "estimate_foreground", "multiscale_refine", "refine_foreground", "simple_refine"]

RefinementMethod = Literal["paper"]


def refine_foreground(
    foreground: Any,
    alpha: Any,
    *,
    kappa: float = 1.0,
    method: RefinementMethod = "paper",
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> NDArray[Any]:
    """Make a foreground smooth where it is hardly seen, and leave it where it is (Assumption 1, section 4.1).

    Interpolating, rotating or resizing the result then no longer draws wrong colours into the visible part.

    Parameters
    ----------
    foreground : array (H, W, 3) or (H, W)
        Straight (not premultiplied) colours; unsigned integers are scaled by their range, floats lie in [0, 1].
    alpha : array (H, W)
        Opacity, by the same rules.
    kappa : float
        Weight κ > 0 of the smoothness term.
    method : {"paper"}
        "paper" is Algorithm 2 with the paper's S = 6 and T = 20.
    progress, cancel : optional
        Called and checked after every sweep.

    Returns
    -------
    array, same shape and type as `foreground`
        The refined colours; integers are rounded, booleans become float32.

    Raises
    ------
    InputError
        If the sizes differ, an array is not usable, or an option is out of range.
    Cancelled
        If `cancel` was set.

    See Also
    --------
    energy : the cost that this lowers.
    lsa_engine.foreground.paper.multiscale_refine : the same with S and T to choose.
    """
    if method not in get_args(RefinementMethod):
        raise InputError(
            f"method is {method!r}, but one of {', '.join(get_args(RefinementMethod))} is expected: choose one."
        )
    check_kappa(kappa)
    colours = as_float_image(foreground, name="foreground")
    opacity = as_alpha(alpha)
    if colours.shape[:2] != opacity.shape:
        raise InputError(
            f"foreground is {colours.shape[0]}×{colours.shape[1]} and alpha {opacity.shape[0]}×{opacity.shape[1]}, "
            "but they must cover the same pixels: resize or crop one of them."
        )
    given = to_numpy(foreground, "foreground")
    if given.shape != colours.shape:
        # A grey plane came back from the door as three equal channels: one is enough.
        colours = colours[..., 0].reshape(given.shape)
    refined = multiscale_refine(colours, opacity, kappa=kappa, progress=progress, cancel=cancel)
    if given.dtype.kind == "u":
        largest = float(np.iinfo(given.dtype).max)
        return np.rint(np.clip(refined, 0, 1) * largest).astype(given.dtype)
    return refined.astype(given.dtype, copy=False) if given.dtype.kind == "f" else refined
