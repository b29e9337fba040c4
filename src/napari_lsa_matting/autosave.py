"""Trimaps saved for the case of a crash: one small file for every image, told by its name, shape and content."""

from __future__ import annotations

import hashlib
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.latest_job import LatestJob
from napari_lsa_matting.layers import full_data, spatial_shape
from napari_lsa_matting.settings import read_settings
from napari_lsa_matting.trimap_layer import BACKGROUND

if TYPE_CHECKING:
    from napari.layers import Layer

_DAYS_KEPT = 30
_PLANES_READ, _ROWS_READ = 16, 512
_EDITS = ("paint", "data", "set_data")


@dataclass(frozen=True, eq=False)
class Sought:
    """Look for the autosaved trimap of an image: work for a worker.

    Attributes
    ----------
    data : array_like
        The image; of large ones some rows are read.
    name : str
        Its name.
    folder : Path
        Where trimaps are saved.
    """

    data: Any
    name: str
    folder: Path

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> Path:
        """Return where the trimap of this image is, or would be; forget those that are old."""
        steps = Steps("looking for an autosaved trimap", 2, progress, cancel)
        if self.folder.is_dir():
            for path in self.folder.glob("[!.]*.png"):
                if time.time() - path.stat().st_mtime > _DAYS_KEPT * 86400:
                    path.unlink(missing_ok=True)
        steps.advance()
        digest = hashlib.sha256(repr((self.name, tuple(self.data.shape), str(self.data.dtype))).encode())
        for rows in _some_rows(self.data):
            steps.check()
            digest.update(rows.data)
        return self.folder / f"{digest.hexdigest()[:32]}.png"


@dataclass(frozen=True, eq=False)
class Saving:
    """Save a trimap, unless it is as it was when it was last saved: work for a worker.

    Attributes
    ----------
    labels : array_like
        The layer's own labels, not a copy: should they be painted on meanwhile, they are saved once more.
    path : Path
        Where to.
    last : str
        Digest of what was saved last.
    """

    labels: Any
    path: Path
    last: str

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> str:
        """Write the file, and return the digest of what is in it.

        Raises
        ------
        LsaError
            If the file cannot be written.
        """
        from lsa_engine.image_io import write_image
        from lsa_engine.trimap import Trimap

        steps = Steps("saving the trimap", 1, progress, cancel)
        labels = np.array(self.labels)
        digest = hashlib.sha256(labels.data).hexdigest()
        usable = labels.any() and labels.min() >= 0 and labels.max() <= BACKGROUND  # not so a segmentation
        if digest != self.last and usable:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            rows = labels.reshape(-1, labels.shape[-1])
            write_image(self.path, Trimap.from_labels(rows).values)
        steps.advance()
        return digest


