"""The Measure widget: areas, shape, transition and intensities of mattes, or of every labelled object in one."""

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
from napari_lsa_matting.loading import collector_at_rest
from napari_lsa_matting.measure_code import measure_script
from napari_lsa_matting.measure_options import THIS, ExtentRows, MatteRow
from napari_lsa_matting.measure_pixels import Pixels, channel_axes, image_pixels, is_blank, likely_channel_axis
from napari_lsa_matting.measure_request import CsvRequest, MeasureOutcome, MeasureRequest, Part
from napari_lsa_matting.measurement import Matte, Region, describe_mattes, find_region, is_distorted
from napari_lsa_matting.measurement_layers import KIND, put_on_labels, show_centroids
from napari_lsa_matting.panel import JobControls, Message, Panel, add_row, show_row
from napari_lsa_matting.stack_frames import some_frames
from napari_lsa_matting.table_view import TableView

if TYPE_CHECKING:
    from napari.components import ViewerModel

_ONE_CHANNEL = ("what is seen", None)
_REACH = (
    "Labels should reach beyond the transition: where the border of a label cuts through the alpha, "
    "it counts as outline."
)
_SHARE_TOLD = 0.005


class MeasureWidget(Panel):
    """Measure a matte, every labelled object in it, or several mattes; as they are seen, or frame by frame.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._outcome: MeasureOutcome | None = None
        self._facts: dict[str, Any] = {}
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
        self.mattes = MatteRow(what, napari_viewer)
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
        self.channels = ComboBox(
            choices=[_ONE_CHANNEL],
            tooltip="Which channels of the image are measured: the one that is seen, or all along an axis.",
        )
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
        self.scope = ExtentRows(what, napari_viewer)
        for control in (self.channels, self.mattes, self.scope):
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
        self.save_button.setToolTip(
            "Write the table with all digits, and units in the names of its columns. How it was made goes into a file "
            "beside it, named .csv.json."
        )
        self.save_button.clicked.connect(self._choose_file)
        self.save_button.hide()
        self.add(self.save_button)
        self.code = CopyCode("the last table")
        self.add(self.code)
        self.refresh()

    def refresh(self) -> None:
        """Say what would be measured, or what stands against it."""
        self._offer()
        self.save_button.setEnabled(not self.controls.busy)
        try:
            mattes, region = self._find()
        except InputError as error:
            self.controls.set_problem(str(error))
            self.notes.say()
            return
        self.controls.set_problem(None)
        alpha, image = mattes[0].layer, self.image.layer
        self.notes.say(
            region.describe(mattes),
            f"{alpha.name!r} is sheared or stretched by an affine, which is left out of account: sizes go by its scale."
            if is_distorted(alpha, region.axes)
            else None,
            *(image_notes(image) if image is not None else []),
            _REACH if self._labels is not None else None,
        )

    def close_down(self) -> None:
        """Stop to follow the layer list too."""
        self.mattes.let_go()
        super().close_down()

    @collector_at_rest()  # thousands of frames are some ten thousand objects, for which it would look through all
    def run(self) -> None:
        """Measure what is chosen, in the background."""
        try:
            mattes, region = self._find()
        except InputError:  # painted or moved since the last check
            self.refresh()
            return
        image, labels = self.image.layer, self._labels
        named = all(matte.name is not None for matte in mattes)
        request = MeasureRequest(
            parts=tuple(
                Part(
                    tuple(
                        Pixels(full_data(matte.layer), index) for matte, index in zip(mattes, place.mattes, strict=True)
                    ),
                    None if image is None else image_pixels(image, place.image, self.channels.value),
                    None if labels is None else Pixels(full_data(labels), place.labels),
                    place.frame,
                )
                for place in region.places
            ),
            spacing=region.spacing,
            unit=region.unit,
            names=tuple(str(matte.name) for matte in mattes) if named else (),
            series=region.series,
        )
        chosen: dict[str, list[Layer]] = {"alpha": [matte.layer for matte in mattes]}
        chosen |= {what: [] if layer is None else [layer] for what, layer in (("image", image), ("labels", labels))}
        names = {what: [layer.name for layer in layers] for what, layers in chosen.items()}
        paths = {what: [layer.source.path for layer in layers] for what, layers in chosen.items()}
        facts = {
            **{what: _one_or_all(each) for what, each in names.items()},
            **{f"{what}_path": _one_or_all(each) for what, each in paths.items()},
            "channels": list(request.channel_names or ()),
            "axes": region.axes,
            "plane": list(region.places[0].mattes[0]),
            "spacing": list(region.spacing),
            "unit": region.unit,
        }
        if request.names:
            facts["objects"] = list(request.names)
        if region.series is not None:
            facts |= {"frames": [place.frame for place in region.places], "frames_along": region.series.name}
        self.save_button.setEnabled(False)
        sources = [(layer, full_data(layer)) for layers in chosen.values() for layer in layers]
        script = partial(measure_script, request, names, paths)
        deliver = partial(self._show, sources, mattes, labels, region, facts, script)
        self.controls.start(f"Measuring {describe_mattes(mattes)}", request.run, deliver)

    def save_csv(self, path: Path) -> None:
        """Write the table into a file, in the background."""
        if self._outcome is not None:
            self.save_button.setEnabled(False)
            work = CsvRequest(self._outcome, path, self._facts).run
            self.controls.start("Table", work, lambda made: self.controls.outcome.say(f"Saved {made}."))

    def _choose_file(self, _: bool = False) -> None:
        path, _filter = QFileDialog.getSaveFileName(self, "Save measurements", "measurements.csv", "Tables (*.csv)")
        if path:
            self.save_csv(Path(path) if Path(path).suffix else Path(path + ".csv"))

    @property
    def _labels(self) -> Labels | None:
        """The labels that tell objects apart; mattes of several objects need none."""
        return None if self._several else self.labels.layer

    @property
    def _several(self) -> bool:
        return self.mattes.take.value != THIS

    def _offer(self) -> None:
        """Offer what the alpha and the image have; what the user has chosen for them stays."""
        alpha, image = self.alpha.layer, self.image.layer
        self.mattes.offer(alpha, image)
        self.alpha.enabled = not self.mattes.by_selection
        show_row(self._what, self.labels, not self._several)
        try:
            alpha = self.mattes.mattes(alpha, image)[0].layer
        except InputError:  # the reason is told beside Run
            alpha = None
        self.scope.offer(alpha)
        self._offer_channels()

    def _offer_channels(self) -> None:
        image, axes = self.image.layer, (self.scope.axes, self.scope.frames_from_end)
        offered = channel_axes(image, *axes)
        show_row(self._what, self.channels, bool(offered))
        if self._channels_of == (image, offered):
            return
        self._channels_of = (image, offered)
        self.channels.choices = [_ONE_CHANNEL, *offered]
        self.channels.value = likely_channel_axis(image, *axes)

    def _find(self) -> tuple[list[Matte], Region]:
        labels, scope = self._labels, self.scope
        mattes = self.mattes.mattes(self.alpha.layer, self.image.layer)
        region = find_region(
            self.viewer, mattes, self.image.layer, labels, scope.axes, along=scope.along, wanted=scope.wanted
        )
        # A volume, and many planes, are looked at in the background only: they may be large.
        seen_only = region.axes == 2 and region.series is None
        if labels is not None and seen_only and is_blank(labels, region.places[0].labels):
            raise InputError(f"{labels.name!r} has no labels in this plane: label objects first, or choose none.")
        return mattes, region

    @collector_at_rest()
    def _show(
        self,
        sources: list[tuple[Layer, Any]],
        mattes: list[Matte],
        labels: Labels | None,
        region: Region,
        facts: dict[str, Any],
        script: Callable[[MeasureOutcome], Script],
        outcome: MeasureOutcome,
    ) -> None:
        if any(layer not in self.viewer.layers or full_data(layer) is not data for layer, data in sources):
            self.controls.outcome.say("A layer was removed or replaced meanwhile, so its measurements were dropped.")
            return
        facts = {**facts, **outcome.inputs, "versions": outcome.versions}
        self._outcome = outcome
        self._facts = {"kind": KIND, **facts, "columns": list(outcome.columns)}
        self.code.offer(partial(script, outcome))
        self.table.show_columns(outcome.columns)
        self.table.show()
        self.save_button.show()
        rows = len(outcome.measurements)
        if labels is not None and region.series is None:
            put_on_labels(labels, outcome.columns, facts)
            found = f"{_count(rows, 'object')}; the rows are also features of {labels.name!r}."
        else:
            points = show_centroids(self.viewer, mattes, region, outcome, facts)
            if points is None and len(mattes) == 1:
                found = f"{mattes[0].layer.name!r} is transparent everywhere, so it has no centroid and no shape."
            elif points is None:
                found = "The mattes are transparent everywhere, so they have no centroids and no shapes."
            elif rows == 1:
                found = f"The numbers are also features of the point {points.name!r}."
            else:
                found = f"{_count(rows, 'row')}, which are also features of the points {points.name!r}."
        outside = None
        if outcome.outside is not None and outcome.outside > _SHARE_TOLD:
            outside = f"{100 * outcome.outside:.2g} % of the opacity lies outside of all labels."
        left_out = f"Left out, without labels: {some_frames(outcome.left_out)}." if outcome.left_out else None
        self.controls.outcome.say(found, outside, left_out)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _one_or_all(values: list[Any]) -> Any:
    """Return what to record: one value, or the list of several; None for nothing."""
    unlike = list(dict.fromkeys(values))
    return unlike if len(unlike) > 1 else next(iter(unlike), None)


def _is_image(layer: Layer) -> bool:
    return isinstance(layer, Image) and made_as(layer) != "alpha"


def _is_alpha(layer: Layer) -> bool:
    return made_as(layer) == "alpha"


def _is_segmentation(layer: Layer) -> bool:
    return is_labels(layer) and not is_trimap(layer)
