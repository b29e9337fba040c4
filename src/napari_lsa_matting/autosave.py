"""Saving a viewer's trimaps for the case of a crash, and telling of those that an earlier session has left."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import partial
from inspect import unwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.QtCore import QCoreApplication, QEvent, QObject, QTimer, Signal

from napari_lsa_matting.autosave_requests import Saving, Sought
from napari_lsa_matting.channels import channels_of
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.layers import full_data, is_picture, is_trimap, same_place, spatial_shape
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.settings import read_settings
from napari_lsa_matting.stack_frames import proposed_of
from napari_lsa_matting.trimap_store import forget, saved_at

if TYPE_CHECKING:
    from napari.components import ViewerModel

_EDITS = ("paint", "data", "set_data")
_OF_VIEWERS: weakref.WeakKeyDictionary[Any, Autosave] = weakref.WeakKeyDictionary()


def autosave_of(viewer: ViewerModel) -> Autosave:
    """Return what saves the trimaps of a viewer; it begins when it is first asked for, and ends with the window.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer, or napari's public proxy of it.
    """
    viewer = unwrap(viewer)
    if viewer not in _OF_VIEWERS:
        _OF_VIEWERS[viewer] = Autosave(viewer)
    return _OF_VIEWERS[viewer]


@dataclass(frozen=True, eq=False)
class Offer:
    """A trimap that can be restored.

    Attributes
    ----------
    image : napari.layers.Image
        The image that it belongs to.
    place : Path
        Where it is kept.
    """

    image: Image
    place: Path


class Autosave(QObject):
    """Saves a viewer's trimaps a few seconds after their last edit, and offers those of earlier sessions.

    Trimaps are the layers made as such, and what a widget uses as one. The image of a trimap is the one that a widget
    uses it for; else the topmost of its shape.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Whose layers; is not kept alive.
    """

    changed = Signal()
    """What there is to restore has changed."""

    def __init__(self, viewer: ViewerModel) -> None:
        window = _window_of(viewer)
        super().__init__(window or QCoreApplication.instance())
        settings = read_settings()
        self._folder = settings.cache_path / "trimaps"
        self._viewer = weakref.ref(viewer)
        self._images: weakref.WeakKeyDictionary[Labels, weakref.ref[Image]] = weakref.WeakKeyDictionary()
        self._followed: weakref.WeakSet[Labels] = weakref.WeakSet()
        self._painted: weakref.WeakSet[Labels] = weakref.WeakSet()
        self._unsaved: weakref.WeakSet[Labels] = weakref.WeakSet()
        self._to_look: list[weakref.ref[Image]] = []
        self._looking: Job | None = None
        self._saving: Job | None = None
        self._offers: list[tuple[weakref.ref[Image], Path]] = []
        self._settled: set[Path] = set()  # saved here, restored or dismissed: not to be offered again
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(1000 * settings.autosave)
        self._timer.timeout.connect(self._save_next)
        self._on = settings.autosave > 0
        if self._on:
            self._follow_viewer(viewer)
            if window is not None:
                window.installEventFilter(self)
                window.destroyed.connect(self._let_go)

    @property
    def offered(self) -> Offer | None:
        """A trimap that can be restored, or None."""
        viewer = self._viewer()
        for reference, place in self._offers:
            image = reference()
            if viewer is not None and image is not None and image in viewer.layers:
                return Offer(image, place)
        return None

    @property
    def looking(self) -> bool:
        """Whether trimaps of earlier sessions are being looked for."""
        return self._looking is not None

    def note_pair(self, image: Image | None, trimap: Labels | None) -> None:
        """Take note that a widget uses labels as the trimap of an image; if they do not fit, nothing is noted."""
        viewer = self._viewer()
        if not self._on or viewer is None or image is None or trimap is None:
            return
        if not _can_be_pair(viewer, image, trimap):
            return
        self._images[trimap] = weakref.ref(image)
        self._follow(trimap)

    def settle(self, offer: Offer) -> None:
        """Offer a trimap no more, but leave it where it is until it is overwritten."""
        self._settled.add(offer.place)
        self._offers = [entry for entry in self._offers if entry[1] != offer.place]
        self.changed.emit()

    def discard(self, offer: Offer) -> None:
        """Delete a trimap that is offered."""
        forget(offer.place)
        self.settle(offer)

    def save_now(self) -> None:
        """Save what waits to be saved, in a thread that outlives the viewer."""
        self._timer.stop()
        for trimap in list(self._unsaved):
            image = self._image_of(trimap)
            if image is not None:
                self._saving_of(trimap, image).run_anyway()
        self._unsaved.clear()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Save before the window closes."""
        if event is not None and event.type() == QEvent.Type.Close:
            self.save_now()
        return False

    def _follow_viewer(self, viewer: ViewerModel) -> None:
        events = viewer.layers.events
        events.inserted.connect(self._note_new)
        events.removing.connect(self._note_removing)
        events.removed.connect(self._note_removed)
        for layer in viewer.layers:
            self._note_layer(layer)

    def _let_go(self, *_: object) -> None:
        """Stop to follow: the window is gone."""
        self._on = False
        viewer = self._viewer()
        if viewer is not None:
            events = viewer.layers.events
            events.inserted.disconnect(self._note_new)
            events.removing.disconnect(self._note_removing)
            events.removed.disconnect(self._note_removed)
            for layer in viewer.layers:
                if isinstance(layer, Image):
                    layer.events.data.disconnect(self._note_image)
        for trimap in self._followed:
            for name in _EDITS:
                getattr(trimap.events, name).disconnect(self._note_edit)
        self._followed.clear()

    def _note_new(self, event: Any) -> None:
        self._note_layer(unwrap(event.value))

    def _note_layer(self, layer: Any) -> None:
        if isinstance(layer, Labels) and is_trimap(layer):
            self._follow(layer)
        elif is_picture(layer):
            layer.events.data.connect(self._note_image)
            self._look_for(layer)

    def _note_image(self, event: Any) -> None:
        self._look_for(event.source)

    def _note_removing(self, event: Any) -> None:
        viewer = self._viewer()
        if viewer is None or not self._unsaved:
            return
        layer = viewer.layers[event.index]
        if layer in self._unsaved or is_picture(layer):
            self.save_now()

    def _note_removed(self, _: Any) -> None:
        if self._offers:
            self.changed.emit()

    def _follow(self, trimap: Labels) -> None:
        if trimap not in self._followed:
            self._followed.add(trimap)
            for name in _EDITS:
                getattr(trimap.events, name).connect(self._note_edit)

    def _note_edit(self, event: Any) -> None:
        trimap = event.source
        # set_data comes with undo, but with every move of a slider, too: only what was painted before can be undone.
        if event.type != "set_data":
            self._painted.add(trimap)
        if self._on and trimap in self._painted:
            self._unsaved.add(trimap)
            self._timer.start()

    def _image_of(self, trimap: Labels) -> Image | None:
        """Return the image that a trimap belongs to."""
        viewer = self._viewer()
        if viewer is None:
            return None
        reference = self._images.get(trimap)
        image = None if reference is None else reference()
        if image is not None and image in viewer.layers and _can_be_pair(viewer, image, trimap):
            return image
        pictures = [unwrap(layer) for layer in reversed(viewer.layers) if is_picture(layer)]
        # A stack, over which a trimap of its last axes lies as well, comes after an image of the same axes.
        for fits in (_fits, _fits_last):
            for picture in pictures:
                if fits(viewer, picture, trimap) and _lies_on(picture, trimap):
                    return picture
        return None

    def _sought(self, image: Image) -> Sought:
        return Sought(full_data(image), image.name, self._folder)

    def _saving_of(self, trimap: Labels, image: Image) -> Saving:
        return Saving(full_data(trimap), proposed_of(trimap), self._sought(image))

    def _look_for(self, image: Image) -> None:
        self._to_look.append(weakref.ref(image))
        self._offers = [entry for entry in self._offers if entry[0]() is not image]
        self.changed.emit()
        self._look_next()

    def _look_next(self) -> None:
        while self._looking is None and self._to_look:
            image = self._to_look.pop(0)()
            if image is None:
                continue
            sought, reference = self._sought(image), weakref.ref(image)
            job = self._looking = Job("Looking for an autosaved trimap", sought.run, self)
            job.succeeded.connect(partial(self._found, reference, sought.data))
            job.failed.connect(notify_error)
            job.ended.connect(self._end_look)
            job.start()

    def _end_look(self) -> None:
        self._looking = None
        self._look_next()

    def _found(self, reference: weakref.ref[Image], data: Any, place: Path | None) -> None:
        image = reference()
        if place is None or image is None or full_data(image) is not data or place in self._settled:
            return
        # Nothing is put in question that was painted here, or read from a newer file.
        mine = [trimap for trimap in self._followed if self._image_of(trimap) is image]
        newest = max((_file_time(trimap) for trimap in mine), default=0.0)
        if not self._painted.intersection(mine) and (saved_at(place) or 0.0) > newest:
            self._offers.append((reference, place))
            self.changed.emit()

    def _save_next(self) -> None:
        """Save what was painted, one trimap after the other."""
        if self._saving is not None:
            self._timer.start()
            return
        while self._unsaved:
            trimap = self._unsaved.pop()
            image = self._image_of(trimap)
            if image is None:
                continue
            saving = self._saving_of(trimap, image)
            job = self._saving = Job("Saving the trimap for the case of a crash", saving.run, self)
            job.succeeded.connect(self._saved)
            job.failed.connect(self._fail)
            job.ended.connect(self._end_save)
            job.start()
            return

    def _saved(self, place: Path | None) -> None:
        if place is not None:
            self._settled.add(place)
            self._offers = [entry for entry in self._offers if entry[1] != place]
            self.changed.emit()

    def _fail(self, error: Exception) -> None:
        # Said once: a full disk would be told of every few seconds.
        self._on = False
        self._unsaved.clear()
        notify_error(error)

    def _end_save(self) -> None:
        self._saving = None
        if self._unsaved and not self._timer.isActive():
            self._save_next()


