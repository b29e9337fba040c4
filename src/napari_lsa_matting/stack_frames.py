"""Which planes of two layers are the frames of one stack, and what their trimaps are: painted, proposed, or empty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.channels import Channels, axis_name
from napari_lsa_matting.checks import match_planes
from napari_lsa_matting.layers import METADATA_KEY, Index, full_data, same_place, spatial_shape
from napari_lsa_matting.trimap_layer import BACKGROUND, FOREGROUND, UNKNOWN

if TYPE_CHECKING:
    from napari.components import ViewerModel

Kind = Literal["key", "proposal", "begun", "odd", "empty"]
Proposed = Mapping[str, Mapping[str, Any]]
"""What was proposed, by :func:`place_name`: the SHA-256 of every proposal there ever was, and how the last was made."""

_PROPOSALS = "proposals"


@dataclass(frozen=True)
class Frames:
    """The planes of a layer that are the frames of a stack.

    Attributes
    ----------
    axis : int
        The axis along which they lie.
    index : tuple of int
        Where they lie on the axes before the last two; the entry of `axis` itself does not count.
    """

    axis: int
    index: Index

    def at(self, frame: int) -> Index:
        """Return the index of a frame."""
        return (*self.index[: self.axis], frame, *self.index[self.axis + 1 :])


@dataclass(frozen=True)
class Stack:
    """An image and a trimap whose planes are the frames of one stack.

    Attributes
    ----------
    image, trimap : Frames
        Where the frames lie in each.
    count : int
        How many there are.
    seen : int or None
        The one that the viewer shows, if it shows one.
    """

    image: Frames
    trimap: Frames
    count: int
    seen: int | None


@dataclass(frozen=True)
class FrameKinds:
    """What the trimaps of a stack's frames are.

    Attributes
    ----------
    kinds : tuple of str
        For each frame "key" (painted: foreground and background), "proposal" (as it was proposed), "begun" (painted,
        but without foreground or without background), "odd" (other labels than 0, 1 and 2), or "empty".
    usable : frozenset of int
        Frames that can be matted: key frames, and proposals with foreground and background.
    """

    kinds: tuple[Kind, ...]
    usable: frozenset[int]

    def of(self, kind: Kind) -> list[int]:
        """Return the frames of a kind."""
        return [frame for frame, this in enumerate(self.kinds) if this == kind]

    def describe(self) -> str:
        """Return the frames of every kind, in words."""
        names: dict[Kind, str] = {
            "key": "key frames",
            "proposal": "proposals",
            "begun": "begun, without foreground or background",
            "odd": "with labels other than 0, 1, 2",
            "empty": "without trimap",
        }
        parts = [f"{name}: {numbers(self.of(kind))}" for kind, name in names.items() if self.of(kind) or kind == "key"]
        text = "; ".join(parts)
        return text[0].upper() + text[1:]


def numbers(frames: Iterable[int]) -> str:
    """Return frames as people list them: "0, 2-5, 9"; "none" if there are none."""
    runs: list[list[int]] = []
    for frame in sorted(frames):
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs) or "none"


def some_frames(frames: Iterable[int], noun: str = "frame") -> str:
    """Return "frame 3" or "frames 3-5"."""
    listed = sorted(frames)
    return f"{noun}{'' if len(listed) == 1 else 's'} {numbers(listed)}"


def frame_axes(image: Layer | None, channels: Channels | None = None) -> list[tuple[str, int]]:
    """Return the axes of an image along which frames can lie, each with its name for a person; the last one first."""
    if image is None:
        return []
    axes = [axis for axis in range(len(spatial_shape(image)) - 2) if channels is None or axis != channels.axis]
    return [(f"{axis_name(image, axis)} ({spatial_shape(image)[axis]})", axis) for axis in reversed(axes)]


def is_time(layer: Layer, axis: int) -> bool:
    """Return whether an axis is one of time by its label."""
    return str(layer.axis_labels[axis]).lower() in ("t", "time", "frame", "frames")


def find_stack(
    viewer: ViewerModel,
    image: Image | None,
    trimap: Labels | None,
    axis: int | None,
    channels: Channels | None = None,
) -> Stack:
    """Return how the frames of an image along an axis belong to those of a trimap.

    Axes before the last two other than this one stay where the viewer stands. The trimap may lie on all `channels` of
    the image.

    Raises
    ------
    InputError
        If something is missing, or the two do not belong together; in words for the user.
    """
    if image is None:
        raise InputError("There is no image layer: open a z-stack or a time series.")
    if image.ndim < 3 or axis is None:
        raise InputError(f"{image.name!r} is one picture without frames: use the Matting widget, or choose a stack.")
    if trimap is None:
        raise InputError("There is no trimap: make one for this stack with the Trimap widget.")
    from_the_end = image.ndim - axis
    theirs = trimap.ndim - from_the_end
    count = spatial_shape(image)[axis]
    on_all = channels is not None and axis < channels.axis and spatial_shape(image) != spatial_shape(trimap)
    problem = match_planes(viewer, image, trimap, axes=2 if on_all else 3).problem
    if problem is not None:
        raise InputError(problem)
    if channels is not None and on_all:
        covered = theirs >= 0 and _on_all_channels(image, axis, trimap, theirs, channels)
    else:
        covered = from_the_end <= 3 or (
            theirs >= 0
            and spatial_shape(trimap)[theirs:] == spatial_shape(image)[axis:]
            and same_place(image, _zeros(axis), trimap, _zeros(theirs))
        )
    if not covered:
        raise InputError(
            f"{trimap.name!r} does not cover the frames of {image.name!r} along {axis_name(image, axis)}: make a "
            "trimap for this image with the Trimap widget."
        )
    return Stack(
        image=Frames(axis, _index(image, viewer, axis)),
        trimap=Frames(theirs, _index(trimap, viewer, theirs)),
        count=count,
        seen=_seen(image, viewer, axis, count),
    )


def own_stack(viewer: ViewerModel, layer: Layer, axis: int) -> Stack:
    """Return the frames of a layer along an axis, for a trimap with the same axes.

    Axes before the last two other than this one stay where the viewer stands.

    Raises
    ------
    InputError
        If the viewer stands outside of the layer, or shows several planes of another axis.
    """
    frames, count = Frames(axis, _index(layer, viewer, axis)), spatial_shape(layer)[axis]
    return Stack(image=frames, trimap=frames, count=count, seen=_seen(layer, viewer, axis, count))


def _on_all_channels(image: Image, axis: int, trimap: Labels, theirs: int, channels: Channels) -> bool:
    """Return whether a trimap has a plane for each frame of an image, which lies on all the image's channels."""
    ours, others = list(spatial_shape(image)[axis:]), list(spatial_shape(trimap)[theirs:])
    ours[channels.axis - axis] = 1
    here, there = (layer.data_to_world(np.zeros(layer.ndim)) for layer in (image, trimap))
    apart = abs(here[axis] - there[theirs])
    return ours == others and bool(apart <= 0.1 * abs(float(image.scale[axis])))


