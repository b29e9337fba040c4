"""The rows that say how labels are read: as a trimap, or as objects that each get a matte."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox, FloatSpinBox
from qtpy.QtWidgets import QFormLayout

from napari_lsa_matting.form_rows import FormRows
from napari_lsa_matting.layers import is_trimap, pixel_spacing
from napari_lsa_matting.object_request import Band
from napari_lsa_matting.panel import add_row, show_row
from napari_lsa_matting.trimap_layer import LABEL_NAMES

if TYPE_CHECKING:
    from napari.layers import Labels

TRIMAP, OBJECTS = "trimap", "objects"
_READINGS = [("a trimap", TRIMAP), ("objects", OBJECTS)]
_GIVE = [("layers", False), ("a stack", True)]
_PIXELS_KEPT = 5  # the distances proposed, in pixels


class ObjectOptions(FormRows):
    """Rows of a form, and what is chosen in them.

    Parameters
    ----------
    form : QFormLayout
        Where the rows go.
    """

    def __init__(self, form: QFormLayout) -> None:
        super().__init__(form)
        self._calibration: tuple[float, float, str] | None = None
        self.reading = ComboBox(
            choices=_READINGS,
            tooltip="A trimap: 1 foreground, 2 background, 0 unknown. Objects: a segmentation, every label of which "
            "gets an alpha of its own, with a trimap made from the distances below.",
        )
        self.inner = FloatSpinBox(
            min=0, max=1e9, tooltip="How far the unknown reaches from the outline into an object."
        )
        self.outer = FloatSpinBox(
            min=0, max=1e9, tooltip="How far the unknown reaches from the outline out of an object."
        )
        self.stacked = ComboBox(choices=_GIVE, tooltip="A layer for each object, or one with an axis for the objects.")
        add_row(form, "Labels are", self.reading)
        add_row(form, "Inside", self.inner)
        add_row(form, "Outside", self.outer)
        add_row(form, "Give", self.stacked)
        self._follow(self.reading, self.stacked, self.inner, self.outer)
        self._show_rows()

    @property
    def wanted(self) -> bool:
        """Whether the labels are objects."""
        return bool(self.reading.value == OBJECTS)

    def band(self, layer: Labels) -> Band:
        """Return what is chosen, for a layer's pixels."""
        return Band(float(self.inner.value), float(self.outer.value), pixel_spacing(layer)[0])

    def take(self, layer: Labels, highest: int) -> None:
        """Read a layer that was chosen as what its highest label says, and offer distances of a few of its pixels."""
        (height, width), unit = pixel_spacing(layer)
        if (height, width, unit) != self._calibration:
            self._calibration = (height, width, unit)
            pixel = min(height, width)
            for box in (self.inner, self.outer):
                box.native.setDecimals(max(1, 2 - math.floor(math.log10(pixel))))
                box.native.setSingleStep(pixel)
                box.native.setSuffix(f" {unit}")
                box.value = _PIXELS_KEPT * pixel
        seems_trimap = is_trimap(layer) or highest <= max(LABEL_NAMES)
        self.reading.value = TRIMAP if seems_trimap else OBJECTS

    def _note_change(self, _: object = None) -> None:
        self._show_rows()
        super()._note_change()

    def _show_rows(self) -> None:
        for row in (self.inner, self.outer, self.stacked):
            show_row(self._form, row, self.wanted)
