"""The controls that say what is seen of a matte: before and after refinement, maps over it, a preview."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from magicgui.widgets import CheckBox, ComboBox
from napari.layers import Image, Layer
from qtpy.QtCore import QObject, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QLabel, QPushButton, QSlider

from napari_lsa_matting.channel_choice import ChannelChoice
from napari_lsa_matting.channels import picture_at
from napari_lsa_matting.checks import match_planes
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import ImagePlane, made_as
from napari_lsa_matting.matte_layers import INITIAL, PREVIEW, UNCERTAINTY, VIOLATION, MatteLayers
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.panel import Message, Panel, add_row, show_row, side_by_side
from napari_lsa_matting.preview import PreviewOutcome, PreviewRequest
from napari_lsa_matting.swatch import Ramp, show_swatch
from napari_lsa_matting.wheel import scroll_over

if TYPE_CHECKING:
    from napari.components import ViewerModel

_AFTER = 100
_SLIDER_TIP = "Left: the matte before refinement; right: after it; between: a mixture of both."
_NOT_REFINED = "The last matte was not refined, so there is nothing to compare."


class _Map(NamedTuple):
    """What is said of a map that can be laid over the matte."""

    text: str
    tip: str
    not_offered: str
    legend: str


_MAPS = {
    VIOLATION: _Map(
        "Violation",
        "Where the network's own matte disobeys the trimap at its borders: there the trimap or the network is wrong. "
        "Where nothing is coloured, it obeys.",
        "The last matte does not come from a network.",
        "How far the opacity is from the trimap's, at its borders.",
    ),
    UNCERTAINTY: _Map(
        "Uncertainty",
        "How far the averaged copies are apart: where to paint next.",
        "The last matte is not a mean: choose to average over copies, and run.",
        "The standard deviation of the copies' opacities.",
    ),
}
_PREVIEWS = ["off", "checkerboard", "colour", "layer"]


class MatteView(QObject):
    """Rows of a group, which show and hide layers beside the matte shown last.

    Parameters
    ----------
    panel : Panel
        Where the rows go.
    layers : MatteLayers
        What they show.
    """

    def __init__(self, panel: Panel, layers: MatteLayers) -> None:
        super().__init__(panel)
        self._viewer: ViewerModel = panel.viewer
        self._layers = layers
        self._form = form = panel.add_group("See")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _AFTER)
        self.slider.setValue(_AFTER)
        self.slider.valueChanged.connect(self._blend)
        self.slider_ends = [QLabel("Before"), QLabel("After")]
        scroll_over(self.slider)
        form.addRow(side_by_side(self.slider_ends[0], self.slider, self.slider_ends[1]))
        self.boxes = {kind: CheckBox(text=each.text, tooltip=each.tip) for kind, each in _MAPS.items()}
        self.legends = {kind: Ramp(each.legend) for kind, each in _MAPS.items()}
        for kind, box in self.boxes.items():
            form.addRow(box.native)
            form.addRow(self.legends[kind])
            box.changed.connect(partial(self._show_map, kind))
        self.preview = ComboBox(
            choices=_PREVIEWS, tooltip="Lay the object, in its own colours, over something else; it follows every run."
        )
        add_row(form, "Preview", self.preview)
        self.colour = QColor("#00b140")
        self.colour_button = QPushButton()
        self.colour_button.setToolTip("The colour behind the object.")
        self.colour_button.clicked.connect(self._ask_for_colour)
        add_row(form, "Colour", self.colour_button)
        self.behind = panel.add_choice(
            form, "Layer", LayerChoice(self._viewer, _can_lie_behind, tooltip="The picture behind the object.")
        )
        self.behind_channels = ChannelChoice(self._viewer, form, self.behind)
        self.status = Message()
        form.addRow(self.status)
        self._job: Job | None = None
        self._waiting = self._reveal = False
        self._foreground: PreviewOutcome | None = None
        self._foreground_of: object = None
        self.preview.changed.connect(self._change_preview)
        self.behind.changed.connect(self._update_preview)
        self.behind_channels.changed.connect(self._update_preview)
        self._layers.changed.connect(self._note_matte)
        self._show_colour()
        self._change_preview()
        self.refresh()

    @property
    def busy(self) -> bool:
        """Whether a preview is on its way."""
        return self._job is not None or self._waiting

    def refresh(self) -> None:
        """Offer what the matte shown last has, and show what is seen of it."""
        refined = self._layers.offers(INITIAL)
        for part in (self.slider, *self.slider_ends):
            part.setEnabled(refined)
            part.setToolTip(_SLIDER_TIP if refined else _NOT_REFINED)
        for kind, box in self.boxes.items():
            offered = self._layers.offers(kind)
            box.enabled = offered
            box.tooltip = _MAPS[kind].tip if offered else _MAPS[kind].not_offered
            with box.changed.blocked():
                box.value = offered and self._layers.is_shown(kind)
            self._show_legend(kind, box.value)

    def use_colour(self, colour: QColor) -> None:
        """Take a colour for the preview."""
        self.colour = colour
        self._show_colour()
        self._update_preview()

    def _blend(self, value: int) -> None:
        self._layers.blend(1 - value / _AFTER)

    def _show_map(self, kind: str, shown: bool) -> None:
        self._layers.set_shown(kind, shown)
        self._show_legend(kind, shown)

    def _show_legend(self, kind: str, shown: bool) -> None:
        """Say what the colours of a map mean, while it is seen."""
        legend, layer = self.legends[kind], self._layers.layer(kind)
        if shown and layer is not None:
            legend.show_range(layer.colormap, layer.contrast_limits)
        legend.setVisible(shown)

    def _note_matte(self) -> None:
        self.refresh()
        last = self._layers.last
        if last is not None and last.outcome is not self._foreground_of and self.preview.value != "off":
            self._update_preview()
        if self._layers.offers(INITIAL) and self.slider.value() < _AFTER and not self._layers.is_shown(INITIAL):
            self.slider.blockSignals(True)  # it was hidden by its eye in the layer list
            self.slider.setValue(_AFTER)
            self.slider.blockSignals(False)

    def _change_preview(self, _: object = None) -> None:
        show_row(self._form, self.colour_button, self.preview.value == "colour")
        show_row(self._form, self.behind, self.preview.value == "layer")
        self.behind_channels.show(self.preview.value == "layer")
        self._reveal = True
        self._update_preview()

    def _update_preview(self, _: object = None) -> None:
        """Compute the preview anew, in the background, and the latest only."""
        self.status.say()
        if self.preview.value == "off":
            self._waiting = False
            self._layers.set_shown(PREVIEW, False)
            return
        self._waiting = True
        self._begin()

    def _begin(self) -> None:
        if self._job is not None or not self._waiting:
            return
        self._waiting = False
        last = self._layers.last
        if last is None:
            self.status.say("There is no matte to preview yet: run first.")
            return
        behind: ImagePlane | tuple[float, float, float] | None = None
        if self.preview.value == "colour":
            behind = (self.colour.redF(), self.colour.greenF(), self.colour.blueF())
        elif self.preview.value == "layer":
            pair = match_planes(self._viewer, last.image, self.behind.layer) if self.behind.layer else None
            if pair is None or pair.problem is not None:
                self.status.say(pair.problem if pair else "There is no image layer to lie behind: open one.")
                return
            behind = picture_at(self._viewer, self.behind.layer, pair.second)
        outcome = last.outcome
        known = self._foreground.foreground if self._foreground and self._foreground_of is outcome else None
        request = PreviewRequest(outcome.image, outcome.result.alpha, behind, known)
        job = self._job = Job("Preview", request.run, self)
        job.succeeded.connect(lambda preview: self._show_preview(outcome, preview))
        job.failed.connect(self._fail)
        job.ended.connect(self._go_on)
        job.start()

    def _show_preview(self, outcome: object, preview: PreviewOutcome) -> None:
        self._foreground, self._foreground_of = preview, outcome
        last = self._layers.last
        if self.preview.value == "off" or last is None or last.outcome.result.alpha.shape != preview.pixels.shape[:2]:
            return
        self._layers.put(PREVIEW, preview.pixels)
        if self._reveal:  # otherwise it stays hidden where the user has hidden it
            self._reveal = False
            self._layers.set_shown(PREVIEW, True)

    def _fail(self, error: Exception) -> None:
        self.status.say(str(error))
        notify_error(error)

    def _go_on(self) -> None:
        self._job = None
        self._begin()

    def _ask_for_colour(self, _: bool = False) -> None:
        colour = QColorDialog.getColor(self.colour, self.colour_button, "Colour behind the object")
        if colour.isValid():
            self.use_colour(colour)

    def _show_colour(self) -> None:
        show_swatch(self.colour_button, self.colour)
        self.colour_button.setText(self.colour.name())


def _can_lie_behind(layer: Layer) -> bool:
    return isinstance(layer, Image) and made_as(layer) not in (PREVIEW, VIOLATION, UNCERTAINTY, INITIAL, "alpha")
