"""napari layers ⇄ engine arrays: the plane that is seen, its values and their range, and calibration carried over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from inspect import unwrap
from itertools import product
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from napari_lsa_matting.placing import put_in_place

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from lsa_engine.channels import Merging
    from napari_lsa_matting.channels import Channels

METADATA_KEY = "lsa_matting"
"""Where a layer's metadata says how it was made."""

Index = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class LazyPlane:
    """A part of data that are no array in memory (dask, zarr, HDF5): numpy reads it, which is work for a worker.

    Indexing alone would read what zarr and HDF5 keep.

    Attributes
    ----------
    data : array_like
        All of the data.
    index : tuple of int or slice
        Which part, on the first axes.
    """

    data: Any
    index: tuple[int | slice, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the part's axes."""
        steps = zip(self.index, self.data.shape, strict=False)
        sliced = [len(range(*step.indices(length))) for step, length in steps if isinstance(step, slice)]
        return (*sliced, *map(int, self.data.shape[len(self.index) :]))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its values."""
        return np.dtype(self.data.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read it."""
        return np.array(self.data[self.index] if self.index else self.data, dtype, copy=copy)


def plane_at(data: Any, index: tuple[int | slice, ...]) -> Any:
    """Return a part of a layer's data as it is, not a copy; a :class:`LazyPlane` of what is no array in memory."""
    if not isinstance(data, np.ndarray):
        return LazyPlane(data, index)
    return data[index] if index else data


@dataclass(frozen=True, eq=False)
class ImagePlane:
    """The plane of an Image layer that is seen, taken when a run is asked for.

    Attributes
    ----------
    pixels : array_like
        (H, W), (H, W, 3 or 4) for RGB layers, or (C, H, W) where channels are to be merged; may be a
        :class:`LazyPlane`: only a worker should turn it into an array.
    data_range : (float, float) or None
        Values that mean black and white; None leaves it to the type.
    name : str
        The layer's name.
    channels : Channels or None
        How it was made of an image's channels.
    """

    pixels: Any
    data_range: tuple[float, float] | None
    name: str
    channels: Channels | None = None

    def colours(self) -> NDArray[Any]:
        """Return the pixels (H, W) or (H, W, 3) in memory, without an alpha channel, and channels merged."""
        array = np.asarray(self.pixels)
        if self.merging is not None:
            from lsa_engine.channels import merge_channels

            return merge_channels(array, self.merging)
        return array[..., :3] if array.ndim == 3 else array

    def differs(self, sha256: str) -> bool:
        """Return whether the colours are no longer those of a :func:`fingerprint`: work for a worker thread.

        What is lazy is not read again.
        """
        return not isinstance(self.pixels, LazyPlane) and fingerprint(self.colours()) != sha256

    @property
    def merging(self) -> Merging | None:
        """How the channels in `pixels` are to be merged; None where it holds one picture."""
        use = None if self.channels is None else self.channels.use
        return cast("Merging", use) if isinstance(use, str) else None

    def record(self) -> dict[str, Any]:
        """Return how its values are to be understood, as plain values for a layer's metadata."""
        channels = {} if self.channels is None else {"channels": self.channels.record()}
        return {"data_range": self.data_range and list(self.data_range), **channels}


def plane_index(layer: Layer, viewer: ViewerModel) -> Index:
    """Return where the viewer stands on the axes before the last two of a layer: () for a two-dimensional one.

    Raises
    ------
    InputError
        If no plane of the last two axes is seen, or the viewer stands outside of the layer.
    """
    if layer.ndim < 2:
        raise InputError(f"Layer {layer.name!r} has {layer.ndim} axis, but a picture needs two: choose another layer.")
    if viewer.dims.ndisplay != 2:
        raise InputError(
            "The viewer shows three dimensions, but one plane is needed: switch it back to two dimensions."
        )
    last = (viewer.dims.ndim - 2, viewer.dims.ndim - 1)
    if tuple(sorted(viewer.dims.displayed)) != last:
        raise InputError(
            f"The viewer shows the axes {tuple(viewer.dims.displayed)}, but a plane of the last two is needed: "
            "roll the axes back."
        )
    return index_at(layer, viewer.dims.point, 2)


def volume_index(layer: Layer, viewer: ViewerModel) -> Index:
    """Return where the viewer stands on the axes before the last three of a layer: () if it has no more.

    Raises
    ------
    InputError
        If the viewer stands outside of the layer.
    """
    return index_at(layer, viewer.dims.point, 3)


def index_at(layer: Layer, point: Sequence[float], axes: int) -> Index:
    """Return where a point of the world stands on the axes before the last few of a layer.

    Raises
    ------
    InputError
        If that is outside of the layer.
    """
    position = np.asarray(layer.world_to_data(point))[:-axes]
    index = np.rint(position).astype(int)
    if ((index < 0) | (index >= spatial_shape(layer)[:-axes])).any():
        raise InputError(
            f"Layer {layer.name!r} has nothing at the slice that is seen: move the slider to one that it covers."
        )
    return tuple(int(step) for step in index)


def spatial_shape(layer: Layer) -> tuple[int, ...]:
    """Return the lengths of a layer's axes, without the colours of an RGB layer."""
    shape = full_data(layer).shape
    return tuple(int(length) for length in (shape[:-1] if getattr(layer, "rgb", False) else shape))


def plane_grid(layer: Layer) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Return the lengths of a layer's axes before the last two, and height and width of its planes."""
    spatial = spatial_shape(layer)
    return spatial[:-2], (spatial[-2], spatial[-1])


def full_data(layer: Layer) -> Any:
    """Return a layer's data, in its finest level if it has several."""
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


def image_plane(layer: Image, index: Index, channels: Channels | None = None) -> ImagePlane:
    """Return one plane of an Image layer; with `channels`, `index` is without their axis.

    The contrast limits of a layer with one channel give its range, so that the engine sees what the user sees; RGB
    layers, on which napari has no contrast limits, go by their type.
    """
    place = index if channels is None else channels.at(index)
    return ImagePlane(plane_at(full_data(layer), place), values_range(layer), layer.name, channels)


def values_range(layer: Image) -> tuple[float, float] | None:
    """Return the values of an Image layer that mean black and white; None leaves it to the type."""
    if layer.rgb or np.dtype(layer.dtype).kind == "b":
        return None
    low, high = layer.contrast_limits
    return float(low), float(high)


def image_notes(layer: Image) -> list[str]:
    """Return what a user should know about how an Image layer is read."""
    if layer.rgb and full_data(layer).shape[-1] == 4:
        return [f"The alpha channel of {layer.name!r} is ignored."]
    return []


def calibration(layer: Layer, index: Index = (), channels: Channels | None = None) -> dict[str, Any]:
    """Return the settings that put a new layer on the pixels of another one.

    Parameters
    ----------
    layer : napari.layers.Layer
        The layer to lie on.
    index : tuple of int
        Empty for a layer with all planes. For a plane of a stack, where it stands: the new layer has length 1 along the
        axes before the last two.
    channels : Channels, optional
        The layer's, of which `index` is without the axis: the new layer lies on all of them.

    Returns
    -------
    dict
        scale, translate, rotate, shear, affine, units, axis_labels.
    """
    translate = np.asarray(layer.translate, dtype=float)
    count = 1 if channels is None else spatial_shape(layer)[channels.axis]
    place = index if channels is None else channels.corner(index or (0,) * (layer.ndim - 3), count)
    if any(place):
        corner = np.zeros(layer.ndim)
        corner[: len(place)] = place
        shift = np.asarray(layer.data_to_world(corner)) - np.asarray(layer.data_to_world(np.zeros(layer.ndim)))
        # The layer's affine is applied after translate, so the shift is taken back through it.
        translate = translate + np.linalg.solve(np.asarray(layer.affine.linear_matrix), shift)
    settings = {
        "scale": np.asarray(layer.scale),
        "translate": translate,
        "rotate": np.asarray(layer.rotate),
        "shear": np.asarray(layer.shear),
        "affine": np.asarray(layer.affine.affine_matrix),
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }
    return settings if channels is None else channels.calibrated(settings, count)


def same_place(first: Layer, first_index: Index, second: Layer, second_index: Index) -> bool:
    """Return whether planes, or volumes, of two layers with the same number of pixels lie on each other.

    Their corners may be apart by a tenth of a pixel. The axes that an index leaves over are compared, lengths in
    different units by what they are.
    """
    shape = spatial_shape(first)[len(first_index) :]
    axes = len(shape)
    ratios = [_ratio(second.units[axis], first.units[axis]) for axis in range(-axes, 0)]
    pixel = float(np.min(np.abs(np.asarray(first.scale)[-axes:])))
    for corner in product(*((0, length - 1) for length in shape)):
        here = np.asarray(first.data_to_world((*first_index, *corner)))
        there = np.asarray(second.data_to_world((*second_index, *corner)))
        if np.abs(here[-axes:] - there[-axes:] * ratios).max() > 0.1 * pixel:
            return False
    return True


def _ratio(unit: Any, to: Any) -> float:
    """Return how many of one unit another is; 1 where nobody knows, as for micrometres beside pixels."""
    if unit.dimensionality != to.dimensionality:
        return 1.0
    return float((1 * unit).to(to).magnitude)


def pixel_spacing(layer: Layer) -> tuple[tuple[float, float], str]:
    """Return height and width of a pixel, and their unit's short name ("px" without calibration)."""
    height, width = (abs(float(size)) for size in layer.scale[-2:])
    return (height, width), unit_name(layer.units[-1])


def unit_name(unit: object) -> str:
    """Return the usual short name of a unit, "px" for pixels."""
    name = f"{unit:~}" if hasattr(unit, "dimensionality") else str(unit)
    return {"pixel": "px", "um": "µm", "micrometer": "µm"}.get(name, name)


def fingerprint(array: NDArray[Any]) -> str:
    """Return the SHA-256 of an array's values, in rows from top to bottom: work for a worker thread."""
    return sha256(np.ascontiguousarray(array).data).hexdigest()


def with_provenance(metadata: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
    """Return a layer's metadata with a record of how the layer was made."""
    return {**metadata, METADATA_KEY: facts}


def made_as(layer: Layer) -> str | None:
    """Return what this plugin made a layer as ("alpha", "trimap", "foreground", "cut-out", …), or None."""
    record = layer.metadata.get(METADATA_KEY)
    return record.get("kind") if isinstance(record, Mapping) else None


def is_picture(layer: Layer) -> bool:
    """Return whether a layer can be an image to matte: an Image layer that no run has made."""
    return isinstance(layer, Image) and made_as(layer) is None


def is_matte(layer: Layer) -> bool:
    """Return whether a layer can be an alpha: an Image layer with one channel."""
    return isinstance(layer, Image) and not layer.rgb


def is_labels(layer: Layer) -> bool:
    """Return whether a layer is a Labels layer."""
    return isinstance(layer, Labels)


def is_trimap(layer: Layer) -> bool:
    """Return whether a layer was made as a trimap."""
    return made_as(layer) == "trimap"


def add_output(
    viewer: ViewerModel,
    data: NDArray[Any],
    source: Image,
    index: Index,
    *,
    name: str,
    facts: Mapping[str, Any],
    on_top: bool = False,
    above: Layer | None = None,
    channels: Channels | None = None,
    **settings: Any,
) -> Image:
    """Add an Image layer with a result for one plane, right above the layer it was made from, or on top of all.

    The selection stays as it was, so that painting can go on.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where to add it.
    data : array (H, W) or (H, W, C)
        The result; C channels if ``settings["rgb"]``.
    source : napari.layers.Image
        The layer that it lies on.
    index : tuple of int
        The plane of `source`.
    name : str
        Name of the new layer.
    facts : mapping
        How it was made, for the metadata.
    on_top : bool
        Whether it lies above all other layers.
    above : napari.layers.Layer, optional
        The layer right above which it lies; `source` by default.
    channels : Channels, optional
        Those of `source`, of which `index` is without the axis: the new layer lies on all of them.
    **settings
        Other settings of the layer.
    """
    active = viewer.layers.selection.active
    settings = {"rgb": False, **settings}
    layer = viewer.add_image(
        as_layer_data(data, index, channels),
        name=name,
        metadata=with_provenance({}, **facts),
        **calibration(source, index, channels),
        **settings,
    )
    if not on_top:
        viewer.layers.move(viewer.layers.index(layer), viewer.layers.index(source if above is None else above) + 1)
    if active is not None:
        viewer.layers.selection.active = active
    return unwrap(layer)


def update_output(
    layer: Image,
    data: NDArray[Any],
    source: Image,
    index: Index,
    facts: Mapping[str, Any],
    channels: Channels | None = None,
) -> None:
    """Give a layer of an earlier run the new result, in its source's place; its name and looks stay as they are."""
    layer.data = as_layer_data(data, index, channels)
    put_in_place(layer, calibration(source, index, channels))
    layer.metadata = with_provenance(layer.metadata, **facts)


def as_layer_data(data: NDArray[Any], index: Index, channels: Channels | None) -> NDArray[Any]:
    """Return a result at an index, or on all planes, as it lies in a layer with the :func:`calibration` for it."""
    data = data[(np.newaxis,) * len(index)]
    return data if channels is None else np.asarray(channels.on_layer(data))
