"""The buttons that take up the brush of a trimap's labels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QPushButton

from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.swatch import show_swatch
from napari_lsa_matting.trimap_layer import BACKGROUND, FOREGROUND, LABEL_COLOURS, LABEL_NAMES, UNKNOWN

if TYPE_CHECKING:
    from napari.components import ViewerModel

_HINTS = {
    FOREGROUND: "Paint where the object surely is.",
    BACKGROUND: "Paint where the object surely is not.",
    UNKNOWN: "Erase: the matte is found where nothing is painted.",
}


def make_paint_buttons(viewer: ViewerModel, trimap: LayerChoice) -> dict[int, QPushButton]:
    """Return a button for each label, which selects the trimap that is chosen and takes up the label's brush."""
    buttons = {}
    for label, hint in _HINTS.items():
        button = QPushButton(f"{label} {LABEL_NAMES[label]}")
        button.setToolTip(hint)
        if label in LABEL_COLOURS:
            show_swatch(button, LABEL_COLOURS[label])
        button.clicked.connect(partial(_take_brush, viewer, trimap, label))
        buttons[label] = button
    return buttons


def _take_brush(viewer: ViewerModel, trimap: LayerChoice, label: int, _: bool = False) -> None:
    """Select the trimap layer and paint with a label; unknown, label 0, is napari's eraser."""
    layer = trimap.layer
    if layer is None:  # removed since the button was enabled
        return
    viewer.layers.selection.active = layer
    layer.mode = "erase" if label == UNKNOWN else "paint"
    if label != UNKNOWN:
        layer.selected_label = label