def _zeros(count: int) -> Index:
    return (0,) * count


def _index(layer: Layer, viewer: ViewerModel, frame_axis: int) -> Index:
    """Return where the viewer stands on the axes of a layer before the last two; 0 on that of the frames."""
    steps = _steps(layer, viewer)
    lengths = spatial_shape(layer)
    for axis, step in enumerate(steps):
        if axis == frame_axis:
            continue
        if lengths[axis] > 1 and _is_displayed(layer, viewer, axis):
            raise InputError(
                f"The viewer shows several planes of {axis_name(layer, axis)} at once, but one of them is needed: "
                "switch it back to two dimensions."
            )
        if not 0 <= step < lengths[axis]:
            raise InputError(
                f"Layer {layer.name!r} has nothing at the slice that is seen: move the slider to one that it covers."
            )
    return tuple(0 if axis == frame_axis else step for axis, step in enumerate(steps))


def _seen(layer: Layer, viewer: ViewerModel, axis: int, count: int) -> int | None:
    step = _steps(layer, viewer)[axis]
    return step if 0 <= step < count and not _is_displayed(layer, viewer, axis) else None


def _steps(layer: Layer, viewer: ViewerModel) -> list[int]:
    return [int(step) for step in np.rint(np.asarray(layer.world_to_data(viewer.dims.point))[:-2])]


