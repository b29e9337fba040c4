"""Pixel sizes and their units, as files store them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from lsa_engine.errors import InputError

LENGTHS = {"m": 1.0, "dm": 1e-1, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "pm": 1e-12, "inch": 0.0254}
"""Short spellings of units of length, and their metres."""

_SPELLINGS = {
    "um": ("µm", "μm", "micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres"),
    "m": ("meter", "meters", "metre", "metres"),
    "cm": ("centimeter", "centimeters", "centimetre", "centimetres"),
    "mm": ("millimeter", "millimeters", "millimetre", "millimetres"),
    "nm": ("nanometer", "nanometers", "nanometre", "nanometres"),
    "pm": ("picometer", "picometers", "picometre", "picometres"),
    "inch": ("in", "inches"),
}
_SHORT = {spelling: short for short, spellings in _SPELLINGS.items() for spelling in spellings}

_LARGEST_IN_TIFF = 2**32 - 1
_ENOUGH_DIGITS = 1e-6


@dataclass(frozen=True)
class Calibration:
    """How large a pixel is.

    Attributes
    ----------
    pixel_size : (float, float) or None
        Height and width of a pixel in `unit`.
    unit : str or None
        The unit in its short spelling ("um", "mm") where there is one.
    """

    pixel_size: tuple[float, float] | None = None
    unit: str | None = None

    @classmethod
    def checked(cls, pixel_size: float | tuple[float, float] | None, unit: str | None) -> Calibration:
        """Make a calibration from what a caller gives.

        Raises
        ------
        InputError
            If a size is not positive and finite, a unit comes without a size, or the unit suits no file (the sizes in
            it are too large or too small).
        """
        if pixel_size is None:
            if unit is not None:
                raise InputError(f"The unit {unit!r} is given without a pixel size: pass pixel_size=(height, width).")
            return cls()
        sizes = np.atleast_1d(np.asarray(pixel_size, dtype=np.float64))
        if sizes.shape not in ((1,), (2,)) or not (np.isfinite(sizes).all() and (sizes > 0).all()):
            raise InputError(
                f"The pixel size is {pixel_size!r}, but the height and width of a pixel are expected: "
                "pass two positive numbers."
            )
        calibration = cls((float(sizes[0]), float(sizes[-1])), None if unit is None else short_unit(unit))
        calibration.per_unit()
        return calibration

    def per_unit(self) -> tuple[Fraction, Fraction] | None:
        """Return pixels per unit along y and x as the 32-bit fractions that TIFF stores, or None without a size."""
        if self.pixel_size is None:
            return None
        y, x = (_tiff_fraction(1 / size, self.pixel_size) for size in self.pixel_size)
        return y, x

    def pixels_per_metre(self) -> tuple[float, float] | None:
        """Return pixels per metre along y and x, or None without a size or a unit of length."""
        if self.pixel_size is None or self.unit not in LENGTHS:
            return None
        y, x = (1 / (size * LENGTHS[self.unit]) for size in self.pixel_size)
        return y, x

    def to_metadata(self) -> dict[str, Any]:
        """Return what is known as JSON types: {} or {"pixel_size": [height, width], "unit": …}."""
        if self.pixel_size is None:
            return {}
        return {"pixel_size": list(self.pixel_size), "unit": self.unit}


def short_unit(unit: str) -> str:
    """Return the short spelling of a unit of length ("um" for "µm" and "micrometre"), other words as they are."""
    return _SHORT.get(unit, unit)


def checked_metadata(metadata: dict[str, Any] | None, calibration: Calibration) -> dict[str, Any]:
    """Join what a caller wants to record with the calibration.

    Raises
    ------
    InputError
        If `metadata` is not a dictionary of JSON types.
    """
    if metadata is None:
        return calibration.to_metadata()
    try:
        json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The metadata cannot be written as JSON ({error}): use strings, finite numbers, lists and dictionaries."
        ) from error
    if not isinstance(metadata, dict):
        raise InputError(f"The metadata is a {type(metadata).__name__}, but a dictionary is expected: name its values.")
    return {**metadata, **calibration.to_metadata()}


def _tiff_fraction(value: float, pixel_size: tuple[float, float]) -> Fraction:
    largest_denominator = int(min(_LARGEST_IN_TIFF, _LARGEST_IN_TIFF / value))
    if largest_denominator >= 1:
        fraction = Fraction(value).limit_denominator(largest_denominator)
        if fraction > 0 and abs(float(fraction) - value) <= _ENOUGH_DIGITS * value:
            return fraction
    raise InputError(
        f"The pixel size {pixel_size} does not fit into an image file in this unit: "
        "choose another unit, in which it is nearer to 1."
    )
