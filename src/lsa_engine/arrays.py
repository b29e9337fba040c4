"""The door for arrays: images and mattes of every usual type become float32 in [0, 1], or are refused."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import InputError

# Resampling in float32 overshoots 0 and 1 by a few units in the last place; that is rounding, not another range.
ROUNDING = 1e-5

_CHANNEL_ADVICE = {
    2: "choose one channel, image[..., 0], or stack three",
    4: "drop the alpha channel: image[..., :3]",
}


def to_numpy(array: Any, name: str = "array") -> NDArray[Any]:
    """Return anything array-like as a NumPy array of booleans, integers or floats.

    Parameters
    ----------
    array : array_like or torch.Tensor
        Lists, NumPy, dask and zarr arrays, tensors on any device (detached and copied to the processor).
    name : str
        What the array is, for error messages.

    Returns
    -------
    numpy.ndarray
        Shares memory with `array` where it can.

    Raises
    ------
    InputError
        If `array` is a path, is ragged, or does not hold real numbers.
    """
    if isinstance(array, (str, bytes, PathLike)):
        raise InputError(
            f"The {name} is given as a path, {str(array)!r}, but pixels are expected: "
            "read the file first with lsa_engine.image_io."
        )
    if hasattr(array, "detach") and hasattr(array, "cpu"):
        array = array.detach().cpu()
        if str(array.dtype) == "torch.bfloat16":  # NumPy has no such type
            array = array.float()
    try:
        result = np.asarray(array)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"The {name} cannot be turned into an array ({error}): "
            "pass an array of numbers with shape (H, W) or (H, W, C)."
        ) from error
    if result.dtype.kind not in "buif":
        raise InputError(
            f"The {name} holds values of type {result.dtype}, but real numbers are expected: "
            "convert it to uint8, uint16 or float32."
        )
    return result


def require_area(array: NDArray[Any], name: str) -> None:
    """Refuse an array whose first two axes are not at least 2 × 2 pixels.

    Raises
    ------
    InputError
        If `array` is empty, a single pixel, or a single row or column.
    """
    height, width = array.shape[:2]
    if array.size == 0:
        raise InputError(f"The {name} is empty, its shape is {array.shape}: pass one with at least 2 × 2 pixels.")
    if height < 2 or width < 2:
        raise InputError(
            f"The {name} is only {height} × {width} pixels (height × width), but at least 2 × 2 are needed: "
            "pass a whole picture, not a pixel or a line of one."
        )


def require_finite(array: NDArray[Any], name: str) -> None:
    """Refuse NaN and infinite values, and say how many there are.

    Raises
    ------
    InputError
        If a floating-point `array` holds values that are not finite.
    """
    if array.dtype.kind != "f":
        return
    with np.errstate(invalid="ignore"):
        extremes = np.array([array.min(), array.max()])
    if np.isfinite(extremes).all():
        return
    nans, infinities = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    raise InputError(
        f"The {name} holds {nans} NaN and {infinities} infinite values, but every pixel must be a finite number: "
        "replace them, for example with numpy.nan_to_num."
    )


def to_unit_range(array: NDArray[Any], data_range: tuple[float, float] | None, name: str) -> NDArray[np.float32]:
    """Scale numbers to float32 in [0, 1].

    Parameters
    ----------
    array : numpy.ndarray
        Booleans, integers or floats of any shape.
    data_range : (low, high) or None
        The values that become 0 and 1; what lies outside is clipped. None takes unsigned integers by the
        range of their type and floats as they are.
    name : str
        What the array is, for error messages.

    Returns
    -------
    numpy.ndarray
        float32, of the same shape; shares memory with `array` if nothing had to change.

    Raises
    ------
    InputError
        If values are not finite, floats lie outside [0, 1], signed integers come without `data_range`, or
        `data_range` is not two rising finite numbers.
    """
    require_finite(array, name)
    kind = array.dtype.kind
    if data_range is not None:
        low, high = _checked_range(data_range, name)
        # Wide integers and doubles are shifted before they are rounded, so that a large offset costs nothing.
        narrow = array.dtype.itemsize <= 2 or array.dtype == np.float32
        scaled = np.subtract(array, low, dtype=np.float32 if narrow else np.float64)
        scaled /= high - low
        return np.asarray(np.clip(scaled, 0, 1, out=scaled), np.float32)
    if kind == "b":
        return np.asarray(array, np.float32)
    if kind == "u":
        work = np.float32 if array.dtype.itemsize <= 2 else np.float64
        return np.asarray(np.divide(array, np.iinfo(array.dtype).max, dtype=work), np.float32)
    lowest, highest = array.min(), array.max()
    if kind == "i":
        raise InputError(
            f"The {name} holds signed integers ({array.dtype}) from {lowest} to {highest}, a type without a natural "
            "range: convert it to uint8, uint16 or floats in [0, 1], or give an image's data_range=(low, high), the "
            "values that mean 0 and 1."
        )
    if lowest < -ROUNDING or highest > 1 + ROUNDING:
        raise InputError(
            f"The {name} holds floats from {lowest:g} to {highest:g}, but [0, 1] is expected: "
            "scale it first, or give an image's data_range=(low, high), the values that mean 0 and 1."
        )
    unit = np.asarray(array, np.float32)
    return np.clip(unit, 0, 1) if lowest < 0 or highest > 1 else unit


def as_float_image(
    image: Any, *, data_range: tuple[float, float] | None = None, name: str = "image"
) -> NDArray[np.float32]:
    """Return an image as float32 RGB in [0, 1]: the door for images.

    Parameters
    ----------
    image : array_like or torch.Tensor
        (H, W), (H, W, 1) or (H, W, 3), at least 2 × 2 pixels. Unsigned integers are scaled by the range of their
        type, floats must lie in [0, 1]; one channel is repeated to three.
    data_range : (low, high), optional
        The values that become 0 and 1 (contrast limits); what lies outside is clipped. Needed for floats
        of another range and for signed integers.
    name : str
        What the image is, for error messages.

    Returns
    -------
    numpy.ndarray
        float32 (H, W, 3) in [0, 1]; may share memory with `image`.

    Raises
    ------
    InputError
        For another number of axes or channels, NaN or infinite pixels, values outside the range, and images
        that are empty, a single pixel, or a single row or column.
    """
    array = to_numpy(image, name)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3:
        raise InputError(
            f"The {name} has {array.ndim} axes, its shape is {array.shape}, but (H, W) or (H, W, 3) is expected: "
            "pass one frame of a stack at a time."
        )
    channels = array.shape[2]
    if array.size and channels not in (1, 3):
        raise InputError(
            f"The {name} has {channels} channels, its shape is {array.shape}, but 1 or 3 are expected: "
            f"{_channel_advice(array.shape)}."
        )
    require_area(array, name)
    unit = to_unit_range(array, data_range, name)
    return unit if channels == 3 else np.repeat(unit, 3, axis=2)


def as_alpha(alpha: Any, name: str = "alpha") -> NDArray[np.float32]:
    """Return an alpha matte as float32 in [0, 1]: the door for mattes.

    Parameters
    ----------
    alpha : array_like or torch.Tensor
        (H, W) or (H, W, 1), at least 2 × 2 pixels. Booleans are 0 and 1, unsigned integers are scaled
        by the range of their type, floats must lie in [0, 1].
    name : str
        What the matte is, for error messages.

    Returns
    -------
    numpy.ndarray
        float32 (H, W) in [0, 1]; may share memory with `alpha`.

    Raises
    ------
    InputError
        For more than one channel, NaN or infinite pixels, values outside the range, and mattes that are
        empty, a single pixel, or a single row or column.
    """
    array = to_numpy(alpha, name)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2:
        raise InputError(
            f"The {name} has shape {array.shape}, but one channel, (H, W), is expected: "
            "choose one, for example alpha[..., 0] of a gray picture or alpha[..., 3] of an RGBA cut-out."
        )
    require_area(array, name)
    return to_unit_range(array, None, name)


def _checked_range(data_range: tuple[float, float], name: str) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in data_range)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The data_range of the {name} is {data_range!r}, but two numbers, (low, high), are expected."
        ) from error
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(
            f"The data_range of the {name} is ({low:g}, {high:g}), but two finite numbers with low < high are expected."
        )
    return low, high


def _channel_advice(shape: tuple[int, ...]) -> str:
    if shape[0] in (1, 3) and shape[2] > 4:
        return "if the channels come first, move them: numpy.moveaxis(image, 0, -1)"
    return _CHANNEL_ADVICE.get(shape[2], "choose one or three of them, for example image[..., [0, 1, 2]]")
