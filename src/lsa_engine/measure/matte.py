"""Measure mattes: one matte, every labelled object of one, or one matte for each object."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lsa_engine.arrays import require_finite, to_numpy, to_unit_range
from lsa_engine.errors import InputError
from lsa_engine.image_io.calibration import short_unit
from lsa_engine.measure.intensity import ChannelStatistics, channel_statistics
from lsa_engine.measure.outline import LEVEL, outline_length
from lsa_engine.measure.shape import Moments, moments, transition_size
from lsa_engine.progress import CancelToken, ProgressCallback, Steps

AXES = {2: "yx", 3: "zyx"}
"""Names of the axes of a picture and of a volume."""

_UNIT = re.compile(r"[^\W\d_]+")

_Name = int | str
_Alpha = NDArray[np.float32]


@dataclass(frozen=True)
class Measurement:
    """What was measured of one object; lengths are in `unit`, and what is undefined is NaN.

    Of a volume, areas are volumes (unit³) and the outline is a surface (unit²).

    Attributes
    ----------
    object : int or str
        The label, or the name or number (from 1) of the object's matte.
    unit : str
        Unit of length.
    soft_area : float
        Σ α times the area of a pixel, unit².
    hard_area : float
        Area of the pixels with α ≥ 0.5, unit².
    mean_opacity : float
        Mean of α over the pixels with α > 0; NaN without such pixels.
    partial_pixels : int
        Number of pixels with 0 < α < 1.
    outline_length : float
        Length of the line α = 0.5, unit; 0 where there is none. The picture's frame is no part of it.
    transition_width : float
        Width of the transition from α = 0 to α = 1: 6 Σ α (1 − α) times the area of a pixel, over the outline's length,
        unit. A linear ramp of width w has w, and an edge that is sharp but antialiased has about one pixel. NaN without
        an outline.
    band_width : float
        Area of the pixels with 0 < α < 1 over the outline's length, unit; NaN without an outline. Unlike
        `transition_width`, it counts the faintest haze in full.
    centroid : tuple of float
        Mean position weighted by α, (y, x) or (z, y, x), unit; the origin is the centre of the first pixel.
    covariance : tuple of tuple of float
        Second central moments weighted by α, unit², in the order of the axes; pixels count as points at their centres.
    axis_lengths : tuple of float
        Full axes of the ellipse, or ellipsoid, of constant density with this covariance, the longest first, unit.
    major_axis : tuple of float
        Unit vector along the longest axis, in the order of the axes; its first component that is not 0 is positive.
        NaN if the two longest axes are equal.
    eccentricity : float
        √(1 − (shortest / longest axis)²), in [0, 1]; 0 for a single pixel.
    channels : tuple of ChannelStatistics
        Intensities of every channel of the image.
    """

    object: _Name
    unit: str
    soft_area: float
    hard_area: float
    mean_opacity: float
    partial_pixels: int
    outline_length: float
    transition_width: float
    band_width: float
    centroid: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    axis_lengths: tuple[float, ...]
    major_axis: tuple[float, ...]
    eccentricity: float
    channels: tuple[ChannelStatistics, ...] = ()

    @property
    def orientation(self) -> float:
        """Angle from the first axis (rows, downwards) to the major axis, towards positive x, in (−π/2, π/2].

        As in :func:`skimage.measure.regionprops`; NaN for volumes and where the axes are equal.
        """
        if len(self.major_axis) != 2:
            return math.nan
        return math.atan2(self.major_axis[1], self.major_axis[0])


@dataclass(frozen=True)
class _Object:
    """One object's matte, cut out of the picture with a margin of one pixel where there is room."""

    name: _Name
    alpha: _Alpha
    box: tuple[slice, ...]


