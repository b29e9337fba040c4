"""Write stacks of mattes and trimaps as TIFF files, page by page, with their axes, sizes and provenance."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from lsa_engine.arrays import as_alpha
from lsa_engine.errors import FileError, InputError
from lsa_engine.image_io import tiff
from lsa_engine.image_io.atomic import atomic_path
from lsa_engine.image_io.calibration import LENGTHS, Calibration, checked_metadata, short_unit
from lsa_engine.progress import CancelToken, ProgressCallback, Steps

_ORDER = "TZC"
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0, "d": 86400.0}
_TIME_SPELLINGS = {
    "s": ("second", "seconds", "sec"),
    "ms": ("millisecond", "milliseconds"),
    "us": ("microsecond", "microseconds", "µs", "μs"),
    "min": ("minute", "minutes"),
    "h": ("hour", "hours", "hr"),
    "d": ("day", "days"),
}
_SHORT_TIME = {spelling: short for short, spellings in _TIME_SPELLINGS.items() for spelling in spellings}


@dataclass(frozen=True)
class StackAxis:
    """A leading axis of a stack.

    Attributes
    ----------
    letter : {"T", "Z", "C"}
        Time, depth, or channels, which may be objects.
    length : int
        Its number of steps.
    step : float or None
        How far two steps are apart, in `unit`.
    unit : str or None
        A unit of length or time.
    names : tuple of str
        What the steps of channels are called.
    """

    letter: str
    length: int
    step: float | None = None
    unit: str | None = None
    names: tuple[str, ...] = ()


def write_stack(
    path: str | os.PathLike[str],
    page: Callable[[tuple[int, ...]], Any],
    axes: Sequence[StackAxis],
    *,
    gray: bool = False,
    pixel_size: float | tuple[float, float] | None = None,
    unit: str | None = None,
    metadata: dict[str, Any] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> None:
    """Write mattes as a float32 TIFF or OME-TIFF of several pages, or gray pictures of 8 bits (trimaps).

    One page at a time is in memory. ImageJ opens a TIFF below 2 GB as a hyperstack with its calibration; beyond it is a
    BigTIFF.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in .tif or .tiff; .ome.tif or .ome.tiff makes an OME-TIFF.
    page : callable
        Returns the page (H, W) at an index, which counts along `axes`; asked once or twice for each.
    axes : sequence of StackAxis
        The leading axes, in the order of the index; in the file they lie in the order T, Z, C.
    gray : bool
        Whether pages are uint8 as they are, instead of mattes.
    pixel_size, unit, metadata
        As in :func:`~lsa_engine.image_io.write_alpha`.
    progress, cancel
        As everywhere in the engine.

    Raises
    ------
    InputError
        If a page is not a matte or has another size than the first, or an option does not make sense.
    FileError
        If the file cannot be written; an older file of that name is then left as it was.
    Cancelled
        If the token is set; nothing is written then.
    """
    if Path(path).suffix.lower() not in (".tif", ".tiff"):
        raise FileError(
            f"Cannot write a stack of {' × '.join(str(axis.length) for axis in axes)} planes as {os.fspath(path)}, "
            "because only a TIFF holds several: choose a name that ends in .tif or .ome.tif, or slice the plane that "
            "you want."
        )
    letters = "".join(axis.letter for axis in axes)
    if len(set(letters)) != len(letters) or set(letters) - set(_ORDER):
        raise InputError(f"The axes of the stack are {letters!r}, but each of T, Z and C is expected once at most.")
    calibration = Calibration.checked(pixel_size, unit)
    record = checked_metadata({**(metadata or {}), **_axes_record(axes)}, calibration)
    order = sorted(range(len(axes)), key=lambda number: _ORDER.index(letters[number]))
    sizes = [axes[number].length for number in order]
    first = _checked(page((0,) * len(axes)), gray, None)
    steps = Steps("writing", math.prod(sizes), progress, cancel)

    def pages() -> Iterator[NDArray[Any]]:
        for place in np.ndindex(*sizes):
            steps.check()
            index = [0] * len(axes)
            for number, step in zip(order, place, strict=True):
                index[number] = int(step)
            yield _checked(page(tuple(index)), gray, first.shape)
            steps.advance()

    shape = (*sizes, *first.shape)
    described = [axes[number] for number in order]
    options = _options(path, shape, first.dtype, described, calibration, record)
    with atomic_path(path) as temporary:
        tifffile.imwrite(temporary, pages(), shape=shape, dtype=first.dtype, photometric="minisblack", **options)


def time_unit(unit: str) -> str | None:
    """Return the short spelling of a unit of time ("s" for "second"), or None for other units."""
    short = _SHORT_TIME.get(unit, unit)
    return short if short in _SECONDS else None


def _checked(pixels: Any, gray: bool, shape: tuple[int, ...] | None) -> NDArray[Any]:
    plane: NDArray[Any] = np.asarray(pixels) if gray else as_alpha(pixels)
    if plane.ndim != 2 or (shape is not None and plane.shape != shape) or (gray and plane.dtype != np.uint8):
        raise InputError(
            f"A page of the stack is {plane.dtype} of shape {plane.shape}, but {'uint8' if gray else 'a matte'} of "
            f"shape {shape or '(H, W)'} is expected: give all pages the same size."
        )
    return plane


def _axes_record(axes: Sequence[StackAxis]) -> dict[str, Any]:
    """Return what is known of the axes as JSON types, in the file's order."""
    ordered = sorted(axes, key=lambda axis: _ORDER.index(axis.letter))
    return {
        "axes": [
            {
                "axis": axis.letter,
                "step": axis.step,
                "unit": axis.unit,
                **({"names": [*axis.names]} if axis.names else {}),
            }
            for axis in ordered
        ]
    }


