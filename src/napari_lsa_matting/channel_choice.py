"""The row that says how the channels of an image become one picture; not there for an image without channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from psygnal import Signal
from qtpy.QtWidgets import QFormLayout

from napari_lsa_matting.channels import Channels, channel_note, channels_of, offered_channels
from napari_lsa_matting.panel import add_row, show_row
from napari_lsa_matting.session import session_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_lsa_matting.layer_choice import LayerChoice

_NONE = "none"  # magicgui takes None for no choice at all


class ChannelChoice:
    """A row of a form.

    What is chosen for an image holds for all widgets of its viewer.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Whose images.
    form : QFormLayout
        Where the row goes.
    image : LayerChoice
        Chooses the image.
    """

    changed = Signal()
    """The channels are read in another way."""

    def __init__(self, viewer: ViewerModel, form: QFormLayout, image: LayerChoice) -> None:
        self._viewer = viewer
        self._session = session_of(viewer)
        self._form = form
        self._image = image
        self._shown: tuple[Any, ...] = ()
        self._wanted = True
        self.box = ComboBox(
            choices=[_NONE],
            tooltip="How the channels, for example stains, become one picture: each in a colour, the largest or the "
            "mean value of all, or one of them. Results lie on all channels.",
        )
        add_row(form, "Channels", self.box)
        self.box.changed.connect(self._choose)
        image.changed.connect(self.refresh)
        image.edited.connect(self.refresh)
        self._session.channels_chosen.connect(self.refresh)
        self.box.native.destroyed.connect(self._let_go)
        self.refresh()

    @property
    def channels(self) -> Channels | None:
        """How the channels of the image are read; None if it has none."""
        return channels_of(self._viewer, self._image.layer)

    @property
    def note(self) -> str | None:
        """What a user should know about it."""
        image = self._image.layer
        return None if image is None else channel_note(image, self.channels)

    def refresh(self, _: object = None) -> None:
        """Offer what the image has."""
        offered = [(name, channels or _NONE) for name, channels in offered_channels(self._image.layer)]
        chosen = self.channels or _NONE
        if self._shown == (offered, chosen):
            return
        self._shown = (offered, chosen)
        with self.box.changed.blocked():
            self.box.choices = offered or [_NONE]
            self.box.value = chosen
        self.show(self._wanted)
        self.changed.emit()

    def show(self, wanted: bool) -> None:
        """Show the row, where the image has channels, or hide it where no image is asked for."""
        self._wanted = wanted
        show_row(self._form, self.box, wanted and bool(self._shown) and bool(self._shown[0]))

    def _choose(self, chosen: Any) -> None:
        if self._image.layer is not None:
            self._session.choose_channels(self._image.layer, None if chosen == _NONE else chosen)

    def _let_go(self, *_: object) -> None:
        self._session.channels_chosen.disconnect(self.refresh, missing_ok=True)
