"""Trimaps of several planes of a stack, made one after the other by a worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import Cancelled, InputError, LsaError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.live_state import PackedLabels
from napari_lsa_matting.plane_writer import PlaneEdit
from napari_lsa_matting.stack_frames import Frames, kind_of, some_frames
from napari_lsa_matting.stack_requests import FrameProgress
from napari_lsa_matting.trimap_requests import (
    AlphaRequest,
    LabelsRequest,
    MakeRequest,
    SegmentationRequest,
    StrokesRequest,
)

if TYPE_CHECKING:
    from napari_lsa_matting.layers import ImagePlane, Index
    from napari_lsa_matting.stack_requests import StackImage


@dataclass(frozen=True, eq=False)
class LayerPlanes:
    """The planes of a segmentation or of an alpha.

    Attributes
    ----------
    data : array_like
        All of the layer's data; may be lazy (dask, zarr).
    frames : Frames
        Where the planes lie.
    make : callable
        Returns the request for the pixels (H, W) of a plane.
    name : str
        The layer's name.
    lacking : str
        What a plane lacks that is 0 all over.
    """

    data: Any
    frames: Frames
    make: Callable[[NDArray[Any]], SegmentationRequest | AlphaRequest]
    name: str
    lacking: str

    def pixels(self, plane: int) -> NDArray[Any]:
        """Return a copy of the pixels (H, W) of a plane."""
        return np.array(self.data[self.frames.at(plane)])

    def request(self, plane: int) -> SegmentationRequest | AlphaRequest | None:
        """Return what makes the trimap of a plane, or None if nothing is there."""
        pixels = self.pixels(plane)
        return self.make(pixels) if (pixels > 0).any() else None


@dataclass(frozen=True, eq=False)
class StrokesPlanes:
    """The planes of a trimap layer with strokes, and the pictures that they are on.

    Attributes
    ----------
    image : StackImage
        The pictures.
    data : array_like
        All of the trimap layer's labels.
    frames : Frames
        Where the planes lie in them.
    make : callable
        Returns the request for a picture and its strokes (H, W).
    """

    image: StackImage
    data: Any
    frames: Frames
    make: Callable[[ImagePlane, NDArray[Any]], StrokesRequest]

    lacking = "strokes of foreground and of background"

    def request(self, plane: int) -> StrokesRequest | None:
        """Return what fills in the strokes of a plane, or None if a kind of stroke is missing."""
        labels = np.array(self.data[self.frames.at(plane)])
        _, usable = kind_of(labels, {}, ())
        return self.make(self.image.frame(plane), labels) if usable else None


@dataclass(frozen=True, eq=False)
class MadePlane:
    """The trimap of a plane, without its pixels.

    Attributes
    ----------
    index : tuple of int
        Where it lies.
    edit : PlaneEdit or None
        What is to be written to a layer that is there; None where nothing changes, and once it is written.
    inputs : dict of str to str
        SHA-256 of what it was made from, by name.
    record : dict
        How it was made, as plain values for a layer's metadata.
    strokes : PackedLabels or None
        The strokes that it was filled in from, which it replaces.
    """

    index: Index
    edit: PlaneEdit | None
    inputs: dict[str, str]
    record: dict[str, Any]
    strokes: PackedLabels | None


@dataclass(frozen=True, eq=False)
class MadePlanes:
    """What came of making the trimaps of planes.

    Attributes
    ----------
    source : LayerPlanes or StrokesPlanes
        What they were made from.
    planes : dict of int to MadePlane
        Those that were made.
    labels : array of uint8 or None
        The labels of a new layer.
    left_out : tuple of int
        Planes of the range in which nothing is to make a trimap from.
    """

    source: LayerPlanes | StrokesPlanes
    planes: dict[int, MadePlane]
    labels: NDArray[np.uint8] | None
    left_out: tuple[int, ...]

    def without_pixels(self) -> MadePlanes:
        """Return the same without what was to be written: what the code needs, which is kept until the next run."""
        planes = {plane: replace(each, edit=None) for plane, each in self.planes.items()}
        return replace(self, planes=planes, labels=None)

    @property
    def left_text(self) -> str | None:
        """Which planes were left as they were, and why, for a person; None if there are none."""
        if not self.left_out:
            return None
        return f"Left as they were, without {self.source.lacking}: {some_frames(self.left_out, 'plane')}."


@dataclass(frozen=True, eq=False)
class PlanesRequest:
    """Make the trimaps of planes.

    Attributes
    ----------
    source : LayerPlanes or StrokesPlanes
        What they are made from.
    wanted : range
        The planes.
    frames : Frames
        Where they lie in the trimap layer.
    shape : tuple of int
        The lengths of that layer's axes.
    before : array_like or None
        The labels of that layer if it is there: its own, of which each plane is copied when its turn comes.
    """

    source: LayerPlanes | StrokesPlanes
    wanted: range
    frames: Frames
    shape: tuple[int, ...]
    before: Any | None

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> MadePlanes:
        """Return the trimaps.

        Raises
        ------
        LsaError
            If there is nothing in any of the planes, and as the source's requests; then with the plane's number.
        """
        start = time.perf_counter()
        labels = np.zeros(self.shape, np.uint8) if self.before is None else None
        planes: dict[int, MadePlane] = {}
        for done, plane in enumerate(self.wanted):
            watch = FrameProgress(progress, f"plane {plane}", done, len(self.wanted), start)
            steps = Steps("reading", 1, watch, cancel)
            request = self.source.request(plane)
            steps.check()
            if request is not None:
                try:
                    planes[plane] = self._make(request, self.frames.at(plane), labels, watch, cancel)
                except Cancelled:
                    raise
                except LsaError as error:
                    raise InputError(f"Plane {plane}: {error}") from error
        left_out = tuple(plane for plane in self.wanted if plane not in planes)
        if not planes:
            where = some_frames(left_out, "plane")
            raise InputError(f"There are no {self.source.lacking} in {where}: choose planes that have some.")
        return MadePlanes(self.source, planes, labels, left_out)

    def _make(
        self,
        request: LabelsRequest,
        index: Index,
        labels: NDArray[np.uint8] | None,
        progress: ProgressCallback,
        cancel: CancelToken,
    ) -> MadePlane:
        before = None if self.before is None else np.array(self.before[index])
        made = MakeRequest(request, before).run(progress, cancel)
        if labels is not None:
            labels[index] = made.labels
        changes = made.changes
        edit = PlaneEdit(index, changes, before) if changes is not None and changes.values.size > 0 else None
        strokes = PackedLabels.of(request.labels) if isinstance(request, StrokesRequest) else None
        return MadePlane(index, edit, made.inputs, made.record, strokes)