def _options(
    path: str | os.PathLike[str],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: Sequence[StackAxis],
    calibration: Calibration,
    record: dict[str, Any],
) -> dict[str, Any]:
    letters = "".join(axis.letter for axis in axes) + "YX"
    # Trimaps shrink to a hundredth; mattes stay as ImageJ maps them.
    compression = {"compression": "zlib"} if dtype == np.uint8 else {}
    size = math.prod(shape) * dtype.itemsize
    if tiff.is_ome(path):
        description = tiff.ome_description(letters, calibration, record)
        for axis in axes:
            description |= _ome_axis(axis)
        return {"ome": True, "compression": "zlib", "metadata": description, "bigtiff": size >= tiff.LARGE_BYTES}
    resolution = tiff.resolution_of(calibration)
    if size >= tiff.LARGE_BYTES:
        return {"bigtiff": True, "metadata": {"axes": letters, "lsa_matting": record}, **compression, **resolution}
    description = {"axes": letters, **tiff.imagej_description(calibration, record)}
    if dtype == np.float32:
        description |= {"min": 0.0, "max": 1.0}
    for axis in axes:
        description |= _imagej_axis(axis, calibration.unit)
    if len(axes) == 1 and axes[0].names:
        description["Labels"] = list(axes[0].names)
    return {"imagej": True, "metadata": description, **compression, **resolution}


def _imagej_axis(axis: StackAxis, unit: str | None) -> dict[str, Any]:
    if axis.step is None or axis.unit is None:
        return {}
    seconds = time_unit(axis.unit)
    if axis.letter == "T" and seconds is not None:
        return {"finterval": axis.step * _SECONDS[seconds]}
    own = short_unit(axis.unit)
    if axis.letter == "Z" and own in LENGTHS and unit in LENGTHS:
        # ImageJ knows one unit for all axes of space.
        return {"spacing": axis.step if own == unit else axis.step * LENGTHS[own] / LENGTHS[unit]}
    return {}


def _ome_axis(axis: StackAxis) -> dict[str, Any]:
    if axis.letter == "C" and axis.names:
        return {"Channel": {"Name": list(axis.names)}}
    if axis.step is None or axis.unit is None:
        return {}
    seconds = time_unit(axis.unit)
    if axis.letter == "T" and seconds is not None:
        return {"TimeIncrement": axis.step, "TimeIncrementUnit": "µs" if seconds == "us" else seconds}
    if axis.letter == "Z" and short_unit(axis.unit) in LENGTHS:
        return {"PhysicalSizeZ": axis.step, "PhysicalSizeZUnit": tiff.ome_unit(axis.unit)}
    return {}
