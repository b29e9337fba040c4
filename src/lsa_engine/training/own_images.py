"""Own photographs with their mattes, made into foregrounds to train with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import as_alpha, as_float_image, to_numpy, to_unit_range
from lsa_engine.errors import InputError
from lsa_engine.inference.files import cut_out
from lsa_engine.progress import CancelToken, ProgressCallback

# Less than half a step of 8 bits is nothing.
_LEAST = 0.5 / 255
_MARGIN = 16


def cut_out_object(
    image: Any, alpha: Any, *, progress: ProgressCallback | None = None, cancel: CancelToken | None = None
) -> NDArray[np.float32]:
    """Return a photograph's object with its own colours, as a recipe's folders of foregrounds hold it.

    Parameters
    ----------
    image : array (H, W, 3) or (H, W)
        The photograph; unsigned integers are scaled by their range, floats lie in [0, 1].
    alpha : array (H, W)
        Its matte, by the same rules.
    progress, cancel : optional
        As for :func:`lsa_engine.estimate_foreground`.

    Returns
    -------
    array (h, w, 4), float32
        Straight colours and alpha in [0, 1]: the part of the photograph where the object is, and 16 pixels around it.

    Raises
    ------
    InputError
        If the shapes differ, or the alpha is 0, or 1, everywhere, so that there is nothing to cut out.
    """
    colours, opacity = as_float_image(image), as_alpha(alpha)
    if colours.shape[:2] != opacity.shape:
        raise InputError(
            f"The image is {_size(colours.shape)} and its alpha {_size(opacity.shape)} pixels (height × width), "
            "but they must have the same size: choose an alpha that belongs to the image."
        )
    _check_edge(opacity)
    return trim_cutout(cut_out(colours, opacity, progress=progress, cancel=cancel))


def trim_cutout(rgba: Any) -> NDArray[np.float32]:
    """Return the part of a cut-out where its object is, and 16 pixels around it.

    Parameters
    ----------
    rgba : array (H, W, 4)
        Straight colours and alpha; unsigned integers are scaled by their range, floats lie in [0, 1].

    Returns
    -------
    array (h, w, 4), float32

    Raises
    ------
    InputError
        If the alpha is 0, or 1, everywhere.
    """
    pixels = to_unit_range(to_numpy(rgba, "cut-out"), None, "cut-out")
    _check_edge(pixels[..., 3])
    seen = pixels[..., 3] >= _LEAST
    rows, columns = (np.flatnonzero(seen.any(axis)) for axis in (1, 0))
    part = tuple(slice(max(0, found[0] - _MARGIN), found[-1] + 1 + _MARGIN) for found in (rows, columns))
    return np.ascontiguousarray(pixels[part])


def _check_edge(opacity: NDArray[np.float32]) -> None:
    if opacity.max() < _LEAST or opacity.min() > 1 - _LEAST:
        where = "transparent" if opacity.max() < _LEAST else "opaque"
        raise InputError(
            f"The alpha is {where} everywhere, but an object to train with has an edge: choose another alpha."
        )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} × {shape[1]}"
