"""The Trimap widget: a Labels layer to paint on, or one made from a segmentation or a file, with checks in words."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import FloatSpinBox
from napari.layers import Labels, Layer
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout

from lsa_engine.errors import InputError, LsaError
from napari_lsa_matting.jobs import notify_error
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import (
    is_labels,
    is_picture,
    is_trimap,
    labels_plane,
    pixel_spacing,
    plane_grid,
    plane_index,
)
from napari_lsa_matting.panel import JobControls, Message, Panel, add_row
from napari_lsa_matting.requests import TrimapRequest
from napari_lsa_matting.session import session_of
from napari_lsa_matting.trimap_layer import (
    BACKGROUND,
    FOREGROUND,
    LABEL_COLOURS,
    LABEL_NAMES,
    UNKNOWN,
    add_trimap_layer,
    examine,
    replace_plane,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel

_PIXELS_KEPT = 5  # the distances proposed, in pixels
_HINTS = {
    FOREGROUND: "Paint where the object surely is.",
    BACKGROUND: "Paint where the object surely is not.",
    UNKNOWN: "Erase: the matte is found where nothing is painted.",
}


class TrimapWidget(Panel):
    """Make a trimap, and see what it lacks.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._spacing_of: object = None

        new = self.add_group("New trimap")
        self.image = self.add_choice(
            new,
            "Image",
            LayerChoice(napari_viewer, is_picture, tooltip="The trimap covers this layer's pixels."),
        )
        self.new_button = QPushButton("Paint new")
        self.new_button.setToolTip("Add an empty trimap layer on the image and take up the brush.")
        self.new_button.clicked.connect(self._make_new)
        self.file_button = QPushButton("Open file …")
        self.file_button.setToolTip("Read a trimap for the image: 0, 128, 255 or 0, 0.5, 1; PNG or TIFF.")
        self.file_button.clicked.connect(self._ask_for_file)
        buttons = QHBoxLayout()
        buttons.addWidget(self.new_button)
        buttons.addWidget(self.file_button)
        new.addRow(buttons)

        segmentation = self.add_group("From a segmentation")
        self.labels = self.add_choice(
            segmentation,
            "Labels",
            LayerChoice(
                napari_viewer, _is_segmentation, tooltip="A segmentation: all of its labels together are the object."
            ),
        )
        self.inner = FloatSpinBox(
            min=0,
            max=1e9,
            tooltip="How far the unknown reaches from the outline into the object; beyond is foreground.",
        )
        self.outer = FloatSpinBox(
            min=0, max=1e9, tooltip="How far the unknown reaches from the outline outwards; beyond is background."
        )
        add_row(segmentation, "Unknown inside", self.inner)
        add_row(segmentation, "Unknown outside", self.outer)
        self.controls = JobControls(
            "Make a trimap", "Foreground inside, background outside, and an unknown band along the outline."
        )
        self.controls.run_requested.connect(self._make_from_labels)
        segmentation.addRow(self.controls)
        self.follow_job(self.controls)

        paint = self.add_group("Paint")
        self.trimap = self.add_choice(
            paint,
            "Trimap",
            LayerChoice(napari_viewer, is_labels, is_trimap, tooltip="The trimap to paint on and to check."),
        )
        self.paint_buttons = self._make_paint_buttons()
        column = QVBoxLayout()
        for button in self.paint_buttons.values():
            column.addWidget(button)
        paint.addRow(column)
        self.status = Message()
        paint.addRow(self.status)
        self.refresh()

    def refresh(self) -> None:
        """Check the trimap, and enable what can be done."""
        self.new_button.setEnabled(self.image.layer is not None)
        self.file_button.setEnabled(self.image.layer is not None)
        self._propose_distances()
        self.controls.set_problem(self._segmentation_problem())
        self.status.say(*self._trimap_status())
        for button in self.paint_buttons.values():
            button.setEnabled(self.trimap.layer is not None)

    def open_file(self, path: str | Path) -> None:
        """Add the trimap in a file to the viewer, on the image that is chosen; an error is shown as a notification."""
        from lsa_engine.image_io import read_trimap

        image = self.image.layer
        try:
            index = plane_index(image, self.viewer)
            labels = read_trimap(path).to_labels()
            expected = plane_grid(image)[1]
            if labels.shape != expected:
                raise InputError(
                    f"{Path(path).name} is {labels.shape[0]} × {labels.shape[1]} and {image.name!r} {expected[0]} × "
                    f"{expected[1]} pixels (height × width), but they must have the same size: "
                    "choose the file of this image."
                )
        except LsaError as error:
            notify_error(error)
            return
        add_trimap_layer(self.viewer, image, {index: labels})

    def _make_new(self, _: bool = False) -> None:
        layer = add_trimap_layer(self.viewer, self.image.layer, {})
        layer.mode = "paint"
        self.refresh()

    def _ask_for_file(self, _: bool = False) -> None:
        path, _filter = QFileDialog.getOpenFileName(
            self, "Open a trimap", "", "Images (*.png *.tif *.tiff *.bmp);;All (*)"
        )
        if path:
            self.open_file(path)

    def _segmentation_problem(self) -> str | None:
        layer = self.labels.layer
        if layer is None:
            return "There is no Labels layer with a segmentation: make one by thresholding or painting."
        try:
            index = plane_index(layer, self.viewer)
        except InputError as error:
            return str(error)
        if not (labels_plane(layer, index) > 0).any():
            return f"{layer.name!r} has no labels in this plane: label the object first."
        return None

    def _make_from_labels(self) -> None:
        layer = self.labels.layer
        index = plane_index(layer, self.viewer)
        request = TrimapRequest(
            labels_plane(layer, index), float(self.inner.value), float(self.outer.value), pixel_spacing(layer)[0]
        )
        self.controls.start(f"Trimap from {layer.name}", request.run, partial(self._show_trimap, layer, index))

    def _show_trimap(self, source: Labels, index: tuple[int, ...], labels: Any) -> None:
        if source not in self.viewer.layers:
            self.controls.outcome.say("The segmentation was removed meanwhile, so its trimap was dropped.")
            return
        session = session_of(self.viewer)
        trimap = session.output(source, "trimap")
        if isinstance(trimap, Labels) and trimap in self.viewer.layers and trimap.data.shape == source.data.shape:
            replace_plane(trimap, index, labels)
        else:
            session.remember_output(source, "trimap", add_trimap_layer(self.viewer, source, {index: labels}))

    def _propose_distances(self) -> None:
        """Offer a few pixels in the layer's unit; what the user has set for this layer stays."""
        layer = self.labels.layer
        for box in (self.inner, self.outer):
            box.enabled = layer is not None
        if layer is None:
            return
        (height, width), unit = pixel_spacing(layer)
        calibrated = (height, width, unit)
        if calibrated == self._spacing_of:
            return
        self._spacing_of = calibrated
        pixel = min(height, width)
        decimals = max(1, 2 - math.floor(math.log10(pixel)))
        for box in (self.inner, self.outer):
            box.native.setDecimals(decimals)
            box.native.setSingleStep(pixel)
            box.native.setSuffix(f" {unit}")
            box.value = _PIXELS_KEPT * pixel

    def _trimap_status(self) -> list[str]:
        layer = self.trimap.layer
        if layer is None:
            return ["There is no trimap yet: paint a new one, open a file, or make one from a segmentation."]
        try:
            index = plane_index(layer, self.viewer)
        except InputError as error:
            return [str(error)]
        labels = labels_plane(layer, index)
        findings = examine(labels)
        image = self.image.layer
        texts = [finding.text for finding in findings]
        if image is not None and plane_grid(image)[1] != labels.shape:
            height, width = plane_grid(image)[1]
            texts.append(
                f"The trimap is {labels.shape[0]} × {labels.shape[1]}, but {image.name!r} {height} × {width} pixels "
                "(height × width): choose layers that belong together."
            )
        if texts:
            return texts
        unknown = 100 * float((labels == UNKNOWN).mean())
        return [f"Ready to matte: {unknown:.0f} % of the pixels are unknown."]

    def _make_paint_buttons(self) -> dict[int, QPushButton]:
        buttons = {}
        for label in (FOREGROUND, BACKGROUND, UNKNOWN):
            button = QPushButton(f"{label} {LABEL_NAMES[label]}")
            button.setToolTip(_HINTS[label])
            if label in LABEL_COLOURS:
                swatch = QPixmap(12, 12)
                swatch.fill(QColor(LABEL_COLOURS[label]))
                button.setIcon(QIcon(swatch))
            button.clicked.connect(partial(_take_brush, self.viewer, self.trimap, label))
            buttons[label] = button
        return buttons


def _take_brush(viewer: ViewerModel, trimap: LayerChoice, label: int, _: bool = False) -> None:
    """Select the trimap layer and paint with a label; unknown, label 0, is napari's eraser."""
    layer = trimap.layer
    viewer.layers.selection.active = layer
    layer.mode = "erase" if label == UNKNOWN else "paint"
    if label != UNKNOWN:
        layer.selected_label = label


def _is_segmentation(layer: Layer) -> bool:
    return is_labels(layer) and not is_trimap(layer)
