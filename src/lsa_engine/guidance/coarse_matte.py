"""A coarse closed-form matte (Levin et al. 2008), enlarged along the image's own edges (He and Sun 2015)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsa_engine.guidance.enlarging import enlarge_by_lines, lines_of
from lsa_engine.guidance.reducing import reduce_pair, reduction_for, unknown_pixels
from lsa_engine.progress import unchecked

_FACTOR = 4
_MOST_UNKNOWN = 250_000
_WINDOW_VARIANCE = 1e-6 / 9  # ε / |w| of Levin et al.
_TOLERANCE = 1e-6
_ITERATIONS = 500


def coarse_matte(image: Tensor, trimap: Tensor, check: Callable[[], None] = unchecked) -> Tensor:
    """Return the closed-form matte of a reduced image, brought back to full size by local lines of colour.

    The image is reduced by 4 (by 8, 16, … where more than four million pixels are unknown, or it has more than 128
    million), where colours mix over several pixels anyway and closed-form matting spreads further and is much quicker.
    In each small window the result is nearly a linear function of colour (the assumption of closed-form matting
    itself); the coefficients vary slowly, so they are enlarged instead of the matte, and applied to the colours at full
    size.

    Parameters
    ----------
    image : Tensor
        (N, 3, H, W), float32 in [0, 1].
    trimap : Tensor
        (N, 1, H, W), uint8 with 0 background, 128 unknown, 255 foreground.
    check : callable, optional
        Called between parts of the work, in several threads; may raise to stop.

    Returns
    -------
    Tensor
        (N, 1, H, W) float32 in [0, 1], on the image's device; 0 and 1 where the trimap says so, 0.5 where an image
        has too few known pixels for any to be left in the reduced trimap.
    """
    factor, colours, known = reduce_pair(image, trimap, _FACTOR, _MOST_UNKNOWN)
    # The loops release the interpreter lock, so the images of a batch are solved side by side.
    with ThreadPoolExecutor(max(1, min(len(image), torch.get_num_threads()))) as pool:
        lines = list(pool.map(partial(coarse_lines, check=check), colours, known))
    return enlarge_by_lines(image, trimap, np.stack(lines), factor, check=check)


def coarse_reduction(unknown: int, pixels: int) -> int:
    """Return by how much an image with so many unknown pixels, and so many in all, is reduced."""
    return reduction_for(unknown, pixels, _FACTOR, _MOST_UNKNOWN)


def coarse_lines(
    colours: NDArray[np.float64], known: NDArray[np.bool_], check: Callable[[], None] = unchecked
) -> NDArray[np.float32]:
    """Return the lines (4, h, w) of the closed-form matte of one image (h, w, 3) with known foreground, background."""
    alpha = closed_form(colours, known[0], known[1], check)
    check()
    return lines_of(colours, alpha, unknown_pixels(known))


def closed_form(
    colours: NDArray[np.float64],
    foreground: NDArray[np.bool_],
    background: NDArray[np.bool_],
    check: Callable[[], None] = unchecked,
) -> NDArray[np.float64]:
    """Return the closed-form matte (Levin et al. 2008) that agrees with the known pixels.

    Parameters
    ----------
    colours : ndarray
        (H, W, 3) float64 in [0, 1], at least 3 × 3.
    foreground, background : ndarray
        (H, W) bool, what is known.
    check : callable, optional
        Called between parts of the work; may raise to stop.

    Returns
    -------
    ndarray
        (H, W) float64 in [0, 1]; 0.5 everywhere if nothing is known.
    """
    from lsa_engine.guidance.closed_form_kernels import assemble, factorise, solve

    unknown = ~(foreground | background)
    if unknown.all():
        return np.full(unknown.shape, 0.5)
    alpha = foreground.astype(np.float64)
    if unknown.any():
        check()
        diagonal, values, neighbours, right_hand = assemble(colours, alpha, unknown, _WINDOW_VARIANCE)
        check()
        pivots, upper = factorise(diagonal, values, neighbours)
        solution, _ = solve(diagonal, values, neighbours, right_hand, pivots, upper, _TOLERANCE, _ITERATIONS, check)
        alpha[unknown] = np.clip(solution, 0, 1)
    return alpha
