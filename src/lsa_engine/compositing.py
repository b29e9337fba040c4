"""The compositing equation I = αF + (1 − α)B (eq. (1)), cut-outs, straight and premultiplied colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import as_alpha, to_numpy, to_unit_range
from lsa_engine.errors import InputError


def composite(foreground: Any, background: Any, alpha: Any) -> NDArray[np.float32]:
    """Lay a foreground over a background: I = αF + (1 − α)B, eq. (1) of the paper.

    Parameters
    ----------
    foreground : array_like
        F, straight (not premultiplied) colours, (H, W, C); integers are scaled by the range of their type.
    background : array_like
        B, (H, W, C), or one colour, (C,), in [0, 1] if it holds floats.
    alpha : array_like
        α, (H, W) in [0, 1].

    Returns
    -------
    numpy.ndarray
        I, float32 (H, W, C), in [0, 1] where F and B are.

    Raises
    ------
    InputError
        If sizes or channels differ, or values are not finite or outside [0, 1].

    Examples
    --------
    >>> white = composite(np.zeros((2, 2, 3)), [1.0, 1.0, 1.0], np.full((2, 2), 0.25))
    >>> float(white[0, 0, 0])
    0.75
    """
    matte = as_alpha(alpha)[..., None]
    front = _colours(foreground, "foreground", matte.shape[:2])
    back = to_numpy(background, "background")
    if back.ndim == 1:
        back = to_unit_range(_as_float(back), None, "background")
    else:
        back = _colours(back, "background", matte.shape[:2])
    if front.shape[2] != back.shape[-1]:
        raise InputError(
            f"The foreground has {front.shape[2]} channels and the background {back.shape[-1]}, but both need as many: "
            "give both the same channels."
        )
    result = front - back
    result *= matte
    result += back
    return result


def cutout(foreground: Any, alpha: Any) -> NDArray[np.float32]:
    """Join colours and a matte to an RGBA image with straight colours.

    Parameters
    ----------
    foreground : array_like
        F, (H, W, 3), integers or floats in [0, 1], not premultiplied.
    alpha : array_like
        α, (H, W) in [0, 1].

    Returns
    -------
    numpy.ndarray
        float32 (H, W, 4) in [0, 1]; the colours are kept where α = 0, so nothing is lost.

    Raises
    ------
    InputError
        If sizes differ, the foreground has not three channels, or values are not finite or outside [0, 1].
    """
    matte = as_alpha(alpha)
    colours = _colours(foreground, "foreground", matte.shape)
    if colours.shape[2] != 3:
        raise InputError(
            f"The foreground has {colours.shape[2]} channels, but a cut-out needs 3 (red, green, blue): "
            "repeat a gray one, or drop an alpha channel with foreground[..., :3]."
        )
    return np.concatenate([colours, matte[..., None]], axis=2)


def premultiply(rgba: Any) -> NDArray[np.float32]:
    """Multiply straight colours by their alpha: (F, α) becomes (αF, α).

    Parameters
    ----------
    rgba : array_like
        (H, W, C + 1), the last channel is α; integers are scaled by the range of their type.

    Returns
    -------
    numpy.ndarray
        float32 of the same shape.

    Raises
    ------
    InputError
        If there are fewer than two channels, or values are not finite or outside [0, 1].
    """
    result = _with_alpha(rgba).copy()
    result[..., :-1] *= result[..., -1:]
    return result


def unpremultiply(rgba: Any) -> NDArray[np.float32]:
    """Divide premultiplied colours by their alpha: (αF, α) becomes (F, α).

    Parameters
    ----------
    rgba : array_like
        (H, W, C + 1), the last channel is α; integers are scaled by the range of their type.

    Returns
    -------
    numpy.ndarray
        float32 of the same shape; colours are clipped to [0, 1], and 0 where α = 0, where F cannot be known.

    Raises
    ------
    InputError
        If there are fewer than two channels, or values are not finite or outside [0, 1].
    """
    result = _with_alpha(rgba).copy()
    colours, matte = result[..., :-1], result[..., -1:]
    visible = matte > 0
    # A quotient above 1 may overflow for a minute α; it is clipped either way.
    with np.errstate(over="ignore"):
        np.divide(colours, matte, out=colours, where=visible)
    colours *= visible
    np.clip(colours, 0, 1, out=colours)
    return result


def checkerboard(shape: tuple[int, int], square: int = 16) -> NDArray[np.float32]:
    """Draw the usual light-gray checkerboard on which transparency is shown.

    Parameters
    ----------
    shape : (int, int)
        Height and width in pixels.
    square : int
        Side of a square in pixels, at least 1; the top left square is the lighter one.

    Returns
    -------
    numpy.ndarray
        float32 (H, W, 3) with the grays 0.8 and 0.6.

    Raises
    ------
    InputError
        If a size is less than 1.
    """
    height, width = shape
    if min(height, width, square) < 1:
        raise InputError(
            f"The checkerboard is {height} × {width} with squares of {square} pixels, but all must be at least 1: "
            "choose larger numbers."
        )
    rows, columns = np.arange(height) // square, np.arange(width) // square
    darker = (rows[:, None] + columns) % 2 == 1
    gray = np.where(darker, np.float32(0.6), np.float32(0.8))
    return np.repeat(gray[..., None], 3, axis=2)


def _colours(colours: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    array = to_numpy(colours, name)
    if array.ndim != 3 or array.shape[:2] != shape:
        raise InputError(
            f"The {name} has shape {array.shape}, but (H, W, C) with the height and width of the "
            f"alpha, {shape}, is expected: give both the same size."
        )
    if array.shape[2] == 0:
        raise InputError(f"The {name} has no channels, its shape is {array.shape}: give it at least one.")
    return to_unit_range(array, None, name)


def _as_float(colour: NDArray[Any]) -> NDArray[Any]:
    # A colour written as [1, 1, 1] or [0, 0, 0] means the floats, not an integer type.
    return colour.astype(np.float32) if colour.dtype.kind == "i" and set(np.unique(colour)) <= {0, 1} else colour


def _with_alpha(rgba: Any) -> NDArray[np.float32]:
    array = to_numpy(rgba, "image")
    if array.ndim != 3 or array.shape[2] < 2 or array.size == 0:
        raise InputError(
            f"The image has shape {array.shape}, but (H, W, 4) with alpha as the last channel is expected: "
            "join colours and alpha with cutout(foreground, alpha)."
        )
    return to_unit_range(array, None, "image")