def _is_displayed(layer: Layer, viewer: ViewerModel, axis: int) -> bool:
    return axis + viewer.dims.ndim - layer.ndim in viewer.dims.displayed


def proposed_of(trimap: Labels) -> dict[str, dict[str, Any]]:
    """Return what was proposed for a trimap layer, as its metadata tells."""
    record = trimap.metadata.get(METADATA_KEY)
    proposed = record.get(_PROPOSALS) if isinstance(record, Mapping) else None
    return {name: dict(entry) for name, entry in proposed.items()} if isinstance(proposed, Mapping) else {}


def record_proposals(trimap: Labels, made: Mapping[Index, str], **how: Any) -> None:
    """Note in a trimap layer's metadata what is proposed for some planes, beside all that is there.

    Proposals of before stay noted, so that one that comes back by undo is known again.
    """
    proposed = proposed_of(trimap)
    for index, digest in made.items():
        known = [other for other in proposed.get(place_name(index), {}).get("sha256", []) if other != digest]
        proposed[place_name(index)] = {**how, "sha256": [*known, digest]}
    note_proposed(trimap, proposed)


def note_proposed(trimap: Labels, proposed: Proposed) -> None:
    """Note in a trimap layer's metadata what was proposed, in place of what is there, as :func:`proposed_of` tells."""
    record = trimap.metadata.get(METADATA_KEY)
    record = dict(record) if isinstance(record, Mapping) else {}
    trimap.metadata = {**trimap.metadata, METADATA_KEY: {**record, _PROPOSALS: proposed}}


def place_name(index: Index) -> str:
    """Return the name of a plane in metadata: "3", or "1,3"."""
    return ",".join(map(str, index))


def digest_of(labels: NDArray[Any]) -> str:
    """Return what a plane of labels 0 to 2 is known by, whatever its type."""
    return sha256(np.ascontiguousarray(labels, np.uint8).data).hexdigest()


def kind_of(labels: NDArray[Any], proposed: Proposed, index: Index) -> tuple[Kind, bool]:
    """Return what the trimap (H, W) of a frame is, and whether it can be matted: work for a worker."""
    if not labels.any():
        return "empty", False
    if labels.min() < UNKNOWN or labels.max() > BACKGROUND:
        return "odd", False
    usable = bool((labels == FOREGROUND).any() and (labels == BACKGROUND).any())
    if digest_of(labels) in proposed.get(place_name(index), {}).get("sha256", ()):
        return "proposal", usable
    return ("key" if usable else "begun"), usable


@dataclass(frozen=True, eq=False)
class KindsRequest:
    """Find out what the trimaps of a stack's frames are.

    Attributes
    ----------
    labels : array_like
        The layer's own labels, not a copy: after an edit they are looked at again anyway. They may be lazy.
    frames : Frames
        Where the frames lie.
    count : int
        How many.
    proposed : mapping
        What was proposed, from :func:`proposed_of`.
    """

    labels: Any
    frames: Frames
    count: int
    proposed: Proposed

    @classmethod
    def of(cls, trimap: Labels, stack: Stack) -> KindsRequest:
        """Return the request for a trimap layer."""
        return cls(full_data(trimap), stack.trimap, stack.count, proposed_of(trimap))

    def plane(self, frame: int) -> NDArray[Any]:
        """Return a copy of the labels (H, W) of a frame."""
        return np.array(self.labels[self.frames.at(frame)])

    def run(self, progress: ProgressCallback | None, cancel: CancelToken | None) -> FrameKinds:
        """Return what they are."""
        steps = Steps("looking at the trimaps", self.count, progress, cancel)
        kinds: list[Kind] = []
        usable = set()
        for frame in range(self.count):
            index = self.frames.at(frame)
            kind, can_be_matted = kind_of(np.asarray(self.labels[index]), self.proposed, index)
            kinds.append(kind)
            if can_be_matted:
                usable.add(frame)
            steps.advance()
        return FrameKinds(tuple(kinds), frozenset(usable))
