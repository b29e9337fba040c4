"""What is measured: the plane or volume seen of an alpha with its image and labels, and the work done in a worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.versions import versions
from napari_lsa_matting.checks import match_planes
from napari_lsa_matting.layers import Index, fingerprint, full_data, plane_index, spatial_shape, unit_name, volume_index
from napari_lsa_matting.matte_request import ImageChangedError
from napari_lsa_matting.object_layers import OBJECT_AXIS
from napari_lsa_matting.stack_frames import is_time

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer

    from lsa_engine.measure import Measurement

_CHANNEL_LABELS = ("c", "ch", "channel", "channels")
_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class Region:
    """Where an alpha is measured, and with which pixels.

    Attributes
    ----------
    axes : {2, 3}
        A plane or a volume.
    index, image_index, labels_index : tuple of int
        Where it stands in each of the layers, on the axes before it.
    spacing : tuple of float
        Size of a pixel along each axis of the region.
    unit : str
        Unit of `spacing`, "pixel" without calibration.
    """

    axes: int
    index: Index
    image_index: Index
    labels_index: Index
    spacing: tuple[float, ...]
    unit: str

    def describe(self, alpha: Layer) -> str:
        """Say for a person what is measured."""
        size = " × ".join(f"{length:.4g}" for length in self.spacing)
        pixel = "pixels" if self.axes == 2 else "voxels"
        # Where there is no choice, a number would only puzzle.
        stack = any(length > 1 for length in spatial_shape(alpha)[: -self.axes])
        part = "plane" if self.axes == 2 else "volume"
        where = f"{part} {', '.join(map(str, self.index))} of " if stack else "the volume " * (self.axes == 3)
        return f"Measures {where}{alpha.name!r} in {pixel} of {size} {unit_name(self.unit)}."


def find_region(viewer: ViewerModel, alpha: Image, image: Image | None, labels: Labels | None, axes: int) -> Region:
    """Return what is to be measured.

    Raises
    ------
    InputError
        If nothing can be measured: the layers do not lie on each other, nothing is seen, the units differ.
    """
    indices: list[Index] = []
    for other in (image, labels):
        if other is None:
            indices.append(())
            continue
        if other is alpha:
            raise InputError(f"{alpha.name!r} is chosen as alpha and as image: choose another image, or none.")
        pair = match_planes(viewer, alpha, other, axes)
        if pair.problem is not None:
            raise InputError(pair.problem)
        indices.append(pair.second)
    if np.dtype(alpha.dtype).kind == "i":
        raise InputError(
            f"{alpha.name!r} holds signed integers ({alpha.dtype}), but an alpha in [0, 1] or unsigned integers are "
            "expected: convert it to uint8 or uint16, or choose another layer."
        )
    index = plane_index(alpha, viewer) if axes == 2 else volume_index(alpha, viewer)
    spacing, unit = pixel_size(alpha, axes)
    return Region(axes, index, indices[0], indices[1], spacing, unit)


def has_volume(alpha: Layer | None) -> bool:
    """Return whether a layer can be measured as a volume: it has more than one plane along a third axis of space."""
    if alpha is None or len(spatial_shape(alpha)) < 3 or spatial_shape(alpha)[-3] == 1:
        return False
    return is_space(alpha, alpha.ndim - 3)


def is_space(layer: Layer, axis: int) -> bool:
    """Return whether an axis may be one of space: neither its label nor its unit tells anything else."""
    label = str(layer.axis_labels[axis]).lower()
    others = label == OBJECT_AXIS or label in _CHANNEL_LABELS or is_time(layer, axis)
    return not others and not has_time_unit(layer, axis)


def has_time_unit(layer: Layer, axis: int) -> bool:
    """Return whether an axis is measured in seconds or the like."""
    return dict(getattr(layer.units[axis], "dimensionality", {})) == {"[time]": 1}


def pixel_size(layer: Layer, axes: int) -> tuple[tuple[float, ...], str]:
    """Return the size of a pixel along the last axes of a layer, and its unit ("pixel" without calibration).

    Raises
    ------
    InputError
        If the axes have different units.
    """
    units = [unit_name(unit) for unit in layer.units[-axes:]]
    if len(set(units)) > 1:
        advice = "give them the same" if axes == 2 else "give them the same, or measure the plane that is seen"
        raise InputError(
            f"The axes of {layer.name!r} are in {', '.join(units)}, but one unit is expected for all of them: {advice}."
        )
    unit = "pixel" if units[0] == "px" else units[0]
    return tuple(abs(float(size)) for size in layer.scale[-axes:]), unit


def is_distorted(layer: Layer, axes: int) -> bool:
    """Return whether shear or an affine make pixels other than their scale says; a turn or a shift does not."""
    origin = np.asarray(layer.data_to_world(np.zeros(layer.ndim)))
    steps = np.array([np.asarray(layer.data_to_world(step)) - origin for step in np.eye(layer.ndim)[-axes:]])
    sizes = np.abs(np.asarray(layer.scale, float)[-axes:])
    return not np.allclose(steps @ steps.T, np.diag(sizes**2), rtol=1e-3, atol=1e-3 * sizes.min() ** 2)


def channel_axes(image: Image | None, axes: int) -> list[tuple[str, int]]:
    """Return the axes of an image that may hold channels, each with its name for a person."""
    if image is None or image.rgb:
        return []
    lengths = spatial_shape(image)[:-axes]
    return [(f"all {length} of {_axis_name(image, axis)}", axis) for axis, length in enumerate(lengths) if length > 1]


def likely_channel_axis(image: Image | None, axes: int) -> int | None:
    """Return the axis whose label says that it holds channels, or None."""
    for _, axis in channel_axes(image, axes):
        if image is not None and str(image.axis_labels[axis]).lower() in _CHANNEL_LABELS:
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
        return np.asarray(self.data[self.index] if self.index else self.data)


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


@dataclass(frozen=True, eq=False)
class MeasureOutcome:
    """What was measured.

    Attributes
    ----------
    measurements : list of Measurement
        One an object.
    columns : dict of str to list
        The same as a table, as of :func:`lsa_engine.measure.to_columns`.
    outside : float or None
        Share of the opacity that lies outside of all labels; None without labels.
    inputs : dict of str to str
        SHA-256 of what was measured, as "alpha_sha256", "image_sha256" and "labels_sha256".
    versions : dict of str to str
        What it was made with.
    """

    measurements: list[Measurement]
    columns: dict[str, list[int | float | str]]
    outside: float | None
    inputs: dict[str, str]
    versions: dict[str, str]


@dataclass(frozen=True, eq=False)
class MeasureRequest:
    """Measure a matte, or every labelled object in it.

    Attributes
    ----------
    alpha : Pixels
        (H, W) or (Z, H, W): floats in [0, 1] or unsigned integers.
    image : ImagePixels or None
        Whose intensities to measure.
    labels : Pixels or None
        Of the shape of alpha.
    spacing : tuple of float
        Size of a pixel along each axis.
    unit : str
        Its unit.
    """

    alpha: Pixels
    image: ImagePixels | None
    labels: Pixels | None
    spacing: tuple[float, ...]
    unit: str

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> MeasureOutcome:
        """Return the measurements.

        Raises
        ------
        ImageChangedError
            If the alpha or the image was drawn on meanwhile.
        LsaError
            As :func:`lsa_engine.measure_matte`.
        """
        steps = Steps("reading", 2, progress, cancel)
        from lsa_engine.measure import measure_matte, to_columns

        alpha = self.alpha.read()
        image = None if self.image is None else self.image.read()
        # A copy, which further painting does not change; made here, because large ones take long.
        labels = None if self.labels is None else np.array(self.labels.read())
        steps.advance()
        given = {"alpha": alpha, "image": image, "labels": labels}
        inputs = {f"{name}_sha256": fingerprint(array) for name, array in given.items() if array is not None}
        steps.advance()
        measurements = measure_matte(
            alpha,
            image,
            labels=labels,
            spacing=self.spacing,
            unit=self.unit,
            channel_names=None if self.image is None else self.image.names,
            progress=progress,
            cancel=cancel,
        )
        for name, array in (("alpha", alpha), ("image", image)):
            if array is not None and fingerprint(array) != inputs[f"{name}_sha256"]:
                raise ImageChangedError(
                    f"The pixels of the {name} were changed while they were measured, so the measurements were "
                    "dropped: run once more."
                )
        outside = None if labels is None else _share_outside(alpha, labels)
        made_with = versions("scikit-image", "scipy")
        return MeasureOutcome(measurements, to_columns(measurements), outside, inputs, made_with)


@dataclass(frozen=True, eq=False)
class CsvRequest:
    """Write measurements into a file.

    Attributes
    ----------
    measurements : list of Measurement
        The rows.
    path : Path
        Ends in .csv.
    """

    measurements: list[Measurement]
    path: Path

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> Path:
        """Write the file and return its path.

        Raises
        ------
        LsaError
            As :func:`lsa_engine.measure.write_csv`.
        """
        steps = Steps("writing the table", 1, progress, cancel)
        from lsa_engine.measure import write_csv

        write_csv(self.measurements, self.path)
        steps.finish()
        return self.path


def _share_outside(alpha: NDArray[Any], labels: NDArray[Any]) -> float:
    total = float(alpha.sum(dtype=np.float64))
    return float(alpha[labels == 0].sum(dtype=np.float64)) / total if total else 0.0
