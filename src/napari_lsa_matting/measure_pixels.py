"""The pixels that are measured: parts of layers, which a worker reads, and the channels of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_lsa_matting.layers import Index, full_data, plane_at, spatial_shape

if TYPE_CHECKING:
    from napari.layers import Image, Labels

CHANNEL_LABELS = ("c", "ch", "channel", "channels")
"""Labels of axes that hold channels, in small letters."""

_COLOURS = ("red", "green", "blue")


def channel_axes(image: Image | None, axes: int, frames_from_end: int = 0) -> list[tuple[str, int]]:
    """Return the axes of an image that may hold channels, each with its name for a person.

    Parameters
    ----------
    image : napari.layers.Image or None
        The image.
    axes : {2, 3}
        So many last axes are measured.
    frames_from_end : int
        The axis along which frames are measured, counted from the end; 0 for none. It holds no channels.
    """
    if image is None or image.rgb:
        return []
    lengths = enumerate(spatial_shape(image)[:-axes])
    offered = [(axis, length) for axis, length in lengths if length > 1 and image.ndim - axis != frames_from_end]
    return [(f"all {length} of {_axis_name(image, axis)}", axis) for axis, length in offered]


def likely_channel_axis(image: Image | None, axes: int, frames_from_end: int = 0) -> int | None:
    """Return the axis whose label says that it holds channels, or None."""
    for _, axis in channel_axes(image, axes, frames_from_end):
        if image is not None and str(image.axis_labels[axis]).lower() in CHANNEL_LABELS:
            return axis
    return None


def _axis_name(image: Image, axis: int) -> str:
    label = str(image.axis_labels[axis])
    # napari's own labels are "-3", "-2", "-1".
    return f"axis {axis}" if label.lstrip("-").isdigit() else f"axis {label!r}"


@dataclass(frozen=True, eq=False)
class Pixels:
    """A part of a layer's data, which may be lazy (dask, zarr): only a worker should read it.

    Attributes
    ----------
    data : array_like
        All of the data.
    index : tuple of int or slice
        Which part, on the first axes.
    """

    data: Any
    index: tuple[int | slice, ...] = ()

    @property
    def drops_alpha(self) -> bool:
        """Whether the colours are read without the alpha channel that is there."""
        return False

    def read(self) -> NDArray[Any]:
        """Return the part in memory."""
        return np.asarray(plane_at(self.data, self.index))


@dataclass(frozen=True, eq=False)
class ImagePixels(Pixels):
    """What is measured of an Image layer under the matte.

    Attributes
    ----------
    names : tuple of str
        One for each channel.
    layout : {"plain", "first", "last"}
        No channels, channels along the first axis that is read, or along the last (the colours of an RGB layer).
    """

    names: tuple[str, ...] = ("intensity",)
    layout: str = "plain"

    @property
    def drops_alpha(self) -> bool:
        """Whether the colours are read without the alpha channel that is there."""
        return self.layout == "last" and int(self.data.shape[-1]) == 4

    def read(self) -> NDArray[Any]:
        """Return the pixels, with channels last if there are any."""
        array = super().read()
        if self.layout == "first":
            return np.moveaxis(array, 0, -1)
        return array[..., : len(self.names)] if self.layout == "last" else array


def image_pixels(image: Image, index: Index, channel_axis: int | None) -> ImagePixels:
    """Return what is measured of an image: the colours of RGB, all channels along an axis, or the layer's one."""
    data = full_data(image)
    if image.rgb:
        return ImagePixels(data, index, _COLOURS, "last")
    if channel_axis is None:
        return ImagePixels(data, index, (image.name.strip() or "intensity",))
    part = tuple(slice(None) if axis == channel_axis else step for axis, step in enumerate(index))
    names = tuple(f"channel_{number}" for number in range(data.shape[channel_axis]))
    return ImagePixels(data, part, names, "first")


def is_blank(labels: Labels, index: Index) -> bool:
    """Return whether a plane has no labels, as far as can be told at once: lazy data are not looked at."""
    data = full_data(labels)
    return isinstance(data, np.ndarray) and not data[index].any()
