"""The Measure widget: areas, shape, transition and intensities of a matte, or of every labelled object in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Image, Labels, Layer
from qtpy.QtWidgets import QFileDialog, QPushButton

from lsa_engine.errors import InputError
from napari_lsa_matting.code_snippet import Script
from napari_lsa_matting.copy_code import CopyCode
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import (
    full_data,
    image_notes,
    is_labels,
    is_matte,
    is_trimap,
    made_as,
)
from napari_lsa_matting.measure_code import measure_script
from napari_lsa_matting.measurement import (
    CsvRequest,
    MeasureOutcome,
    MeasureRequest,
    Pixels,
    Region,
    channel_axes,
    find_region,
    has_volume,
    image_pixels,
    is_blank,
    is_distorted,
    likely_channel_axis,
)
from napari_lsa_matting.measurement_layers import put_on_labels, show_centroid
from napari_lsa_matting.panel import JobControls, Message, Panel, add_row, show_row
from napari_lsa_matting.table_view import TableView

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from lsa_engine.measure import Measurement

_EXTENTS = [("the plane that is seen", 2), ("the whole volume", 3)]
_ONE_CHANNEL = ("what is seen", None)
_REACH = (
    "Labels should reach beyond the transition: where the border of a label cuts through the alpha, "
    "it counts as outline."
)
_SHARE_TOLD = 0.005


class MeasureWidget(Panel):
    """Measure a matte, or every labelled object in it.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._measurements: list[Measurement] = []
        self._channels_of: object = None
        self._what = what = self.add_group("What")
        self.alpha = self.add_choice(
            what,
            "Alpha",
            LayerChoice(
                napari_viewer,
                is_matte,
                _is_alpha,
                tooltip="The opacity, in [0, 1] or unsigned integers; the Matting widget makes one.",
            ),
        )
        self.image = self.add_choice(
            what,
            "Image",
            LayerChoice(
                napari_viewer,
                _is_image,
                nullable=True,
                tooltip="Whose intensities are measured, weighted by the alpha; none leaves them away.",
            ),
        )
        self.channels = ComboBox(choices=[_ONE_CHANNEL], tooltip="Which planes of the image are measured.")
        add_row(what, "Channels", self.channels)
        self.labels = self.add_choice(
            what,
            "Objects",
            LayerChoice(
                napari_viewer,
                _is_segmentation,
                nullable=True,
                tooltip="A Labels layer: one row for each label. None measures the whole matte as one object.",
            ),
        )
        self.extent = ComboBox(choices=_EXTENTS, tooltip="A plane in areas, or the last three axes in volumes.")
        add_row(what, "Measure", self.extent)
        for control in (self.channels, self.extent):
            control.changed.connect(self.refresh_soon)

        self.notes = Message()
        self.add(self.notes)
        self.controls = JobControls("Run", "Measure, and show the numbers here and as features of a layer.")
        self.controls.run_requested.connect(self.run)
        self.add(self.controls)
        self.follow_job(self.controls)
        self.table = TableView()
        self.table.hide()
        self.add(self.table)
        self.save_button = QPushButton("Save CSV…")
        self.save_button.setToolTip("Write the table with all digits, and units in the names of its columns.")
        self.save_button.clicked.connect(self._choose_file)
        self.save_button.hide()
        self.add(self.save_button)
        self.code = CopyCode("the last table")
        self.add(self.code)
        self.refresh()

    def refresh(self) -> None:
        """Say what would be measured, or what stands against it."""
        show_row(self._what, self.extent, has_volume(self.alpha.layer))
        self._offer_channels()
        self.save_button.setEnabled(not self.controls.busy)
        try:
            region = self._region()
        except InputError as error:
            self.controls.set_problem(str(error))
            self.notes.say()
            return
        self.controls.set_problem(None)
        alpha, image, labels = self.alpha.layer, self.image.layer, self.labels.layer
        self.notes.say(
            region.describe(alpha),
            f"{alpha.name!r} is sheared or stretched by an affine, which is left out of account: sizes go by its scale."
            if is_distorted(alpha, region.axes)
            else None,
            *(image_notes(image) if image is not None else []),
            _REACH if labels is not None else None,
        )

    def run(self) -> None:
        """Measure what is chosen, in the background."""
        try:
            region = self._region()
        except InputError:  # painted or moved since the last check
            self.refresh()
            return
        alpha, image, labels = self.alpha.layer, self.image.layer, self.labels.layer
        pixels = None if image is None else image_pixels(image, region.image_index, self.channels.value)
        request = MeasureRequest(
            alpha=Pixels(full_data(alpha), region.index),
            image=pixels,
            labels=None if labels is None else Pixels(full_data(labels), region.labels_index),
            spacing=region.spacing,
            unit=region.unit,
        )
        chosen = {"alpha": alpha, "image": image, "labels": labels}
        names = {what: None if layer is None else layer.name for what, layer in chosen.items()}
        paths = {what: None if layer is None else layer.source.path for what, layer in chosen.items()}
        facts = {
            **names,
            **{f"{what}_path": path for what, path in paths.items()},
            "channels": [] if pixels is None else list(pixels.names),
            "axes": region.axes,
            "plane": list(region.index),
            "spacing": list(region.spacing),
            "unit": region.unit,
        }
        self.save_button.setEnabled(False)
        sources = [(layer, full_data(layer)) for layer in (alpha, image, labels) if layer is not None]
        script = partial(measure_script, request, names, paths)
        deliver = partial(self._show, sources, region, facts, script)
        self.controls.start(f"Measuring {alpha.name}", request.run, deliver)

    def save_csv(self, path: Path) -> None:
        """Write the table into a file, in the background."""
        if self._measurements:
            self.save_button.setEnabled(False)
            work = CsvRequest(self._measurements, path).run
            self.controls.start("Table", work, lambda made: self.controls.outcome.say(f"Saved {made}."))

    def _choose_file(self, _: bool = False) -> None:
        path, _filter = QFileDialog.getSaveFileName(self, "Save measurements", "measurements.csv", "Tables (*.csv)")
        if path:
            self.save_csv(Path(path) if Path(path).suffix else Path(path + ".csv"))

    @property
    def _axes(self) -> int:
        return int(self.extent.value) if has_volume(self.alpha.layer) else 2

    def _offer_channels(self) -> None:
        """Offer the axes that may hold channels; what the user has chosen for this image stays."""
        image, axes = self.image.layer, self._axes
        offered = channel_axes(image, axes)
        show_row(self._what, self.channels, bool(offered))
        if self._channels_of == (image, offered):
            return
        self._channels_of = (image, offered)
        self.channels.choices = [_ONE_CHANNEL, *offered]
        self.channels.value = likely_channel_axis(image, axes)

    def _region(self) -> Region:
        alpha, labels = self.alpha.layer, self.labels.layer
        if alpha is None:
            raise InputError("There is no alpha: make one with the Matting widget, or open one as an image.")
        region = find_region(self.viewer, alpha, self.image.layer, labels, self._axes)
        # A volume is looked at in the background only: it may be large.
        if labels is not None and region.axes == 2 and is_blank(labels, region.labels_index):
            raise InputError(f"{labels.name!r} has no labels in this plane: label objects first, or choose none.")
        return region

    def _show(
        self,
        sources: list[tuple[Layer, Any]],
        region: Region,
        facts: dict[str, Any],
        script: Callable[[MeasureOutcome], Script],
        outcome: MeasureOutcome,
    ) -> None:
        if any(layer not in self.viewer.layers or full_data(layer) is not data for layer, data in sources):
            self.controls.outcome.say("A layer was removed or replaced meanwhile, so its measurements were dropped.")
            return
        facts = {**facts, **outcome.inputs, "versions": outcome.versions}
        self._measurements = outcome.measurements
        self.code.offer(partial(script, outcome))
        self.table.show_columns(outcome.columns)
        self.table.show()
        self.save_button.show()
        alpha, last = sources[0][0], sources[-1][0]
        if isinstance(last, Labels):
            put_on_labels(last, outcome.columns, facts)
            count = len(outcome.measurements)
            found = f"{count} object{'' if count == 1 else 's'}; the rows are also features of {last.name!r}."
        else:
            points = show_centroid(self.viewer, alpha, region, outcome.measurements[0], outcome.columns, facts)
            if points is None:
                found = f"{alpha.name!r} is transparent everywhere, so it has no centroid and no shape."
            else:
                found = f"The numbers are also features of the point {points.name!r}."
        outside = None
        if outcome.outside is not None and outcome.outside > _SHARE_TOLD:
            outside = f"{100 * outcome.outside:.2g} % of the opacity lies outside of all labels."
        self.controls.outcome.say(found, outside)


def _is_image(layer: Layer) -> bool:
    return isinstance(layer, Image) and made_as(layer) != "alpha"


def _is_alpha(layer: Layer) -> bool:
    return made_as(layer) == "alpha"


def _is_segmentation(layer: Layer) -> bool:
    return is_labels(layer) and not is_trimap(layer)
