"""The open layers that can be trained on: pictures, each with its alpha, ticked and paired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import unwrap
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from lsa_engine.errors import InputError
from napari_lsa_matting.channels import channel_note, channels_of, picture_at, place_in
from napari_lsa_matting.checks import match_planes
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import (
    METADATA_KEY,
    ImagePlane,
    full_data,
    image_plane,
    is_matte,
    is_picture,
    made_as,
    plane_index,
)
from napari_lsa_matting.session import session_of
from napari_lsa_matting.wheel import scroll_over

if TYPE_CHECKING:
    from napari.components import ViewerModel

NO_PAIR = "No picture is ticked: open an image, make its alpha with the Matting widget, and tick it."

_LIST_EVENTS = ("inserted", "removed", "reordered", "renamed")
_LEAST_WIDTH = 70


@dataclass(frozen=True, eq=False)
class TrainingPicture:
    """A picture to train on, taken when a run is asked for.

    Attributes
    ----------
    image : ImagePlane
        The photograph, or a cut-out with an alpha channel.
    alpha : ImagePlane or None
        Its matte; None for a cut-out.
    """

    image: ImagePlane
    alpha: ImagePlane | None


class NameBox(QCheckBox):
    """A box whose name is shortened to the room that there is."""

    def __init__(self) -> None:
        super().__init__()
        self._name = ""
        self.setMinimumWidth(_LEAST_WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_name(self, name: str, note: str | None = None) -> None:
        """Show another name; a note on the picture goes into the tooltip."""
        self._name = name
        tip = f"Train on {name}; of a stack, on the plane that is seen."
        self.setToolTip(tip if note is None else f"{tip} {note}")
        self._shorten()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Shorten the name anew."""
        super().resizeEvent(event)
        self._shorten()

    def _shorten(self) -> None:
        room = self.width() - 2 * self.fontMetrics().height()
        self.setText(self.fontMetrics().elidedText(self._name, Qt.TextElideMode.ElideMiddle, room))


class PairRow(QWidget):
    """A picture with a box to tick, and the choice of its alpha.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    image : napari.layers.Image
        The picture.
    """

    changed = Signal()
    """It was ticked or paired otherwise, or its alpha has changed."""

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        super().__init__()
        self.image = image
        self._viewer = viewer
        self.box = NameBox()
        self.alpha: LayerChoice | None = None
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.box, 1)
        if has_own_alpha(image):
            layout.addWidget(QLabel("own alpha"), 1)
            self.box.setChecked(True)
        else:
            self.alpha = LayerChoice(
                viewer,
                self._can_be_alpha,
                self._belongs,
                tooltip="The picture's alpha, which the Matting widget makes.",
            )
            self.alpha.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            self.alpha.native.setMinimumWidth(_LEAST_WIDTH)
            scroll_over(self.alpha.native)
            layout.addWidget(self.alpha.native, 1)
            self.box.setChecked(self.alpha.layer is not None and self._belongs(self.alpha.layer))
            self.alpha.changed.connect(self._tick_if_it_belongs)
            self.alpha.edited.connect(self._tell)
        self.box.toggled.connect(self._tell)
        self.show_name()

    @property
    def problem(self) -> str | None:
        """What stands against training on it, if it is ticked."""
        if not self.box.isChecked():
            return None
        if self.alpha is None:
            try:
                plane_index(self.image, self._viewer)
            except InputError as error:
                return str(error)
            return None
        if self.alpha.layer is None:
            return f"{self.image.name!r} has no alpha: make one with the Matting widget, or untick the picture."
        return match_planes(self._viewer, self.image, self.alpha.layer).problem

    def take(self) -> TrainingPicture:
        """Return the plane that is seen, of the picture and of its alpha."""
        image = picture_at(self._viewer, self.image, plane_index(self.image, self._viewer))
        alpha = None if self.alpha is None else self.alpha.layer
        return TrainingPicture(image, None if alpha is None else image_plane(alpha, plane_index(alpha, self._viewer)))

    def show_name(self) -> None:
        """Show the picture's name as it is now, and how its channels are read."""
        channels = channels_of(self._viewer, self.image)
        self.box.show_name(self.image.name, None if channels is None else channel_note(self.image, channels))

    def let_go(self) -> None:
        """Stop to follow the viewer."""
        if self.alpha is not None:
            self.alpha.let_go()

    def _can_be_alpha(self, layer: Layer) -> bool:
        return is_matte(layer) and layer is not self.image

    def _belongs(self, layer: Layer) -> bool:
        """Return whether a layer was made as this picture's alpha, by what its metadata say."""
        if made_as(layer) != "alpha":
            return False
        record = layer.metadata[METADATA_KEY]
        return _made_from(record, self.image) or self._is_remembered(layer)

    def _is_remembered(self, layer: Layer) -> bool:
        try:
            index = place_in(self._viewer, self.image, plane_index(self.image, self._viewer))
        except InputError:
            return False
        return session_of(self._viewer).output(self.image, ("alpha", index)) is layer

    def _tick_if_it_belongs(self, layer: Layer | None) -> None:
        if layer is not None and self._belongs(layer):
            self.box.setChecked(True)
        self._tell()

    def _tell(self, _: object = None) -> None:
        self.changed.emit()


class TrainingPairs(QWidget):
    """The viewer's pictures in rows, the topmost first.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    """

    changed = Signal()
    """Something that a run would see has changed."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.rows: list[PairRow] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        for name in _LIST_EVENTS:
            getattr(viewer.layers.events, name).connect(self._update)
        self._session = session_of(viewer)
        self._session.channels_chosen.connect(self._update)
        self._update()

    @property
    def problem(self) -> str | None:
        """What stands against training on what is ticked."""
        if not any(row.box.isChecked() for row in self.rows):
            return NO_PAIR
        return next((row.problem for row in self.rows if row.problem is not None), None)

    def take(self) -> tuple[TrainingPicture, ...]:
        """Return what is ticked."""
        return tuple(row.take() for row in self.rows if row.box.isChecked())

    def let_go(self) -> None:
        """Stop to follow the viewer."""
        for name in _LIST_EVENTS:
            getattr(self._viewer.layers.events, name).disconnect(self._update)
        self._session.channels_chosen.disconnect(self._update, missing_ok=True)
        for row in self.rows:
            row.let_go()

    def _update(self, event: object = None) -> None:
        """Have a row for each picture; those that are there stay as they are."""
        layers = [unwrap(layer) for layer in reversed(self._viewer.layers)]
        wanted = [layer for layer in layers if is_picture(layer) or _is_cutout(layer)]
        kept = {row.image: row for row in self.rows}
        for row in self.rows:
            if row.image not in wanted:
                row.let_go()
                self._layout.removeWidget(row)
                row.hide()
                row.deleteLater()
        self.rows = [kept.get(layer) or self._new_row(layer) for layer in wanted]
        for place, row in enumerate(self.rows):
            row.show_name()
            self._layout.insertWidget(place, row)
        self.changed.emit()

    def _new_row(self, image: Image) -> PairRow:
        row = PairRow(self._viewer, image)
        row.changed.connect(self.changed)
        return row


def has_own_alpha(layer: Image) -> bool:
    """Return whether a layer is RGBA."""
    return bool(layer.rgb) and full_data(layer).shape[-1] == 4


def _is_cutout(layer: Layer) -> bool:
    return made_as(layer) == "cut-out" and isinstance(layer, Image)


def _made_from(record: Mapping[str, Any], image: Image) -> bool:
    """Return whether a record of how a layer was made names this picture."""
    return record.get("image") == image.name and record.get("image_path") in (None, image.source.path)