def _window_of(viewer: ViewerModel) -> QObject | None:
    """Return the viewer's main window, by what napari makes public of it; None for a viewer without one."""
    window = getattr(viewer, "window", None)
    return None if window is None else window.file_menu.parent()


def _fits(viewer: ViewerModel, image: Image, trimap: Labels) -> bool:
    """Return whether a trimap has the pixels of an image, or those of one of its channels."""
    ours, theirs = spatial_shape(image), spatial_shape(trimap)
    if ours == theirs:
        return True
    channels = channels_of(viewer, image)
    if channels is None:
        return False
    flat, axis = channels.without(ours), channels.axis
    return theirs in (flat, (*flat[:axis], 1, *flat[axis:]))


def _fits_last(_: ViewerModel, image: Image, trimap: Labels) -> bool:
    """Return whether a trimap has the pixels of an image's last axes: it lies over all that comes before them."""
    theirs = spatial_shape(trimap)
    return len(theirs) > 1 and spatial_shape(image)[-len(theirs) :] == theirs


def _can_be_pair(viewer: ViewerModel, image: Image, trimap: Labels) -> bool:
    return _fits(viewer, image, trimap) or _fits_last(viewer, image, trimap)


def _lies_on(image: Image, trimap: Labels) -> bool:
    return same_place(image, (0,) * (image.ndim - 2), trimap, (0,) * (trimap.ndim - 2))


def _file_time(trimap: Labels) -> float:
    """Return when the file that a trimap was read from was written, 0 if it was not read from one."""
    source = trimap.source.path
    path = Path(source) if source else None
    return path.stat().st_mtime if path is not None and path.is_file() else 0.0