def measure_matte(
    alpha: Any,
    image: Any = None,
    *,
    labels: Any = None,
    spacing: float | Sequence[float] = (1.0, 1.0),
    unit: str = "pixel",
    channel_names: Sequence[str] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> list[Measurement]:
    """Measure areas, shape, transition and intensities of a matte, or of every object in it.

    Parameters
    ----------
    alpha : array_like, or a sequence or mapping of them
        Opacity (H, W), or (Z, H, W) of a volume: floats in [0, 1] or unsigned integers, which are scaled by the range
        of their type. A list or tuple of mattes holds one for each object, a mapping their names as well.
    image : array_like, optional
        (H, W) or (H, W, C), of a volume (Z, H, W) or (Z, H, W, C), any real numbers; they are measured as they are.
    labels : array_like of int, optional
        Of the shape of `alpha`, 0 for none: every other label is an object, whose matte is `alpha` where the label is
        and 0 elsewhere.
    spacing : float or sequence of float
        Height and width of a pixel in `unit`; depth, height and width for a volume. One number stands for both of a
        picture.
    unit : str
        Unit of length, letters only; "µm", "micrometer" and the like become "um".
    channel_names : sequence of str, optional
        By default "intensity" for one channel, else "channel_0", "channel_1", …
    progress, cancel : optional
        Called and checked after every object.

    Returns
    -------
    list of Measurement
        One a label in rising order, one a matte in the order given, or one in all. An object without opacity has
        area 0, and NaN for what is undefined.

    Raises
    ------
    InputError
        If shapes, types or values do not fit, or labels mark nothing.
    Cancelled
        If `cancel` was set.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.tile(np.clip((np.arange(40) - 10) / 8, 0, 1), (20, 1))
    >>> found = measure_matte(ramp, spacing=(0.5, 0.5), unit="um")[0]
    >>> found.soft_area, found.hard_area, round(found.transition_width, 2)
    (127.5, 130.0, 3.94)
    """
    mattes = _as_mattes(alpha)
    shape = next(iter(mattes.values())).shape
    steps = _as_spacing(spacing, shape)
    length_unit = _as_unit(unit)
    if labels is not None and not _is_array(alpha):
        raise InputError(
            f"{len(mattes)} mattes and labels were given together, but only one of them can tell objects apart: "
            "pass one matte with labels, or leave the labels away."
        )
    regions = None if labels is None else _as_labels(labels, shape)
    pixels = None if image is None else _as_channels(image, shape)
    names = _as_names(channel_names, pixels)
    count = len(mattes) if regions is None else len(regions[0])
    report = Steps("measuring", count, progress, cancel)
    measurements = []
    for item in _whole(mattes) if regions is None else _labelled(mattes[1], *regions):
        measurements.append(_measure(item, pixels, steps, length_unit, names))
        report.advance()
    return measurements


def _measure(
    item: _Object, pixels: NDArray[Any] | None, spacing: tuple[float, ...], unit: str, names: Sequence[str]
) -> Measurement:
    alpha = item.alpha
    size = math.prod(spacing)
    seen = alpha > 0
    visible = int(np.count_nonzero(seen))
    partial = visible - int(np.count_nonzero(alpha == 1))
    total = float(alpha.sum(dtype=np.float64))
    outline = outline_length(alpha, spacing)
    origin = tuple(side.start for side in item.box)
    shape = moments(alpha, spacing, origin) if visible else Moments.undefined(alpha.ndim)
    channels: tuple[ChannelStatistics, ...] = ()
    if pixels is not None:
        values = pixels[item.box][seen]
        if values.size:
            require_finite(values, f"image under object {item.name!r}")
        channels = channel_statistics(values, alpha[seen].astype(np.float64), names)
    return Measurement(
        object=item.name,
        unit=unit,
        soft_area=total * size,
        hard_area=int(np.count_nonzero(alpha >= LEVEL)) * size,
        mean_opacity=total / visible if visible else math.nan,
        partial_pixels=partial,
        outline_length=outline,
        transition_width=transition_size(alpha) * size / outline if outline > 0 else math.nan,
        band_width=partial * size / outline if outline > 0 else math.nan,
        centroid=shape.centroid,
        covariance=shape.covariance,
        axis_lengths=shape.axis_lengths,
        major_axis=shape.major_axis,
        eccentricity=shape.eccentricity,
        channels=channels,
    )


def _whole(mattes: Mapping[_Name, _Alpha]) -> Iterator[_Object]:
    for name, alpha in mattes.items():
        seen = ndimage.find_objects((alpha > 0).astype(np.int8))
        box = _with_margin(seen[0], alpha.shape) if seen else tuple(slice(0, 1) for _ in alpha.shape)
        yield _Object(name, alpha[box], box)


def _labelled(alpha: _Alpha, values: list[int], regions: NDArray[np.int64]) -> Iterator[_Object]:
    for number, (value, found) in enumerate(zip(values, ndimage.find_objects(regions), strict=True), start=1):
        box = _with_margin(found, alpha.shape)
        yield _Object(value, np.where(regions[box] == number, alpha[box], np.float32(0)), box)


def _with_margin(box: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(max(0, side.start - 1), min(size, side.stop + 1)) for side, size in zip(box, shape, strict=True))


def _is_array(alpha: Any) -> bool:
    """Whether `alpha` is one matte: an array, or nested lists of numbers, and not several of them."""
    if isinstance(alpha, Mapping):
        return False
    return not (isinstance(alpha, (list, tuple)) and all(getattr(item, "ndim", 0) >= 2 for item in alpha))


def _as_mattes(alpha: Any) -> dict[_Name, _Alpha]:
    """The door for mattes: one, or several of the same shape by name."""
    if _is_array(alpha):
        return {1: _as_matte(alpha, "alpha")}
    given = dict(alpha) if isinstance(alpha, Mapping) else dict(enumerate(alpha, start=1))
    if not given:
        raise InputError("No mattes were given, but at least one is needed: pass one array for each object.")
    for name in given:
        if not isinstance(name, (int, str)):
            raise InputError(
                f"A matte is named {name!r}, but a string or a whole number is expected: "
                "use the object's name as the key."
            )
    mattes = {name: _as_matte(item, f"alpha of object {name!r}") for name, item in given.items()}
    shapes = {matte.shape for matte in mattes.values()}
    if len(shapes) > 1:
        raise InputError(
            f"The mattes have the shapes {', '.join(map(str, sorted(shapes)))}, but they must cover the same pixels: "
            "pad them to the size of the picture."
        )
    return mattes


def _as_matte(alpha: Any, name: str) -> _Alpha:
    array = to_numpy(alpha, name)
    if array.ndim not in AXES:
        raise InputError(
            f"The {name} has {array.ndim} axes, its shape is {array.shape}, but (H, W) or (Z, H, W) is expected: "
            "choose one channel and one frame."
        )
    if array.size == 0:
        raise InputError(f"The {name} is empty, its shape is {array.shape}: pass one with at least one pixel.")
    return to_unit_range(array, None, name)


def _as_spacing(spacing: float | Sequence[float], shape: tuple[int, ...]) -> tuple[float, ...]:
    try:
        sizes = np.asarray(spacing, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The spacing is {spacing!r}, but the size of a pixel along every axis is expected: pass positive numbers."
        ) from error
    if sizes.ndim == 0 and len(shape) == 2:
        sizes = np.repeat(sizes, 2)
    # One number must not do for a volume: three axes may as well be a cut-out's, or those of several mattes.
    if sizes.shape != (len(shape),):
        wanted = "(height, width)" if len(shape) == 2 else "(depth, height, width)"
        others = "" if len(shape) == 2 else ", or alpha[..., 3] of a cut-out, or list(alpha) of several objects' mattes"
        raise InputError(
            f"The spacing is {spacing!r} and alpha has shape {shape}, but one number for each of its {len(shape)} axes "
            f"is expected: pass spacing={wanted}{others}."
        )
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise InputError(
            f"The spacing is {spacing!r}, but finite numbers above 0 are expected: pass the size of a pixel."
        )
    return tuple(map(float, sizes))


def _as_unit(unit: str) -> str:
    if not isinstance(unit, str) or not _UNIT.fullmatch(unit):
        raise InputError(
            f"The unit is {unit!r}, but a unit of length in letters is expected: "
            "pass 'um', 'mm' or 'pixel', for example."
        )
    return short_unit(unit)


def _as_labels(labels: Any, shape: tuple[int, ...]) -> tuple[list[int], NDArray[np.int64]]:
    """Return the labels that there are, and an array in which they are numbered from 1."""
    array = to_numpy(labels, "labels array")
    if array.dtype.kind not in "bui":
        raise InputError(
            f"The labels are of type {array.dtype}, but whole numbers are expected: "
            "convert them with labels.astype(int)."
        )
    if array.shape != shape:
        raise InputError(
            f"The labels have shape {array.shape} and alpha {shape}, but they must cover the same pixels: "
            "resize or crop them first."
        )
    values = np.unique(array)
    if values[0] < 0:
        raise InputError(
            f"The labels go down to {values[0]}, but 0 for none and positive numbers for objects are expected: "
            "number the objects from 1."
        )
    objects = [int(value) for value in values if value > 0]
    if not objects:
        raise InputError("The labels are 0 everywhere, so they mark no object: mark some, or leave the labels away.")
    return objects, _numbered(array, values if values[0] == 0 else np.insert(values, 0, 0))


def _numbered(labels: NDArray[Any], values: NDArray[Any]) -> NDArray[np.int64]:
    """Return where each label stands among the sorted values; several times faster than ``unique`` with its inverse."""
    highest = int(values[-1])
    if highest > labels.size:
        return np.searchsorted(values, labels).astype(np.int64, copy=False)
    numbers = np.zeros(highest + 1, np.int64)
    numbers[values.astype(np.intp)] = np.arange(values.size)
    return numbers[labels.astype(np.intp, copy=False)]


def _as_channels(image: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the image as (H, W, C) or (Z, H, W, C), its values untouched."""
    array = to_numpy(image, "image")
    if array.shape == shape:
        return array[..., None]
    if array.shape[:-1] != shape or array.shape[-1] == 0:
        advice = "move its channels to the end: numpy.moveaxis(image, 0, -1)"
        if array.shape[1:] != shape:
            advice = "resize or crop it first"
        raise InputError(
            f"The image has shape {array.shape} and alpha {shape}, but the same pixels are expected, with or without "
            f"an axis of channels behind them: {advice}."
        )
    return array


def _as_names(names: Sequence[str] | None, pixels: NDArray[Any] | None) -> list[str]:
    if pixels is None:
        if names is not None:
            raise InputError("Names of channels were given without an image: pass the image, or leave the names away.")
        return []
    count = pixels.shape[-1]
    if names is None:
        return ["intensity"] if count == 1 else [f"channel_{index}" for index in range(count)]
    given = [names] if isinstance(names, str) else list(names)
    usable = all(isinstance(name, str) and name.strip() for name in given)
    if len(given) != count or len(set(given)) != count or not usable:
        raise InputError(
            f"The names of the channels are {names!r}, but the image has {count}: pass {count} different names."
        )
    return given
