"""Work of autosaving, for a worker: looking for a trimap that was saved, and saving one."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsa_engine.errors import FileError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.trimap_store import forget_old, may_be_kept, place_of, save_trimap, saved_at

if TYPE_CHECKING:
    from napari_lsa_matting.stack_frames import Proposed

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Sought:
    """Look for the autosaved trimap of an image: work for a worker.

    Attributes
    ----------
    data : array_like
        The image.
    name : str
        Its name.
    folder : Path
        Where trimaps are saved.
    """

    data: Any
    name: str
    folder: Path

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> Path | None:
        """Return where the trimap of this image is, None if there is none; forget those that are old."""
        steps = Steps("looking for an autosaved trimap", 1, progress, cancel)
        forget_old(self.folder)
        found = None
        # An image that was never seen is not read: that may be slow where it is lazy.
        if may_be_kept(self.data, self.name, self.folder):
            place = place_of(self.data, self.name, self.folder, steps.check)
            found = None if saved_at(place) is None else place
        steps.advance()
        return found


@dataclass(frozen=True, eq=False)
class Saving:
    """Save a trimap: work for a worker.

    Attributes
    ----------
    labels : array_like
        The layer's own labels, not a copy: should they be painted on meanwhile, they are saved once more.
    proposed : mapping
        What was proposed for its planes.
    image : Sought
        The image that they belong to.
    """

    labels: Any
    proposed: Proposed
    image: Sought

    def run(self, progress: ProgressCallback | None, cancel: CancelToken | None) -> Path | None:
        """Write what has changed, and return where; None if there was nothing worth it.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        place = place_of(self.image.data, self.image.name, self.image.folder)
        return place if save_trimap(self.labels, place, progress, cancel, self.proposed) else None

    def run_anyway(self) -> None:
        """Do it in a thread for which Python waits before it ends, whatever becomes of the window."""
        threading.Thread(target=self._run_unseen, name="autosave").start()

    def _run_unseen(self) -> None:
        try:
            self.run(None, None)
        except FileError as error:  # nobody is there to read it but in a log
            _LOG.warning("%s", error)
