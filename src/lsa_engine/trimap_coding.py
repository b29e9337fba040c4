"""The codings in which trimaps are stored, and how to read them without guessing."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import InputError, TrimapError

BACKGROUND, UNKNOWN, FOREGROUND = 0, 128, 255

# Values that mean background, unknown and foreground.
_Coding = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
_LABELS: _Coding = ((2,), (0,), (1,))
_ORDERED: _Coding = ((0,), (1,), (2,))
# 127 and 128 are both in use for the middle; 257 = 65535 / 255 takes eight bits to sixteen.
_EIGHT_BIT: _Coding = ((0,), (127, 128), (255,))
_SIXTEEN_BIT: _Coding = ((0,), (32767, 32768, 127 * 257, 128 * 257), (65535,))
_UNIT: _Coding = ((0.0,), (0.5, 127 / 255, 128 / 255), (1.0,))

_FLOAT_TOLERANCE = 5e-4  # the rounding of half-precision floats near 0.5
_MOST_LISTED = 8


class Numbers(Enum):
    """What 0, 1 and 2 mean: painted labels, with 0 unknown; or in order, from background (0) to foreground (2)."""

    LABELS = "labels"
    ORDERED = "ordered"


def find_numbers(planes: Iterable[NDArray[Any]]) -> Numbers | None:
    """Tell from where 0, 1 and 2 lie what they mean: the unknown lies between foreground and background.

    So 1 and 2 nowhere touch among labels, and 0 and 2 nowhere where they are ordered. Neighbours are those left, right,
    above and below.

    Parameters
    ----------
    planes : iterable of numpy.ndarray
        (H, W) each, all that were coded together; looked at one by one, as far as they hold nothing but 0, 1 and 2.

    Returns
    -------
    Numbers or None
        None if there are other values, floats, or nothing but 0: another coding.

    Raises
    ------
    TrimapError
        If not all three are there, or both readings, or none, fit to where they lie.
    """
    seen: set[int] = set()
    touching: set[int] = set()
    for plane in planes:
        if plane.ndim != 2 or plane.size == 0 or plane.dtype.kind not in "ui" or plane.min() < 0 or plane.max() > 2:
            return None
        bits = np.array([1, 2, 4], np.uint8)[plane]
        seen |= {number for number in range(3) if (bits == 1 << number).any()}
        for pairs in (bits[1:] | bits[:-1], bits[:, 1:] | bits[:, :-1]):
            touching |= {both for both in (_ZERO_TWO, _ONE_TWO) if both not in touching and (pairs == both).any()}
    if seen <= {0}:
        return None
    labels, ordered = _ONE_TWO not in touching, _ZERO_TWO not in touching
    if len(seen) == 3 and labels != ordered:
        return Numbers.LABELS if labels else Numbers.ORDERED
    found = " and ".join(map(str, sorted(seen))) if len(seen) < 3 else "0, 1 and 2"
    if len(seen) < 3:
        why = "not all of 0, 1 and 2"
    else:
        why = f"{'both 0 and 1 may lie' if labels else 'neither 0 nor 1 lies'} between the other two"
    raise TrimapError(
        f"The trimap holds only {found}, and {why}, so it cannot be told whether 0 is unknown (1 foreground, "
        "2 background) or background (1 unknown, 2 foreground): save it with 0 (background), 128 (unknown) and 255 "
        "(foreground); or, if 0 is unknown, open it with napari's own reader and convert it to labels (in Python: "
        "Trimap.from_labels); make a trimap from a mask with Trimap.from_mask."
    )


_ZERO_TWO, _ONE_TWO = 1 << 0 | 1 << 2, 1 << 1 | 1 << 2  # bits of two numbers that touch


def decode_values(values: NDArray[Any], numbers: Numbers | None = None) -> NDArray[np.uint8]:
    """Read one plane in whichever of the usual codings explains all of its values.

    Parameters
    ----------
    values : numpy.ndarray
        (H, W), integers or floats.
    numbers : Numbers, optional
        What 0, 1 and 2 mean, as :func:`find_numbers` tells; without it they are odd values.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W) with 0, 128 and 255.

    Raises
    ------
    TrimapError
        If no coding explains all values, or if they are booleans, NaN or infinite.
    """
    if numbers is Numbers.LABELS:
        return decode_labels(values)
    if values.dtype.kind == "b":
        raise TrimapError(
            "The trimap holds booleans, which cannot say what is unknown: "
            "make a trimap from a mask with Trimap.from_mask(mask, inner=…, outer=…)."
        )
    codings = [_EIGHT_BIT]
    if numbers is Numbers.ORDERED:
        codings = [_ORDERED]
    elif values.dtype.kind == "f":
        _require_finite(values)
        codings = [_UNIT, _EIGHT_BIT]
    elif values.dtype.itemsize > 1:
        codings = [_EIGHT_BIT, _SIXTEEN_BIT]
    attempts = []
    for coding in codings:
        decoded, odd = _decode(values, coding)
        if not odd.any():
            return decoded
        attempts.append(odd)
    # The coding that explains most pixels is the one that was meant.
    fewest_odd = min(attempts, key=np.count_nonzero)
    expected = _expected(values.dtype) if numbers is None else "0 (background), 1 (unknown) and 2 (foreground)"
    raise odd_values_error(values, fewest_odd, expected)


def decode_labels(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Read painted labels, 0 unknown, 1 foreground, 2 background.

    Parameters
    ----------
    labels : numpy.ndarray
        Integers, (H, W).

    Returns
    -------
    numpy.ndarray
        uint8 (H, W) with 0, 128 and 255.

    Raises
    ------
    TrimapError
        If there are other labels, or `labels` does not hold integers.
    """
    if labels.dtype.kind not in "ui":
        raise TrimapError(
            f"The labels hold {labels.dtype}, but integers are expected (0 unknown, 1 foreground, 2 background): "
            "for a mask use Trimap.from_mask, for other codings Trimap.from_array."
        )
    decoded, odd = _decode(labels, _LABELS)
    if odd.any():
        expected = "the labels 0 (unknown), 1 (foreground) and 2 (background)"
        raise odd_values_error(labels, odd, expected, "for a segmentation use Trimap.from_mask")
    return decoded