class Autosave(QObject):
    """Saves a viewer's trimap a few seconds after its last edit, and tells of one that an earlier session has left.

    Parameters
    ----------
    parent : QObject
        Owner.
    """

    changed = Signal()
    """What there is to restore has changed."""
    failed = Signal(object)
    """A trimap could not be saved; the exception."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        settings = read_settings()
        self._folder = settings.cache_path / "trimaps"
        self._image: weakref.ref[Image] | None = None
        self._trimap: weakref.ref[Labels] | None = None
        self._data: object = None
        self._path: Path | None = None
        self._offered: Path | None = None
        self._painted: weakref.WeakSet[Layer] = weakref.WeakSet()
        self._digests: dict[Path, str] = {}
        self._looking = LatestJob("Looking for an autosaved trimap", self)
        self._looking.answered.connect(self._found)
        self._saving: Job | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(1000 * settings.autosave)
        self._timer.timeout.connect(self._save)
        self._on = settings.autosave > 0

    @property
    def offered(self) -> Path | None:
        """The file of a trimap that can be restored for the image, or None."""
        return self._offered

    @property
    def looking(self) -> bool:
        """Whether the trimap of an earlier session is being looked for."""
        return self._looking.busy

    def follow(self, image: Image | None, trimap: Labels | None) -> None:
        """Take note of the image that is worked on, and of the trimap that belongs to it, if it does."""
        if not self._on:
            return
        data = None if image is None else full_data(image)
        if data is not self._data:
            self._data, self._path = data, None
            self._image = None if image is None else weakref.ref(image)
            self._offer(None)
            if image is not None:
                self._look(Sought(data, image.name, self._folder))
        if image is None or trimap is None or spatial_shape(trimap) != spatial_shape(image):
            trimap = None
        old = None if self._trimap is None else self._trimap()
        if trimap is not old:
            self._connect(old, False)
            self._connect(trimap, True)
            self._trimap = None if trimap is None else weakref.ref(trimap)

    def dismiss(self) -> None:
        """Offer the trimap no more, but leave its file until it is overwritten."""
        self._offer(None)

    def discard(self) -> None:
        """Delete the trimap that is offered."""
        if self._offered is not None:
            self._offered.unlink(missing_ok=True)
        self._offer(None)

    def let_go(self) -> None:
        """Stop to follow the trimap."""
        self._timer.stop()
        self._connect(None if self._trimap is None else self._trimap(), False)
        self._trimap = None

    def _connect(self, trimap: Labels | None, on: bool) -> None:
        if trimap is None:
            return
        for name in _EDITS:
            emitter = getattr(trimap.events, name)
            if on:
                emitter.connect(self._note_edit)
            else:
                emitter.disconnect(self._note_edit)

    def _note_edit(self, event: Any) -> None:
        trimap = None if self._trimap is None else self._trimap()
        if trimap is None:
            return
        # set_data comes with undo, but with every move of a slider, too: only what was painted before can be undone.
        if event.type != "set_data":
            self._painted.add(trimap)
        if trimap in self._painted:
            self._timer.start()

    def _look(self, sought: Sought) -> None:
        self._looking.drop()
        self._looking.ask(sought)

    def _found(self, sought: Sought, path: Path) -> None:
        if sought.data is not self._data:
            return
        self._path = path
        trimap = None if self._trimap is None else self._trimap()
        mine = path in self._digests or (trimap is not None and trimap in self._painted)
        if not mine and path.is_file() and path.stat().st_mtime > _file_time(trimap):
            self._offer(path)

    def _offer(self, path: Path | None) -> None:
        if path != self._offered:
            self._offered = path
            self.changed.emit()

    def _save(self) -> None:
        trimap = None if self._trimap is None else self._trimap()
        if trimap is None:
            return
        if self._path is None or self._saving is not None:
            self._timer.start()
            return
        path = self._path
        saving = Saving(full_data(trimap), path, self._digests.get(path, ""))
        job = self._saving = Job("Saving the trimap for the case of a crash", saving.run, self)
        job.succeeded.connect(lambda digest: self._saved(path, digest))
        job.failed.connect(self._fail)
        job.ended.connect(self._end_save)
        job.start()

    def _saved(self, path: Path, digest: str) -> None:
        self._digests[path] = digest
        if self._offered == path:
            self._offer(None)

    def _fail(self, error: Exception) -> None:
        # Said once: a full disk would be told of every few seconds.
        self.let_go()
        self._on = False
        self.failed.emit(error)

    def _end_save(self) -> None:
        self._saving = None


def _file_time(trimap: Labels | None) -> float:
    """Return when the file that a trimap was read from was written, 0 if it was not read from one."""
    source = None if trimap is None else trimap.source.path
    path = Path(source) if source else None
    return path.stat().st_mtime if path is not None and path.is_file() else 0.0


def _some_rows(data: Any) -> Iterator[NDArray[Any]]:
    """Yield some hundred rows of an array, spread over all of it; all of a small one."""
    axes = 3 if data.ndim > 2 and data.shape[-1] in (3, 4) else 2
    planes = list(np.ndindex(*data.shape[:-axes]))
    chosen = planes[:: max(1, len(planes) // _PLANES_READ)]
    for index in chosen:
        plane = data[index] if index else data
        step = max(1, plane.shape[0] * len(chosen) // _ROWS_READ)
        yield np.ascontiguousarray(plane[::step])
