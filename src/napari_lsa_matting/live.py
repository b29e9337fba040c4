"""Live mode: while the user paints on a trimap, the matte follows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from napari.layers import Image, Labels
from qtpy.QtCore import QObject, QTimer, Signal

from lsa_engine.errors import TrimapError
from lsa_engine.progress import Progress
from napari_lsa_matting.channels import Channels
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.labels_look import frozen_plane, reading_labels
from napari_lsa_matting.layers import ImagePlane, Index, full_data, image_plane
from napari_lsa_matting.live_request import LiveRequest
from napari_lsa_matting.matte_request import ImageChangedError, MatteOutcome, MatteSettings
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.one_step import is_being_edited
from napari_lsa_matting.session import Session

_GATHER_MS = 30
_ANSWER_WITHIN_S = 1.0


@dataclass(frozen=True, eq=False)
class LiveScene:
    """Two layers whose planes belong together, and how channels are read, as they were when live mode began."""

    image: Image
    trimap: Labels
    image_index: Index
    trimap_index: Index
    channels: Channels | None = None

    def plane(self) -> ImagePlane:
        """Return the picture."""
        return image_plane(self.image, self.image_index, self.channels)


class LiveMode(QObject):
    """Answer edits of a trimap one at a time, always the latest.

    Parameters
    ----------
    session : Session
        Lends the network.
    parent : QObject
        Owner; takes the work along when it goes.
    """

    answered = Signal(object)
    """A MatteOutcome, on the main thread."""
    said = Signal(str)
    """How it stands, for a person."""
    ended = Signal(str)
    """It has ended; why, or nothing if the user wanted it."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._settings = MatteSettings()
        self._plane: ImagePlane | None = None
        self._data: Any = None
        self._job: Job | None = None
        self._turn = object()
        self._waiting = self._look_at_image = self._answered = False
        # What stands for the stroke, one step of the layer's history, that is drawn now or next, and for the last one.
        self._drawing, self._drawn = object(), object()
        self.scene: LiveScene | None = None
        self._gather = QTimer(self)
        self._gather.setSingleShot(True)
        self._gather.setInterval(_GATHER_MS)
        self._gather.timeout.connect(self._answer)

    @property
    def on(self) -> bool:
        """Whether the matte follows."""
        return self.scene is not None

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way."""
        return self._job is not None or self._waiting

    def start(self, scene: LiveScene, settings: MatteSettings) -> None:
        """Follow a trimap, beginning with what is painted now.

        Parameters
        ----------
        scene : LiveScene
            The layers.
        settings : MatteSettings
            Weights, device, precision, and how to refine.
        """
        self.scene = scene
        self._settings = live_settings(settings)
        self._plane = scene.plane()
        self._data = full_data(scene.image)
        self._answered = False
        scene.trimap.events.paint.connect(self._end_stroke)
        self.note_edit()

    def stop(self, reason: str = "") -> None:
        """Follow no more; what is on its way is dropped."""
        if self.scene is None:
            return
        self.scene.trimap.events.paint.disconnect(self._end_stroke)
        self.scene = self._plane = self._data = None
        self._waiting = self._look_at_image = False
        self._gather.stop()
        if self._job is not None:
            self._job.cancel()
            self._job = None
        self.ended.emit(reason)

    def note_edit(self) -> None:
        """The trimap has changed: answer it, now or after the answer that is on its way."""
        if self.on:
            self._waiting = True
            if self._job is None and not self._gather.isActive():
                self._gather.start()

    def note_image(self) -> None:
        """Something about the image layer has changed: end if it is the picture itself."""
        if self.scene is None or self._plane is None:
            return
        image = self.scene.image
        if full_data(image) is not self._data:
            self.stop("the image was replaced.")
        elif self.scene.plane().data_range != self._plane.data_range:
            self.stop("the image's contrast limits, which say what is black and white, were changed.")
        else:
            self._look_at_image = True
            self.note_edit()

    def adopt(self, settings: MatteSettings) -> None:
        """Go on with other settings of the refinement; other weights, another device or precision end it."""
        if not self.on:
            return
        wanted = live_settings(settings)
        if replace(wanted, refinement=None) != replace(self._settings, refinement=None):
            self.stop("another method, weights, device or precision was chosen.")
        else:
            self._settings = wanted

    def _end_stroke(self, _: object = None) -> None:
        self._drawing, self._drawn = object(), self._drawing

    def _answer(self) -> None:
        if self.scene is None or self._plane is None or self._job is not None or not self._waiting:
            return
        self._waiting = False
        labels = frozen_plane(self.scene.trimap, self.scene.trimap_index)
        unfinished = is_being_edited(self.scene.trimap)
        drawn = self._drawing if unfinished else self._drawn
        request = LiveRequest(
            self._session,
            self._plane,
            labels,
            self._settings,
            self._look_at_image,
            drawn,
            unfinished,
            again=not self._answered,
        )
        self._look_at_image = False
        began = time.perf_counter()
        job = self._job = Job("Live matte", reading_labels(request), self)
        turn = self._turn = object()
        job.progressed.connect(self._if_turn(turn, self._show_progress))
        job.succeeded.connect(self._if_turn(turn, lambda outcome: self._deliver(outcome, began)))
        job.failed.connect(self._if_turn(turn, self._fail))
        job.ended.connect(self._if_turn(turn, self._go_on))
        job.start()

    def _if_turn(self, turn: object, react: Callable[..., None]) -> Callable[..., None]:
        """Return a reaction that is left out once live mode has ended or begun anew.

        It must not hold the job: a cycle would be freed by whatever thread collects garbage, and Qt crashes.
        """

        def react_if_turn(*values: Any) -> None:
            if self._job is not None and self._turn is turn:
                react(*values)

        return react_if_turn

    def _show_progress(self, progress: Progress) -> None:
        self.said.emit(f"live: {progress.message} …")

    def _deliver(self, outcome: MatteOutcome | None, began: float) -> None:
        self._answered = True
        if outcome is None:
            self.said.emit("live: follows the brush")
            return
        self.answered.emit(outcome)
        if self.on:
            self.said.emit(f"live: answered in {time.perf_counter() - began:.1f} s")

    def _fail(self, error: Exception) -> None:
        if isinstance(error, TrimapError):  # half painted
            self.said.emit(f"live: waits. {error}")
        elif isinstance(error, ImageChangedError):
            self.stop("the image was drawn on.")
        else:
            notify_error(error)
            self.stop(str(error))

    def _go_on(self) -> None:
        self._job = None
        if self._waiting:
            self._answer()


def live_settings(settings: MatteSettings) -> MatteSettings:
    """Return the settings of an answer: no copies, the fast refinement, and a second for it unless told otherwise."""
    chosen = dict(settings.refinement or {})
    # The steps of the paper's descent are not for corrections.
    fast = chosen if chosen.get("method") == "fast" else {"method": "fast"}
    return replace(settings, tta=0, refinement={"time_budget": _ANSWER_WITHIN_S, **fast})
