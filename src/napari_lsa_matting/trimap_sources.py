"""The part of the Trimap widget that says what a trimap is made from: a segmentation, an alpha, or strokes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from magicgui.widgets import ComboBox, FloatSpinBox
from napari.layers import Image, Labels, Layer
from qtpy.QtWidgets import QFormLayout

from lsa_engine.errors import InputError
from napari_lsa_matting.checks import match_planes
from napari_lsa_matting.distance_box import DistanceBox
from napari_lsa_matting.labels_look import frozen_plane
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import (
    Index,
    image_plane,
    is_labels,
    is_matte,
    is_trimap,
    labels_plane,
    made_as,
    pixel_spacing,
    plane_index,
)
from napari_lsa_matting.panel import Panel, add_row, show_row
from napari_lsa_matting.trimap_layer import plane_of
from napari_lsa_matting.trimap_requests import AlphaRequest, LabelsRequest, SegmentationRequest, StrokesRequest

if TYPE_CHECKING:
    from napari.components import ViewerModel

SEGMENTATION, ALPHA, STROKES = "segmentation", "alpha", "strokes"
_SOURCES = [("labels", SEGMENTATION), ("an alpha", ALPHA), ("strokes", STROKES)]
_CERTAINTY = 80  # per cent


class TrimapSources:
    """Rows of a form: the source, its layer, and distances in that layer's unit.

    Parameters
    ----------
    panel : Panel
        The widget that the rows are part of.
    form : QFormLayout
        Gets the rows.
    band : int
        Pixels of unknown to propose on either side of an outline.

    Attributes
    ----------
    kind : ComboBox
        "segmentation", "alpha" or "strokes".
    labels, alpha : LayerChoice
        The layers of the first two.
    inner, outer, least_width : DistanceBox
    certainty : FloatSpinBox
        In per cent.
    """

    def __init__(self, panel: Panel, form: QFormLayout, band: int) -> None:
        self._viewer, self._form = panel.viewer, form
        self.kind = ComboBox(
            choices=_SOURCES,
            tooltip="Make it from a segmentation, from an alpha, or fill it in from strokes on the trimap.",
        )
        add_row(form, "From", self.kind)
        self.labels = panel.add_choice(
            form,
            "Labels",
            LayerChoice(
                panel.viewer,
                _is_segmentation,
                tooltip="A segmentation: all of its labels together are the object.",
            ),
        )
        self.alpha = panel.add_choice(
            form,
            "Alpha",
            LayerChoice(
                panel.viewer,
                is_matte,
                _is_alpha,
                tooltip="An image of one channel, 0 for background and 1 for object.",
            ),
        )
        self.inner = DistanceBox(
            band, tooltip="How far the unknown reaches from the outline into the object; beyond is foreground."
        )
        self.outer = DistanceBox(
            band, tooltip="How far the unknown reaches from the outline outwards; beyond is background."
        )
        self.certainty = FloatSpinBox(
            value=_CERTAINTY,
            min=51,
            max=99,
            step=1,
            tooltip="How sure the filling in must be of a pixel; what it is less sure of stays unknown.",
        )
        self.certainty.native.setDecimals(0)
        self.certainty.native.setSuffix(" %")
        self.least_width = DistanceBox(
            band, tooltip="How far from the outline everything stays unknown, however sure the filling in is."
        )
        self._kinds_of = {
            self.labels: (SEGMENTATION,),
            self.alpha: (ALPHA,),
            self.inner: (SEGMENTATION, ALPHA),
            self.outer: (SEGMENTATION, ALPHA),
            self.certainty: (STROKES,),
            self.least_width: (STROKES,),
        }
        for text, widget in (
            ("Unknown inside", self.inner),
            ("Unknown outside", self.outer),
            ("Certainty", self.certainty),
            ("Least width", self.least_width),
        ):
            add_row(form, text, widget)

    def layer(self, trimap: Labels | None) -> Layer | None:
        """Return the layer that the trimap is made from; of strokes, the trimap."""
        return {SEGMENTATION: self.labels.layer, ALPHA: self.alpha.layer, STROKES: trimap}[self.kind.value]

    def refresh(self, trimap: Labels | None) -> None:
        """Show the rows of the source, in the unit of its layer."""
        for row, kinds in self._kinds_of.items():
            show_row(self._form, row, self.kind.value in kinds)
        for box in (self.inner, self.outer, self.least_width):
            box.follow(self.layer(trimap))

    def problem(self, image: Image | None, trimap: Labels | None) -> str | None:
        """Say why no trimap can be made, or None."""
        layer = self.layer(trimap)
        if self.kind.value == STROKES:
            return _strokes_problem(self._viewer, image, trimap)
        if layer is None and self.kind.value == SEGMENTATION:
            return "There is no Labels layer with a segmentation: make one by thresholding or painting."
        if layer is None:
            return "There is no image layer of one channel: open an alpha, or make one with the Matting widget."
        try:
            index = plane_index(layer, self._viewer)
        except InputError as error:
            return str(error)
        if isinstance(layer, Labels) and not _has_labels(layer, index):
            return f"{layer.name!r} has no labels in this plane: label the object first."
        return None

    def request(self, image: Image | None, trimap: Labels | None) -> tuple[LabelsRequest, Layer, Index]:
        """Return what makes the trimap, the layer that it will lie on, and its plane, where there is no problem."""
        layer = self.layer(trimap)
        if layer is None:
            raise InputError("There is no layer to make a trimap from: choose one.")
        index, spacing = plane_index(layer, self._viewer), pixel_spacing(layer)[0]
        if isinstance(layer, Labels) and image is not None and self.kind.value == STROKES:
            plane = image_plane(image, match_planes(self._viewer, image, layer).first)
            certainty, width = self.certainty.value / 100, float(self.least_width.value)
            return StrokesRequest(plane, labels_plane(layer, index), certainty, width, spacing), layer, index
        inner, outer = float(self.inner.value), float(self.outer.value)
        if isinstance(layer, Labels):
            return SegmentationRequest(frozen_plane(layer, index), inner, outer, spacing), layer, index
        return AlphaRequest(image_plane(layer, index).pixels, inner, outer, spacing), layer, index


def _strokes_problem(viewer: ViewerModel, image: Image | None, trimap: Labels | None) -> str | None:
    if image is None:
        return "There is no image layer: open the image that the strokes are on."
    if trimap is None:
        return "There are no strokes: press Paint new, and paint one on the object and one beside it."
    return match_planes(viewer, image, trimap).problem


def _is_segmentation(layer: Layer) -> bool:
    return is_labels(layer) and not is_trimap(layer)


def _is_alpha(layer: Layer) -> bool:
    return made_as(layer) == "alpha"


def _has_labels(layer: Labels, index: Index) -> bool:
    """Return whether a plane has labels; a lazy one is only looked at by the run."""
    plane = plane_of(layer, index)
    return not isinstance(plane, np.ndarray) or any(row.any() for row in plane)
