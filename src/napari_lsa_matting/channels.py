"""Which axis of an image holds channels, such as the stains of a micrograph, and how they become one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer

from napari_lsa_matting.layers import ImagePlane, Index, image_plane
from napari_lsa_matting.session import session_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

_LABELS = ("c", "ch", "channel", "channels")
_MOST_UNLABELLED = 6  # a longer axis without a label is a stack
_MERGED = {"rgb": "all, in colours", "maximum": "maximum", "mean": "mean"}
_COLOURS = {2: "red and cyan", 3: "red, green and blue"}


@dataclass(frozen=True)
class Channels:
    """How the channels of an image are read. What comes of them lies on the image's other axes.

    Attributes
    ----------
    axis : int
        The axis of the channels, one before the last two.
    use : int or str
        The number of one channel; or as :func:`lsa_engine.merge_channels` merges them all.
    kept : bool
        Whether results keep the axis, with one pixel that is as long as all channels. They must where an axis comes
        before it, since napari counts axes from the last.
    """

    axis: int
    use: int | str
    kept: bool = False

    def keeping(self) -> Channels:
        """Return the same for results that keep the axis."""
        return replace(self, kept=True)

    def without(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return an index on the axes before the last two without that of the channels."""
        return (*index[: self.axis], *index[self.axis + 1 :])

    def at(self, index: tuple[int, ...]) -> tuple[int | slice, ...]:
        """Return what reads the channels that are used, at an index without them."""
        used = self.use if isinstance(self.use, int) else slice(None)
        return (*index[: self.axis], used, *index[self.axis :])

    def on_layer(self, data: Any) -> Any:
        """Return results on the other axes as they lie in a layer of their own."""
        return np.expand_dims(data, self.axis) if self._keeps else data

    def calibrated(self, settings: Mapping[str, Any], count: int) -> dict[str, Any]:
        """Return the settings of a layer that lies on the first of so many channels for one that lies on them all."""
        if self._keeps:
            scale = np.array(settings["scale"], dtype=float)
            scale[self.axis] *= count
            return {**settings, "scale": scale}
        return last_axes(settings, len(settings["scale"]) - 1)

    def corner(self, index: tuple[int, ...], count: int) -> tuple[float, ...]:
        """Return where the first pixel of a plane at an index without the channels lies on the axes before the last."""
        return (*index[: self.axis], (count - 1) / 2 if self._keeps else 0.0, *index[self.axis :])

    def record(self) -> dict[str, Any]:
        """Return plain values for a layer's metadata."""
        return {"axis": self.axis, "use": self.use}

    @property
    def _keeps(self) -> bool:
        return self.kept or self.axis > 0


def last_axes(settings: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the settings that put a layer somewhere for one that has only the last of its axes."""
    axes = len(settings["scale"])
    first = axes - count
    shear = np.eye(axes)
    shear[np.triu_indices(axes, 1)] = settings["shear"]
    matrices = {"rotate": settings["rotate"], "shear": shear, "affine": settings["affine"]}
    cut = {name: np.asarray(matrix)[first:, first:] for name, matrix in matrices.items()}
    return {name: value[first:] for name, value in settings.items() if name not in cut} | cut


def axis_name(layer: Layer, axis: int) -> str:
    """Return the label of an axis, or its number where napari gave the label."""
    return f"axis {axis}" if _is_unlabelled(layer, axis) else str(layer.axis_labels[axis])


def offered_channels(image: Image | None) -> list[tuple[str, Channels | None]]:
    """Return how the channels of an image can be read, each way with its name for a person; the usual one first.

    An axis that is labelled as one of channels is one. Without labels, a short axis may be one; then the first of the
    ways is None: it is not.
    """
    if image is None or image.rgb:
        return []
    axes = range(image.ndim - 2)
    labelled = [axis for axis in axes if str(image.axis_labels[axis]).lower() in _LABELS]
    if labelled:
        return _ways(image, labelled[0])
    lengths = _lengths(image)
    short = [axis for axis in axes if _is_unlabelled(image, axis) and 2 <= lengths[axis] <= _MOST_UNLABELLED]
    found: list[tuple[str, Channels | None]] = []
    for axis in short:
        where = f"axis {axis}: " if len(short) > 1 else ""
        found += [(where + name, channels) for name, channels in _ways(image, axis)]
    return [("none", None), *found] if found else []


def channels_of(viewer: ViewerModel, image: Layer | None) -> Channels | None:
    """Return how the channels of an image are read in a viewer, as the user has said or as its labels do, or None."""
    offered = [channels for _, channels in offered_channels(image)] if isinstance(image, Image) else []
    chosen = session_of(viewer).channels.get(image) if offered and image is not None else None
    return chosen if chosen in offered else next(iter(offered), None)


def place_in(viewer: ViewerModel, image: Image, index: Index) -> Index:
    """Return an index on the axes before the last two of an image without that of its channels, as they are read."""
    channels = channels_of(viewer, image)
    return index if channels is None else channels.without(index)


def picture_at(viewer: ViewerModel, image: Image, index: Index) -> ImagePlane:
    """Return the picture at an index on the axes before the last two of an image, of all channels that are read."""
    return image_plane(image, place_in(viewer, image, index), channels_of(viewer, image))


def channel_note(image: Image, channels: Channels | None) -> str | None:
    """Return what a user should know about how the channels of an image are read."""
    if channels is None:
        offered = next((channels for _, channels in offered_channels(image) if channels is not None), None)
        if offered is None:
            return _note_on_stack(image)
        planes = f"{_lengths(image)[offered.axis]} planes along {axis_name(image, offered.axis)}"
        return f"If the {planes} of {image.name!r} are channels, say under Channels how to read them."
    count = _lengths(image)[channels.axis]
    if isinstance(channels.use, int):
        return f"Channel {channels.use} of the {count} of {image.name!r} is read." if count > 1 else None
    if channels.use == "rgb":
        return f"The {count} channels of {image.name!r} are read as {_COLOURS.get(count, f'{count} colours')}."
    return f"The {channels.use} of the {count} channels of {image.name!r} is read."


def _note_on_stack(image: Image) -> str | None:
    """Return what to do if a long axis without a label holds channels, or None if there is none."""
    axes = range(image.ndim - 2) if not image.rgb else ()
    long = [axis for axis in axes if _is_unlabelled(image, axis) and _lengths(image)[axis] > _MOST_UNLABELLED]
    if not long or any(str(label).lower() in _LABELS for label in image.axis_labels):
        return None
    labels = [str(label) for label in image.axis_labels]
    if _is_unlabelled(image, -2) and _is_unlabelled(image, -1):
        labels[-2:] = ["y", "x"]
    labels[long[0]] = _LABELS[0]
    return (
        f"If the {_lengths(image)[long[0]]} planes along axis {long[0]} of {image.name!r} are channels, label the "
        f"axis in napari's console:\nviewer.layers[{image.name!r}].axis_labels = {tuple(labels)}"
    )


def _ways(image: Image, axis: int) -> list[tuple[str, Channels | None]]:
    count = _lengths(image)[axis]
    single: list[tuple[str, Channels | None]] = [(f"channel {one}", Channels(axis, one)) for one in range(count)]
    return [*((name, Channels(axis, use)) for use, name in _MERGED.items()), *single] if count > 1 else single


def _is_unlabelled(layer: Layer, axis: int) -> bool:
    return str(layer.axis_labels[axis]).lstrip("-").isdigit()


def _lengths(image: Image) -> tuple[int, ...]:
    return tuple((image.data[0] if image.multiscale else image.data).shape)
