"""What runs on a stack need, collected on the main thread and frozen, and what they do with it in a worker thread."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, Progress, ProgressCallback, Steps
from napari_lsa_matting.layers import ImagePlane, Index, full_data, plane_at, values_range
from napari_lsa_matting.live_state import PackedLabels, repeatable
from napari_lsa_matting.matte_request import ImageChangedError, MatteRequest, MatteSettings
from napari_lsa_matting.stack_frames import Frames, KindsRequest, kind_of, some_frames
from napari_lsa_matting.stack_problems import no_trimap_in

if TYPE_CHECKING:
    from lsa_engine.inference.results import Report
    from napari_lsa_matting.channels import Channels
    from napari_lsa_matting.session import Session


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
    channels : Channels or None
        How each frame is made of the image's channels.
    """

    data: Any
    frames: Frames
    data_range: tuple[float, float] | None
    name: str
    channels: Channels | None = None

    @classmethod
    def of(cls, layer: Image, frames: Frames, channels: Channels | None = None) -> StackImage:
        """Return the frames of a layer; nothing is read."""
        return cls(full_data(layer), frames, values_range(layer), layer.name, channels)

    def place(self, frame: int) -> Index:
        """Return where the result of a frame lies: its index without the axis of channels."""
        index = self.frames.at(frame)
        return index if self.channels is None else self.channels.without(index)

    def frame(self, frame: int) -> ImagePlane:
        """Return a frame as it is."""
        place = self.place(frame)
        pixels = plane_at(self.data, place if self.channels is None else self.channels.at(place))
        return ImagePlane(pixels, self.data_range, self.name, self.channels)

    def colours(self, frame: int) -> NDArray[Any]:
        """Return the pixels (H, W) or (H, W, 3) of a frame in memory."""
        return self.frame(frame).colours()


@dataclass(frozen=True, eq=False)
class FrameMatte:
    """How the matte of a frame was made, without its pixels.

    Attributes
    ----------
    labels : PackedLabels
        The trimap as painted.
    image_sha256 : str
        The :func:`~napari_lsa_matting.layers.fingerprint` of the frame.
    refinement : mapping or None
        The arguments of :class:`lsa_engine.Refinement` that give the matte again, whatever the time it takes.
    report : Report
        What was done.
    """

    labels: PackedLabels
    image_sha256: str
    refinement: Mapping[str, Any] | None
    report: Report


@dataclass(frozen=True, eq=False)
class StackOutcome:
    """What a run on the frames of a stack made.

    Attributes
    ----------
    alpha : array
        float32, all planes of the image, without the axis of channels: the new mattes, those of before, 0 elsewhere.
    records : list of dict
        For each frame that was matted: its plane, how it was made, and its report, as plain values.
    image : StackImage
        The stack.
    settings : MatteSettings
        How its frames were matted.
    mattes : dict of int to FrameMatte
        Those of the frames that were matted.
    left_out : tuple of int
        Frames of the range that have no usable trimap.
    summary : str
        What was done where, in words.
    notes : tuple of str
        What the engine has to say.
    """

    alpha: NDArray[np.float32]
    records: list[dict[str, Any]]
    image: StackImage
    settings: MatteSettings
    mattes: dict[int, FrameMatte]
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
        The lengths of the image's axes, without that of channels.
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
            If a frame was drawn on during the run.
        LsaError
            If no frame has a usable trimap, and as :func:`lsa_engine.matte`.
        """
        start = time.perf_counter()
        trimaps = self._usable_trimaps(progress, cancel)
        alpha = np.zeros(self.shape, np.float32) if self.earlier is None else self.earlier.copy()
        records: list[dict[str, Any]] = []
        mattes: dict[int, FrameMatte] = {}
        for done, (frame, labels) in enumerate(trimaps.items()):
            watch = (
                FrameProgress(progress, f"frame {frame}", done, len(trimaps), start) if len(trimaps) > 1 else progress
            )
            outcome = MatteRequest(self.session, self.image.frame(frame), labels, self.settings).run(watch, cancel)
            index = self.image.place(frame)
            alpha[index] = outcome.result.alpha
            mattes[frame] = FrameMatte(
                labels=PackedLabels.of(labels),
                image_sha256=outcome.inputs["image_sha256"],
                refinement=repeatable(self.settings, outcome.result),
                report=outcome.result.report,
            )
            records.append({"plane": list(index), **outcome.record()})
        self._refuse_changed(mattes, cancel)
        reports = [matte.report for matte in mattes.values()]
        notes = Counter(note for report in reports for note in report.notes)
        return StackOutcome(
            alpha=alpha,
            records=records,
            image=self.image,
            settings=self.settings,
            mattes=mattes,
            left_out=tuple(frame for frame in self.wanted if frame not in trimaps),
            summary=f"{reports[0].weights or reports[0].method} on {reports[0].device} ({reports[0].dtype}), "
            f"{time.perf_counter() - start:.1f} s.",
            notes=tuple(note if times == len(reports) else f"{note} ({times} frames)" for note, times in notes.items()),
        )

    def _refuse_changed(self, mattes: Mapping[int, FrameMatte], cancel: CancelToken) -> None:
        """Refuse mattes if a frame was drawn on after its turn."""
        steps = Steps("comparing", len(mattes), None, cancel)
        changed = []
        for frame, matte in mattes.items():
            if self.image.frame(frame).differs(matte.image_sha256):
                changed.append(frame)
            steps.advance()
        if changed:
            raise ImageChangedError(
                f"The pixels of {self.image.name!r} were changed in {some_frames(changed)} while it was matted, so its "
                "mattes were dropped: run once more."
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


class FrameProgress:
    """Passes the progress of one frame on as that of the whole run, with frames as its steps.

    Parameters
    ----------
    progress : callable
        Of the whole run.
    frame : str
        The name of the frame.
    done, total : int
        How many frames are done, and how many there are.
    start : float
        When the run began, by :func:`time.perf_counter`.
    """

    def __init__(self, progress: ProgressCallback, frame: str, done: int, total: int, start: float) -> None:
        self._progress, self._frame, self._done, self._total, self._start = progress, frame, done, total, start

    def __call__(self, step: Progress) -> None:
        """Pass a step on."""
        message = f"{self._frame}: {step.message}"
        self._progress(Progress(message, self._done, self._total, time.perf_counter() - self._start))
