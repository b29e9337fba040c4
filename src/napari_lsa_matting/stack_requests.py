"""What runs on a stack need, collected on the main thread and frozen, and what they do with it in a worker thread."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, Progress, ProgressCallback, Steps
from napari_lsa_matting.layers import ImagePlane, full_data
from napari_lsa_matting.matte_request import MatteRequest, MatteSettings
from napari_lsa_matting.plane_writer import PlaneEdit, find_changes
from napari_lsa_matting.stack_frames import Frames, KindsRequest, digest_of, kind_of, some_frames
from napari_lsa_matting.stack_problems import no_trimap_in

if TYPE_CHECKING:
    from lsa_engine.trimap import Trimap
    from napari_lsa_matting.session import Session

DISTANCE, FLOW = "distance", "flow"


@dataclass(frozen=True, eq=False)
class StackImage:
    """The frames of an Image layer, which are read one at a time, by a worker.

    Attributes
    ----------
    data : array_like
        All pixels; may be lazy (dask, zarr).
    frames : Frames
        Where the frames lie.
    data_range : (float, float) or None
        As in :class:`~napari_lsa_matting.layers.ImagePlane`.
    name : str
        The layer's name.
    """

    data: Any
    frames: Frames
    data_range: tuple[float, float] | None
    name: str

    @classmethod
    def of(cls, layer: Image, frames: Frames) -> StackImage:
        """Return the frames of a layer; nothing is read."""
        if layer.rgb or np.dtype(layer.dtype).kind == "b":
            return cls(full_data(layer), frames, None, layer.name)
        low, high = layer.contrast_limits
        return cls(full_data(layer), frames, (float(low), float(high)), layer.name)

    def frame(self, frame: int) -> ImagePlane:
        """Return a frame as it is."""
        return ImagePlane(self.data[self.frames.at(frame)], self.data_range, self.name)

    def __len__(self) -> int:
        return int(self.data.shape[self.frames.axis])

    def __getitem__(self, frame: int) -> NDArray[np.float32]:
        """Return a frame (H, W, 3) in [0, 1]."""
        from lsa_engine.arrays import as_float_image

        return as_float_image(self.frame(frame).colours(), data_range=self.data_range)


@dataclass(frozen=True, eq=False)
class Proposal:
    """A proposed trimap for a frame.

    Attributes
    ----------
    frame : int
        The frame.
    edit : PlaneEdit
        What is to be written to its plane of the trimap layer, if that is still as it was.
    digest : str
        What the plane is known by once it is written.
    """

    frame: int
    edit: PlaneEdit
    digest: str


@dataclass(frozen=True, eq=False)
class Proposals:
    """What a run proposes.

    Attributes
    ----------
    made : tuple of Proposal
        One for each frame that gets one; those that are to stay as they are have no changes.
    keys : tuple of int
        The key frames that they come from.
    begun : tuple of int
        Frames in the range that were left alone, because something was painted on them that is no trimap yet.
    """

    made: tuple[Proposal, ...]
    keys: tuple[int, ...]
    begun: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ProposeRequest:
    """Propose trimaps for frames that have none.

    Attributes
    ----------
    image : StackImage
        The stack; looked at by "flow" only.
    trimaps : KindsRequest
        Its trimaps.
    wanted : range
        The frames that may get proposals.
    method : {"distance", "flow"}
        As in :func:`lsa_engine.propagation.propose_trimaps`; "distance" proposes only between key frames.
    spacing : (float, float)
        Height and width of a pixel.
    margin : float
        Pixels of known region given up with every frame that the flow crosses.
    """

    image: StackImage
    trimaps: KindsRequest
    wanted: range
    method: str
    spacing: tuple[float, float]
    margin: float

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> Proposals:
        """Return the proposals.

        Raises
        ------
        LsaError
            If there is no frame to propose for, and as :func:`lsa_engine.propagation.propose_trimaps`.
        """
        kinds = self.trimaps.run(progress, cancel)
        keys = kinds.of("key")
        free = [frame for frame in self.wanted if kinds.kinds[frame] in ("empty", "proposal")]
        reached = [frame for frame in free if self.method == FLOW or (keys and keys[0] < frame < keys[-1])]
        if not reached:
            raise InputError(_nothing_to_propose(self.wanted, self.method, keys))
        from lsa_engine.propagation import propose_trimaps
        from lsa_engine.trimap import Trimap

        # Taken now, so that what is painted from here on is seen when the proposals are written.
        before = {frame: self.trimaps.plane(frame) for frame in reached}
        trimaps = {frame: Trimap.from_labels(self.trimaps.plane(frame)) for frame in keys}
        found = propose_trimaps(
            self.image,  # type: ignore[arg-type]  # has what is used of a sequence
            trimaps,
            reached,
            method=self.method,  # type: ignore[arg-type]
            spacing=self.spacing,
            margin=self.margin,
            progress=progress,
            cancel=cancel,
        )
        steps = Steps("comparing", len(found), progress, cancel)
        made = []
        for frame, trimap in found.items():
            made.append(self._proposal(frame, before[frame], trimap))
            steps.advance()
        begun = [frame for frame in self.wanted if kinds.kinds[frame] in ("begun", "odd")]
        return Proposals(tuple(made), tuple(keys), tuple(begun))

    def _proposal(self, frame: int, before: NDArray[Any], trimap: Trimap) -> Proposal:
        labels, index = trimap.to_labels(), self.trimaps.frames.at(frame)
        return Proposal(frame, PlaneEdit(index, find_changes(before, labels), before), digest_of(labels))


def _nothing_to_propose(wanted: range, method: str, keys: Sequence[int]) -> str:
    where = some_frames(wanted)
    if method == DISTANCE and len(keys) < 2:
        return "Outlines are interpolated between two key frames: paint a second one, or propose by motion."
    if method == DISTANCE:
        return f"No frame without a painted trimap lies between two key frames in {where}: there is nothing to propose."
    return f"Something is painted on every frame of {where}: there is nothing to propose."


@dataclass(frozen=True, eq=False)
class StackOutcome:
    """What a run on the frames of a stack made.

    Attributes
    ----------
    alpha : array
        float32, all planes of the image: the new mattes, those of before, 0 elsewhere.
    records : list of dict
        For each frame that was matted: its plane, how it was made, and its report, as plain values.
    frames, left_out : tuple of int
        Frames that were matted, and those of the range that have no usable trimap.
    summary : str
        What was done where, in words.
    notes : tuple of str
        What the engine has to say.
    """

    alpha: NDArray[np.float32]
    records: list[dict[str, Any]]
    frames: tuple[int, ...]
    left_out: tuple[int, ...]
    summary: str
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class StackRequest:
    """Matte the frames of a stack that have a usable trimap.

    Attributes
    ----------
    session : Session
        Lends the network.
    image : StackImage
        The stack.
    shape : tuple of int
        The lengths of the image's axes.
    trimaps : KindsRequest
        Its trimaps; copied when the run begins, so that painting does not change it.
    wanted : range
        The frames.
    settings : MatteSettings
        How.
    earlier : array or None
        Alphas of an earlier run, which frames that are not matted now keep.
    """

    session: Session
    image: StackImage
    shape: tuple[int, ...]
    trimaps: KindsRequest
    wanted: range
    settings: MatteSettings
    earlier: NDArray[np.float32] | None

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> StackOutcome:
        """Return the mattes.

        Raises
        ------
        ImageChangedError
            If a frame was drawn on while it was matted.
        LsaError
            If no frame has a usable trimap, and as :func:`lsa_engine.matte`.
        """
        start = time.perf_counter()
        trimaps = self._usable_trimaps(progress, cancel)
        alpha = np.zeros(self.shape, np.float32) if self.earlier is None else self.earlier.copy()
        records, reports = [], []
        for done, (frame, labels) in enumerate(trimaps.items()):
            watch = _FrameProgress(progress, frame, done, len(trimaps), start) if len(trimaps) > 1 else progress
            outcome = MatteRequest(self.session, self.image.frame(frame), labels, self.settings).run(watch, cancel)
            index = self.image.frames.at(frame)
            alpha[index] = outcome.result.alpha
            reports.append(outcome.result.report)
            records.append({"plane": list(index), **outcome.record()})
        notes = Counter(note for report in reports for note in report.notes)
        return StackOutcome(
            alpha=alpha,
            records=records,
            frames=tuple(trimaps),
            left_out=tuple(frame for frame in self.wanted if frame not in trimaps),
            summary=f"{reports[0].weights or reports[0].method} on {reports[0].device} ({reports[0].dtype}), "
            f"{time.perf_counter() - start:.1f} s.",
            notes=tuple(note if times == len(reports) else f"{note} ({times} frames)" for note, times in notes.items()),
        )

    def _usable_trimaps(self, progress: ProgressCallback, cancel: CancelToken) -> dict[int, NDArray[Any]]:
        steps = Steps("reading the trimaps", len(self.wanted), progress, cancel)
        found = {}
        for frame in self.wanted:
            labels = self.trimaps.plane(frame)
            if kind_of(labels, {}, ())[1]:
                found[frame] = labels
            steps.advance()
        if not found:
            raise InputError(no_trimap_in(self.wanted))
        return found


class _FrameProgress:
    """Passes the progress of one frame on as that of the whole run, with frames as its steps."""

    def __init__(self, progress: ProgressCallback, frame: int, done: int, total: int, start: float) -> None:
        self._progress, self._frame, self._done, self._total, self._start = progress, frame, done, total, start

    def __call__(self, step: Progress) -> None:
        message = f"frame {self._frame}: {step.message}"
        self._progress(Progress(message, self._done, self._total, time.perf_counter() - self._start))
