"""What is measured: planes or volumes of alphas, one after the other along an axis of frames, with image and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from lsa_engine.errors import InputError
from lsa_engine.image_io.calibration import short_unit
from napari_lsa_matting.checks import match_at
from napari_lsa_matting.layers import METADATA_KEY, Index, index_at, plane_index, spatial_shape, unit_name
from napari_lsa_matting.measure_pixels import CHANNEL_LABELS
from napari_lsa_matting.object_layers import OBJECT_AXIS
from napari_lsa_matting.stack_frames import axis_name, frame_axes, is_time, numbers, some_frames
from napari_lsa_matting.stack_problems import problem_of_range

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels, Layer


@dataclass(frozen=True, eq=False)
class Matte:
    """The alpha of one object.

    Attributes
    ----------
    layer : napari.layers.Image
        Where it is.
    name : str or None
        What the object is called; None for one that is measured alone, which then has the number 1.
    position : int or None
        Where it stands on the axis of the objects; None leaves that to the viewer.
    """

    layer: Image
    name: str | None = None
    position: int | None = None


@dataclass(frozen=True)
class Series:
    """The axis along which frames are measured.

    Attributes
    ----------
    name : str
        Its name for a person.
    column : str or None
        Name of the column that tells time, or place, of a frame; None where the axis has no unit.
    step : float
        From one frame to the next, in the unit of that column.
    """

    name: str
    column: str | None
    step: float

    @classmethod
    def of(cls, layer: Layer, axis: int) -> Series:
        """Return the axis of a layer."""
        label, unit = axis_name(layer, axis), short_unit(unit_name(layer.units[axis]))
        # napari's own labels are numbers.
        known = label if label == str(layer.axis_labels[axis]) else "time" if has_time_unit(layer, axis) else "position"
        return cls(label, None if unit == "px" else f"{known}_{unit}", abs(float(layer.scale[axis])))

    def columns(self, frames: Sequence[int]) -> dict[str, list[int | float | str]]:
        """Return the columns that tell which frame a row belongs to, and when, or where, that is."""
        found: dict[str, list[int | float | str]] = {"frame": list(frames)}
        return found if self.column is None else found | {self.column: [self.step * frame for frame in frames]}


@dataclass(frozen=True)
class Place:
    """Where one frame, or what is seen, stands in each of the layers, on the axes before those measured.

    Attributes
    ----------
    frame : int or None
        Which frame; None without a series.
    mattes : tuple of Index
        In the layer of each matte.
    image, labels : Index
        In those layers.
    """

    frame: int | None
    mattes: tuple[Index, ...]
    image: Index
    labels: Index


@dataclass(frozen=True)
class Region:
    """Where mattes are measured, and with which pixels.

    Attributes
    ----------
    axes : {2, 3}
        Planes or volumes.
    places : tuple of Place
        One for each frame, or just one.
    spacing : tuple of float
        Size of a pixel along each axis of the region.
    unit : str
        Unit of `spacing`, "pixel" without calibration.
    series : Series or None
        The axis of the frames, if there are any.
    """

    axes: int
    places: tuple[Place, ...]
    spacing: tuple[float, ...]
    unit: str
    series: Series | None = None

    def describe(self, mattes: Sequence[Matte]) -> str:
        """Say for a person what is measured."""
        alpha = mattes[0].layer
        if self.series is not None:
            where = f"{numbers(place.frame or 0 for place in self.places)} along {self.series.name} of "
            where = f"{self._part}{'' if len(self.places) == 1 else 's'} {where}"
        else:
            # Where there is no choice, a number would only puzzle.
            own = [axis for axis, _ in enumerate(spatial_shape(alpha)[: -self.axes]) if axis != _own_axis(mattes)]
            index = self.places[0].mattes[0]
            where = "the volume " * (self.axes == 3)
            if any(spatial_shape(alpha)[axis] > 1 for axis in own):
                where = f"{self._part} {', '.join(str(index[axis]) for axis in own)} of "
        size = " × ".join(f"{length:.4g}" for length in self.spacing)
        pixel = "pixels" if self.axes == 2 else "voxels"
        return f"Measures {where}{describe_mattes(mattes)} in {pixel} of {size} {unit_name(self.unit)}."

    @property
    def _part(self) -> str:
        return "plane" if self.axes == 2 else "volume"


def describe_mattes(mattes: Sequence[Matte]) -> str:
    """Return mattes in words: "'alpha'", "3 alphas", "the 12 objects of 'alpha of cells'"."""
    if _own_axis(mattes) is not None:
        return f"the {len(mattes)} object{'' if len(mattes) == 1 else 's'} of {mattes[0].layer.name!r}"
    return repr(mattes[0].layer.name) if len(mattes) == 1 else f"{len(mattes)} alphas"


def object_axis(layer: Image) -> int | None:
    """Return the axis along which a layer holds one matte for each object, or None."""
    labels = [str(label).lower() for label in layer.axis_labels[:-2]]
    return labels.index(OBJECT_AXIS) if OBJECT_AXIS in labels else None


def objects_of(layer: Image) -> list[Matte]:
    """Return the objects of a stack of mattes, named as its metadata tell, or numbered from 1."""
    axis = object_axis(layer)
    if axis is None:
        return []
    count = spatial_shape(layer)[axis]
    record = layer.metadata.get(METADATA_KEY)
    record = record if isinstance(record, Mapping) else {}
    for key in ("names", "objects"):
        names = [str(name) for name in record.get(key) or ()]
        if len(names) == len(set(names)) == count:
            break
    else:  # not told, two of one name, or cropped since
        names = [str(number) for number in range(1, count + 1)]
    return [Matte(layer, name, position) for position, name in enumerate(names)]


def _own_axis(mattes: Sequence[Matte]) -> int | None:
    """Return the axis of the objects if the mattes are those of a stack, or None."""
    return None if mattes[0].position is None else object_axis(mattes[0].layer)


def series_axes(layer: Image | None, axes: int) -> list[tuple[str, int]]:
    """Return the axes along which frames can be measured one by one, each with its name for a person."""
    if layer is None:
        return []
    lengths = spatial_shape(layer)[:-axes]
    usable = {axis for axis, length in enumerate(lengths) if length > 1} - {object_axis(layer)}
    return [(name, axis) for name, axis in frame_axes(layer) if axis in usable]


def find_region(
    viewer: ViewerModel,
    mattes: Sequence[Matte],
    image: Image | None,
    labels: Labels | None,
    axes: int,
    along: int | None = None,
    wanted: range = range(1),
) -> Region:
    """Return what is to be measured.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where it stands counts for all axes that are not measured, but for those of frames and objects.
    mattes : sequence of Matte
        What to measure; the others must lie on the first.
    image, labels : napari layer or None
        What goes with them.
    axes : {2, 3}
        Planes or volumes.
    along : int, optional
        The axis of the first matte along which frames lie; None measures what is seen.
    wanted : range
        Which of them.

    Raises
    ------
    InputError
        If nothing can be measured: the layers do not lie on each other, nothing is seen, the units differ.
    """
    problem = problem_of_range(wanted)
    if problem is not None:
        raise InputError(problem)
    alpha = mattes[0].layer
    for layer in {id(matte.layer): matte.layer for matte in mattes}.values():
        if image is not None and layer is image:
            raise InputError(f"{layer.name!r} is chosen as alpha and as image: choose another image, or none.")
        _require_opacity(layer)
    others = [axis for axis, length in enumerate(spatial_shape(alpha)[:-axes]) if length > 1 and axis != along]
    if axes == 2 and (along is None or others):
        plane_index(alpha, viewer)  # of all that is not measured, one plane must be seen
    ends = [None] if along is None else [wanted[0], wanted[-1]]
    points = [tuple(viewer.dims.point) if end is None else _point(viewer, alpha, along, end) for end in ends]
    here = [index_at(alpha, point, axes) for point in points]

    def indices(layer: Layer, position: int | None = None) -> list[Index]:
        """Return where each frame stands in a layer."""
        there = here if layer is alpha else _on(alpha, here, layer, points, axes, wanted if along is not None else None)
        found = [there[0]] if along is None else list(_between(there[0], there[-1], len(wanted)))
        axis = object_axis(layer) if position is not None else None
        return [index if axis is None else (*index[:axis], position or 0, *index[axis + 1 :]) for index in found]

    per_matte = [indices(matte.layer, matte.position) for matte in mattes]
    count = len(per_matte[0])
    nowhere: list[Index] = [()] * count
    per_image, per_labels = (nowhere if layer is None else indices(layer) for layer in (image, labels))
    frames: Sequence[int | None] = [None] if along is None else wanted
    places = tuple(
        Place(frame, tuple(each[number] for each in per_matte), per_image[number], per_labels[number])
        for number, frame in enumerate(frames)
    )
    return Region(axes, places, *pixel_size(alpha, axes), None if along is None else Series.of(alpha, along))


def seen_frame(viewer: ViewerModel, layer: Image, axis: int) -> int | None:
    """Return the frame of a layer along an axis at which the viewer stands, or None if it stands outside."""
    step = round(float(np.asarray(layer.world_to_data(viewer.dims.point))[axis]))
    return step if 0 <= step < spatial_shape(layer)[axis] else None


def _point(viewer: ViewerModel, alpha: Image, along: int | None, frame: int) -> tuple[float, ...]:
    """Return where the viewer would stand, in the world, at a frame of a layer."""
    place = np.array(alpha.world_to_data(viewer.dims.point), dtype=float)
    place[along] = frame
    return (*viewer.dims.point[: viewer.dims.ndim - alpha.ndim], *map(float, alpha.data_to_world(place)))


def _on(
    alpha: Image,
    here: Sequence[Index],
    layer: Layer,
    points: Sequence[tuple[float, ...]],
    axes: int,
    wanted: range | None,
) -> list[Index]:
    """Return where the first and the last frame of an alpha stand in another layer, which must lie on them."""
    try:
        there = [index_at(layer, point, axes) for point in points]
    except InputError as error:
        if wanted is None:
            raise
        raise InputError(
            f"{layer.name!r} does not cover {some_frames(wanted)} of {alpha.name!r}: choose other frames, or layers "
            "that belong together."
        ) from error
    for ours, theirs in zip(here, there, strict=True):
        problem = match_at(alpha, ours, layer, theirs, axes).problem
        if problem is not None:
            raise InputError(problem)
    return there


def _between(first: Index, last: Index, count: int) -> Iterator[Index]:
    """Yield the places of so many frames: layers are affine, so that frames lie on a line."""
    for step in np.rint(np.linspace(first, last, count)).astype(int).tolist():
        yield tuple(step)


def _require_opacity(layer: Image) -> None:
    if np.dtype(layer.dtype).kind == "i":
        raise InputError(
            f"{layer.name!r} holds signed integers ({layer.dtype}), but an alpha in [0, 1] or unsigned integers are "
            "expected: convert it to uint8 or uint16, or choose another layer."
        )


def has_volume(alpha: Layer | None) -> bool:
    """Return whether a layer can be measured as a volume: it has more than one plane along a third axis of space."""
    if alpha is None or len(spatial_shape(alpha)) < 3 or spatial_shape(alpha)[-3] == 1:
        return False
    return is_space(alpha, alpha.ndim - 3)


def is_space(layer: Layer, axis: int) -> bool:
    """Return whether an axis may be one of space: neither its label nor its unit tells anything else."""
    label = str(layer.axis_labels[axis]).lower()
    others = label == OBJECT_AXIS or label in CHANNEL_LABELS or is_time(layer, axis)
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
