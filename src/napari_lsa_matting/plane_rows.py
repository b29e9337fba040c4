"""The rows of a form that say which planes of a stack a trimap is made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QFormLayout

from lsa_engine.errors import InputError
from napari_lsa_matting.channels import axis_name
from napari_lsa_matting.form_rows import FormRows
from napari_lsa_matting.frame_range import FrameRange
from napari_lsa_matting.layers import plane_index, spatial_shape
from napari_lsa_matting.panel import Message, add_row, show_row
from napari_lsa_matting.stack_frames import Stack, frame_axes

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_lsa_matting.channels import Channels

_SEEN, _SEVERAL = "seen", "several"
_CHOICES = [("this slice", _SEEN), ("a range", _SEVERAL)]


class PlaneRows(FormRows):
    """Rows of a form: the plane that is seen or several of them, which ones, and what that comes to in words.

    They are there for layers with more planes than one.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where it stands is the plane that is seen.
    form : QFormLayout
        Gets the rows.

    Attributes
    ----------
    extent : ComboBox
        Whether the plane that is seen counts, or several.
    range : FrameRange
        Which ones.
    note : Message
        What a run will work on.
    """

    def __init__(self, viewer: ViewerModel, form: QFormLayout) -> None:
        super().__init__(form)
        self._viewer = viewer
        self._channels: Channels | None = None
        self._stacked = False
        self.extent = ComboBox(
            choices=_CHOICES,
            tooltip="Make a trimap of the plane that is seen, or of several, each by itself. One undo takes all back.",
        )
        add_row(form, "Planes", self.extent)
        self.range = FrameRange(form, "make a trimap of", "plane")
        self.note = Message()
        form.addRow(self.note)
        self._follow(self.extent)
        self.range.changed.connect(self._note_change)

    @property
    def several(self) -> bool:
        """Whether a range of planes is worked on."""
        return self._stacked and self.extent.value == _SEVERAL

    def offer(self, layer: Layer | None, channels: Channels | None) -> None:
        """Offer the axes of a layer that are longer than one plane; without any, the rows are hidden.

        Parameters
        ----------
        layer : napari.layers.Layer or None
            The layer.
        channels : Channels or None
            How its channels are read, which makes one picture of the planes along their axis.
        """
        self._channels = channels
        axes = frame_axes(layer, channels)
        if layer is not None:
            axes = [(name, axis) for name, axis in axes if spatial_shape(layer)[axis] > 1]
        self._stacked = bool(axes)
        self.range.offer_axes(layer, axes)
        show_row(self._form, self.extent, self._stacked)
        self.range.show(self.several)

    def show(self, layer: Layer | None, stack: Stack | None) -> None:
        """Offer the planes of a layer, and say which are worked on.

        Parameters
        ----------
        layer : napari.layers.Layer or None
            The layer.
        stack : Stack or None
            Its planes along the axis that is chosen, if there are several to work on.
        """
        if layer is None or not self._stacked:
            self.note.say()
            return
        if not self.several:
            try:
                self.note.say(self._described(layer, plane_index(layer, self._viewer)))
            except InputError:  # said by what stands against a run
                self.note.say()
            return
        self.range.enable(stack is not None, stack is not None and stack.seen is not None)
        if stack is None:
            self.note.say()
            return
        self.range.offer_frames(layer, stack.image.axis, stack.count)
        self.note.say(self._described(layer, stack.image.index, stack.image.axis, self.range.wanted))

    def _described(
        self, layer: Layer, index: tuple[int, ...], along: int | None = None, wanted: range = range(1)
    ) -> str | None:
        """Return "Planes 3 to 9 of 20 along z, 1 of 4 along t."; None where the range is empty."""
        if not wanted:
            return None
        several = along is not None and len(wanted) > 1
        merged = None if self._channels is None else self._channels.axis
        parts: list[str] = []
        for axis, length in enumerate(spatial_shape(layer)[:-2]):
            step = str(wanted[0] if axis == along else index[axis])
            if several and axis == along:
                step = f"{wanted[0]} to {wanted[-1]}"
            if length > 1 and axis != merged:
                part = f"{step} of {length} along {axis_name(layer, axis)}"
                parts.insert(0 if axis == along else len(parts), part)
        return f"Plane{'s' if several else ''} {', '.join(parts)}."