def single_channel(array: NDArray[Any]) -> NDArray[Any]:
    """Reduce a gray picture that was stored as (H, W, 1), RGB or RGBA to one plane, (H, W).

    Raises
    ------
    TrimapError
        If pixels are coloured, or an alpha channel says something of its own.
    InputError
        If there are 2, or more than 4 channels.
    """
    if array.ndim != 3 or array.size == 0:
        return array  # a plane, or something that the check of the axes refuses
    channels = array.shape[2]
    if channels not in (1, 3, 4):
        raise InputError(
            f"The trimap has {channels} channels, its shape is {array.shape}, but one is expected: "
            "choose it, for example trimap[..., 0]."
        )
    if channels == 4 and array[..., 3].min() != array[..., 3].max():
        raise TrimapError(
            "The trimap is RGBA with pixels of different transparency, and it is not clear which channel counts: "
            "pass one, for example trimap[..., 0]."
        )
    first = array[..., 0]
    equal_nan = array.dtype.kind == "f"  # NaN gets its own sentence later
    if any(
        not np.array_equal(array[..., channel], first, equal_nan=equal_nan) for channel in range(1, min(channels, 3))
    ):
        coloured = int((array[..., :3] != first[..., None]).any(axis=2).sum())
        raise TrimapError(
            f"The trimap has {coloured} coloured pixels, but its channels must be equal (gray): "
            "save it as a gray picture with 0, 128 and 255, or pass one channel."
        )
    return first


def odd_values_error(
    values: NDArray[Any], odd: NDArray[np.bool_], expected: str, advice: str | None = None
) -> TrimapError:
    """Return the error that lists the most frequent odd values with their counts and says what they might mean."""
    found, counts = np.unique(values[odd], return_counts=True)
    most = np.argsort(-counts, kind="stable")[:_MOST_LISTED]
    listed = ", ".join(f"{found[index]:g} ({counts[index]} pixel{'s' if counts[index] > 1 else ''})" for index in most)
    rest = f" and {found.size - most.size} more" if found.size > most.size else ""
    if advice is None:
        integers = values.dtype.kind in "ui"
        if integers and values.min() >= 0 and values.max() <= 1:
            advice = "for a mask of 0 and 1 use Trimap.from_mask"
        elif integers and values.min() >= 0 and values.max() <= 2:
            advice = "for labels 0, 1 and 2 use Trimap.from_labels"
        else:
            advice = "repaint them, and save it without smoothing, resizing or JPEG compression"
    return TrimapError(f"The trimap holds odd values, {listed}{rest}, but only {expected} are expected: {advice}.")


def _decode(values: NDArray[Any], coding: _Coding) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the trimap under one coding, and which pixels the coding does not explain."""
    decoded = np.zeros(values.shape, np.uint8)
    odd = np.ones(values.shape, bool)
    for meaning, codes in zip((BACKGROUND, UNKNOWN, FOREGROUND), coding, strict=True):
        for code in codes:
            here = np.abs(values - code) <= _FLOAT_TOLERANCE if values.dtype.kind == "f" else values == code
            decoded[here] = meaning
            odd &= ~here
    return decoded, odd


def _require_finite(values: NDArray[Any]) -> None:
    broken = int(values.size - np.isfinite(values).sum())
    if broken:
        raise TrimapError(
            f"The trimap holds {broken} NaN or infinite values, but only 0, 0.5 and 1 are expected: "
            "mark what is unknown with 0.5."
        )


def _expected(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "f":
        return "0 (background), 0.5 (unknown) and 1 (foreground)"
    if dtype.itemsize > 1:
        return "0 (background), 128 or 32768 (unknown) and 255 or 65535 (foreground)"
    return "0 (background), 128 (unknown) and 255 (foreground)"
