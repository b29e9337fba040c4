"""The part of the Trimap widget that says what a trimap is made from: a segmentation, an alpha, or strokes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from magicgui.widgets import ComboBox, FloatSpinBox
from napari.layers import Image, Labels, Layer
from qtpy.QtWidgets import QFormLayout

from lsa_engine.errors import InputError
from napari_lsa_matting.channels import Channels, channels_of
from napari_lsa_matting.checks import match_planes
from napari_lsa_matting.distance_box import DistanceBox
from napari_lsa_matting.labels_look import frozen_plane
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import (
    ImagePlane,
    Index,
    full_data,
    image_notes,
    image_plane,
    is_labels,
    is_matte,
    is_trimap,
    made_as,
    pixel_spacing,
    plane_index,
    spatial_shape,
)
from napari_lsa_matting.panel import Message, Panel, add_row, show_row
from napari_lsa_matting.plane_rows import PlaneRows
from napari_lsa_matting.stack_frames import Stack, find_stack, own_stack
from napari_lsa_matting.stack_problems import problem_of_range
from napari_lsa_matting.stack_requests import StackImage
from napari_lsa_matting.trimap_layer import plane_of, problem_of_writing
from napari_lsa_matting.trimap_planes import LayerPlanes, PlanesRequest, StrokesPlanes
from napari_lsa_matting.trimap_requests import AlphaRequest, LabelsRequest, SegmentationRequest, StrokesRequest

SEGMENTATION, ALPHA, STROKES = "segmentation", "alpha", "strokes"
_SOURCES = [("labels", SEGMENTATION), ("an alpha", ALPHA), ("strokes", STROKES)]
_CERTAINTY = 80  # per cent
_NO_LAYER = "There is no layer to make a trimap from: choose one."


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
    planes : PlaneRows
        Which planes of a stack.
    notes : Message
        What is to be known of how the image under strokes is read.
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
            band,
            tooltip="How far the unknown reaches from the outline into the object; beyond is foreground. "
            "It is measured in each plane alone, not across planes.",
        )
        self.outer = DistanceBox(
            band,
            tooltip="How far the unknown reaches from the outline outwards; beyond is background. "
            "It is measured in each plane alone, not across planes.",
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
        self.planes = PlaneRows(panel.viewer, form)
        self.notes = Message()
        form.addRow(self.notes)

    def layer(self, trimap: Labels | None) -> Layer | None:
        """Return the layer that the trimap is made from; of strokes, the trimap."""
        return {SEGMENTATION: self.labels.layer, ALPHA: self.alpha.layer, STROKES: trimap}[self.kind.value]

    def refresh(self, image: Image | None, trimap: Labels | None) -> None:
        """Show the rows of the source, in the unit of its layer, and what planes there are."""
        for row, kinds in self._kinds_of.items():
            show_row(self._form, row, self.kind.value in kinds)
        for box in (self.inner, self.outer, self.least_width):
            box.follow(self.layer(trimap))
        stacked = image if self.kind.value == STROKES else self.layer(trimap)
        self.planes.offer(stacked, self._channels(stacked))
        try:
            stack = self.stack(image, trimap) if self.planes.several else None
        except InputError:  # told by the problem
            stack = None
        self.planes.show(stacked, stack)
        self.notes.say(*(image_notes(image) if image is not None and self.kind.value == STROKES else []))

    def problem(self, image: Image | None, trimap: Labels | None) -> str | None:
        """Say why no trimap can be made, or None."""
        layer = self.layer(trimap)
        if self.kind.value == STROKES:
            if image is None:
                return "There is no image layer: open the image that the strokes are on."
            if trimap is None:
                return "There are no strokes: press Paint new, and paint one on the object and one beside it."
            lazy = problem_of_writing(trimap)
            if lazy is not None:
                return lazy
        elif layer is None and self.kind.value == SEGMENTATION:
            return "There is no Labels layer with a segmentation: make one by thresholding or painting."
        elif layer is None:
            return "There is no image layer of one channel: open an alpha, or make one with the Matting widget."
        return self._range_problem(image, trimap) if self.planes.several else self._plane_problem(image, trimap)

    def stack(self, image: Image | None, trimap: Labels | None) -> Stack:
        """Return where the planes of a stack lie in the source, or under strokes, and in the trimap.

        Raises
        ------
        InputError
            If that cannot be told; in words for the user.
        """
        axis, layer = self.planes.range.axis.value, self.layer(trimap)
        if self.kind.value == STROKES:
            return find_stack(self._viewer, image, trimap, axis, self._channels(image))
        if layer is None:
            raise InputError(_NO_LAYER)
        return own_stack(self._viewer, layer, axis)

    def request(self, image: Image | None, trimap: Labels | None) -> tuple[LabelsRequest, Layer, Index]:
        """Return what makes the trimap, the layer that it will lie on, and its plane, where there is no problem."""
        layer = self.layer(trimap)
        if layer is None:
            raise InputError(_NO_LAYER)
        index = plane_index(layer, self._viewer)
        if isinstance(layer, Labels) and image is not None and self.kind.value == STROKES:
            channels, place = self._channels(image), match_planes(self._viewer, image, layer).first
            picture = image_plane(image, place if channels is None else channels.without(place), channels)
            return self._strokes(layer)(picture, frozen_plane(layer, index)), layer, index
        if isinstance(layer, Labels):
            return self._distances(layer)(frozen_plane(layer, index)), layer, index
        return self._distances(layer)(image_plane(layer, index).pixels), layer, index

    def planes_request(
        self, image: Image | None, trimap: Labels | None, target: Labels | None
    ) -> tuple[PlanesRequest, Layer]:
        """Return what makes the trimaps of the planes chosen, and the layer that they are of.

        Parameters
        ----------
        image, trimap : layer or None
            Those that are chosen.
        target : napari.layers.Labels or None
            The layer that is to be changed; None for a new one.
        """
        layer, stack = self.layer(trimap), self.stack(image, trimap)
        if layer is None:
            raise InputError(_NO_LAYER)
        data = full_data(layer)
        source: LayerPlanes | StrokesPlanes
        if isinstance(layer, Labels) and image is not None and self.kind.value == STROKES:
            pictures = StackImage.of(image, stack.image, self._channels(image))
            source = StrokesPlanes(pictures, data, stack.trimap, self._strokes(layer))
        else:
            lacking = "labels" if isinstance(layer, Labels) else "values above 0"
            source = LayerPlanes(data, stack.image, self._distances(layer), layer.name, lacking)
        before = None if target is None else full_data(target)
        return PlanesRequest(source, self.planes.range.wanted, stack.trimap, spatial_shape(layer), before), layer

    def _channels(self, image: Layer | None) -> Channels | None:
        """Return how the channels of the image under strokes are read."""
        return channels_of(self._viewer, image) if self.kind.value == STROKES else None

    def _distances(self, layer: Layer) -> Callable[[Any], SegmentationRequest | AlphaRequest]:
        """Return what turns pixels of the source into a request."""
        inner, outer, spacing = float(self.inner.value), float(self.outer.value), pixel_spacing(layer)[0]
        kind = SegmentationRequest if isinstance(layer, Labels) else AlphaRequest
        return partial(kind, inner=inner, outer=outer, spacing=spacing)

    def _strokes(self, layer: Labels) -> Callable[[ImagePlane, Any], StrokesRequest]:
        """Return what turns a picture and the strokes on it into a request."""
        certainty, width = self.certainty.value / 100, float(self.least_width.value)
        return partial(StrokesRequest, certainty=certainty, width=width, spacing=pixel_spacing(layer)[0])

    def _range_problem(self, image: Image | None, trimap: Labels | None) -> str | None:
        try:
            self.stack(image, trimap)
        except InputError as error:
            return str(error)
        return problem_of_range(self.planes.range.wanted, "plane")

    def _plane_problem(self, image: Image | None, trimap: Labels | None) -> str | None:
        layer = self.layer(trimap)
        if image is not None and trimap is not None and self.kind.value == STROKES:
            return match_planes(self._viewer, image, trimap).problem
        if layer is None:
            return _NO_LAYER
        try:
            index = plane_index(layer, self._viewer)
        except InputError as error:
            return str(error)
        if isinstance(layer, Labels) and not _has_labels(layer, index):
            return f"{layer.name!r} has no labels in this plane: label the object first."
        return None


def _is_segmentation(layer: Layer) -> bool:
    return is_labels(layer) and not is_trimap(layer)


def _is_alpha(layer: Layer) -> bool:
    return made_as(layer) == "alpha"


def _has_labels(layer: Labels, index: Index) -> bool:
    """Return whether a plane has labels; a lazy one is only looked at by the run."""
    plane = plane_of(layer, index)
    return not isinstance(plane, np.ndarray) or any(row.any() for row in plane)
