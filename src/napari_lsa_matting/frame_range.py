"""The part of the Stack widget that says which planes are frames, and which of them are worked on."""

from __future__ import annotations

from magicgui.widgets import ComboBox, SpinBox
from napari.layers import Layer
from qtpy.QtWidgets import QFormLayout, QPushButton

from napari_lsa_matting.form_rows import FormRows
from napari_lsa_matting.panel import add_row, show_row, side_by_side
from napari_lsa_matting.stack_frames import frame_axes


class FrameRange(FormRows):
    """Rows of a form: the axis of the frames, the first and the last one, and buttons for one or all.

    Parameters
    ----------
    form : QFormLayout
        Gets the rows.
    deed : str
        What is done with the frames, for the tooltips.
    noun : str
        What a frame is called.

    Attributes
    ----------
    axis : ComboBox
        The axis of the image along which the frames lie.
    first, last : SpinBox
        The range, both included.
    this_button, all_button : QPushButton
        Choose the frame that is seen, which is up to the widget, and all.
    """

    def __init__(self, form: QFormLayout, deed: str = "matte or propose for", noun: str = "frame") -> None:
        super().__init__(form)
        self._axes_of: object = None
        self._range_of: object = None
        self.axis = ComboBox(
            choices=[], tooltip=f"The axis along which the {noun}s lie; on others, the slice that is seen counts."
        )
        self.first = SpinBox(value=0, min=0, max=0, tooltip=f"First {noun} to {deed}, as on the slider.")
        self.last = SpinBox(value=0, min=0, max=0, tooltip=f"Last {noun} to {deed}.")
        self.this_button = QPushButton("This slice")
        self.this_button.setToolTip(f"Only the {noun} that is seen.")
        self.all_button = QPushButton("All")
        self.all_button.setToolTip(f"All {noun}s.")
        self.all_button.clicked.connect(self._choose_all)
        labels = f"{noun.capitalize()}s along", f"From {noun}", f"To {noun}"
        for label, control in zip(labels, (self.axis, self.first, self.last), strict=True):
            add_row(form, label, control)
        self._follow(self.axis, self.first, self.last)
        self._buttons = side_by_side(self.this_button, self.all_button)
        form.addRow(self._buttons)

    @property
    def wanted(self) -> range:
        """The frames to work on."""
        return range(int(self.first.value), int(self.last.value) + 1)

    def show(self, shown: bool) -> None:
        """Show or hide all rows."""
        for row in (self.axis, self.first, self.last, self._buttons):
            show_row(self._form, row, shown)

    def offer_axes(self, image: Layer | None, axes: list[tuple[str, int]] | None = None) -> None:
        """Offer the axes of the image, or some of them; what the user has chosen for it stays."""
        offered = frame_axes(image) if axes is None else axes
        if self._axes_of == (image, offered):
            return
        self._axes_of = (image, offered)
        self.axis.choices = offered
        if offered:
            self.axis.value = offered[0][1]

    def offer_frames(self, image: Layer, axis: int, count: int) -> bool:
        """Offer so many frames, all of them for another stack than before; return whether it is another one."""
        if self._range_of == (image, axis, count):
            return False
        self._range_of = (image, axis, count)
        for control in (self.first, self.last):
            control.max = count - 1
        self._choose_all()
        return True

    def choose(self, frame: int) -> None:
        """Choose one frame."""
        self.first.value = self.last.value = frame

    def enable(self, frames: bool, seen: bool) -> None:
        """Enable what can be chosen: whether there are frames, and whether one of them is seen."""
        self.axis.enabled = bool(self.axis.choices)
        for control in (self.first, self.last):
            control.enabled = frames
        self.all_button.setEnabled(frames)
        self.this_button.setEnabled(seen)

    def _choose_all(self, _: bool = False) -> None:
        self.first.value, self.last.value = 0, int(self.last.max)
