"""The row that offers a trimap which an earlier session has left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from lsa_engine.progress import CancelToken, ProgressCallback
from napari_lsa_matting.autosave import Offer, autosave_of
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.layers import full_data
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.panel import Message, side_by_side
from napari_lsa_matting.stack_frames import Proposed, note_proposed
from napari_lsa_matting.trimap_requests import MadeTrimap, MakeRequest
from napari_lsa_matting.trimap_results import show_made
from napari_lsa_matting.trimap_store import RestoreRequest, load_proposals

if TYPE_CHECKING:
    from napari.components import ViewerModel


@dataclass(frozen=True, eq=False)
class _Restored:
    """A trimap that was read, and what was proposed for its planes."""

    made: MadeTrimap
    proposed: Proposed


@dataclass(frozen=True, eq=False)
class _Restoring:
    """Read a trimap that an earlier session has left: work for a worker."""

    place: Path

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> _Restored:
        made = MakeRequest(RestoreRequest(self.place)).run(progress, cancel)
        return _Restored(made, load_proposals(self.place))


class RestoreOffer(QWidget):
    """Restore or discard the trimap that is offered for an image of the viewer; hidden while there is none.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer, or napari's public proxy of it.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._autosave = autosave_of(viewer)
        self._job: Job | None = None
        self.text = Message()
        self.restore_button = QPushButton("Restore")
        self.restore_button.setToolTip("Add the autosaved trimap to the viewer.")
        self.restore_button.clicked.connect(self._restore)
        self.discard_button = QPushButton("Discard")
        self.discard_button.setToolTip("Delete the autosaved trimap.")
        self.discard_button.clicked.connect(self._discard)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.text)
        rows.addWidget(side_by_side(self.restore_button, self.discard_button))
        self._autosave.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        offer = self._autosave.offered
        if offer is not None:
            self.text.say(f"An earlier session has left a trimap of {offer.image.name!r} that may not have been saved.")
        for button in (self.restore_button, self.discard_button):
            button.setEnabled(self._job is None)
        self.setVisible(offer is not None)

    def _restore(self, _: bool = False) -> None:
        offer = self._autosave.offered
        if offer is None or self._job is not None:
            return
        job = self._job = Job("Restoring the trimap", _Restoring(offer.place).run, self)
        job.succeeded.connect(partial(self._add, offer, full_data(offer.image)))
        job.failed.connect(notify_error)
        job.ended.connect(self._end)
        self._refresh()
        job.start()

    def _add(self, offer: Offer, data: Any, restored: _Restored) -> None:
        # An image that was given other pixels meanwhile is no longer the one that the trimap was painted on.
        if offer.image in self._viewer.layers and full_data(offer.image) is data:
            layer = show_made(self._viewer, offer.image, (), restored.made)
            if restored.proposed:
                note_proposed(layer, restored.proposed)
            self._autosave.settle(offer)

    def _discard(self, _: bool = False) -> None:
        offer = self._autosave.offered
        if offer is not None:
            self._autosave.discard(offer)

    def _end(self) -> None:
        self._job = None
        self._refresh()
