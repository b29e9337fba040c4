"""The Matting widget: an image and a trimap in, an alpha layer out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox
from napari.layers import Image, Labels

from lsa_engine.errors import InputError
from napari_lsa_matting.autosave import autosave_of
from napari_lsa_matting.channel_choice import ChannelChoice
from napari_lsa_matting.channels import Channels
from napari_lsa_matting.checks import Pair, check_objects, check_trimap, match_planes, missing
from napari_lsa_matting.copy_code import CopyCode
from napari_lsa_matting.labels_look import LabelsLook, frozen_plane, reading_labels
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import (
    Index,
    full_data,
    image_notes,
    image_plane,
    is_labels,
    is_picture,
    is_trimap,
    plane_index,
)
from napari_lsa_matting.live import LiveMode, LiveScene
from napari_lsa_matting.matte_code import matte_script, objects_script
from napari_lsa_matting.matte_layers import MatteLayers
from napari_lsa_matting.matte_request import NETWORK, MatteOutcome, MatteRequest
from napari_lsa_matting.matte_view import MatteView
from napari_lsa_matting.matting_options import MattingOptions
from napari_lsa_matting.object_layers import ObjectNames, show_separately, show_stacked
from napari_lsa_matting.object_options import ObjectOptions
from napari_lsa_matting.object_request import ObjectsOutcome, ObjectsRequest
from napari_lsa_matting.panel import JobControls, Message, Panel
from napari_lsa_matting.save_button import SaveButton
from napari_lsa_matting.session import session_of
from napari_lsa_matting.trimap_code import trimap_path

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from lsa_engine.inference.results import Report

_LIVE_TIP = (
    "While you paint on the trimap, the matte follows: strokes bend the network further, without looking at the whole "
    "picture again. Run makes a full pass."
)


class MattingWidget(Panel):
    """Matte the plane that is seen of an image layer.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._live_alpha: Image | None = None
        self._unread = False
        what = self.add_group("What")
        self.image = self.add_choice(
            what,
            "Image",
            LayerChoice(napari_viewer, is_picture, tooltip="The picture; of a stack, the plane that is seen."),
        )
        self.channels = ChannelChoice(napari_viewer, what, self.image)
        self.channels.changed.connect(self.refresh_soon)
        self.trimap = self.add_choice(
            what,
            "Labels",
            LayerChoice(
                napari_viewer,
                is_labels,
                is_trimap,
                tooltip="A trimap, which the Trimap widget makes; or a segmentation with several objects.",
            ),
        )
        self.look = LabelsLook(self)
        self.look.seen.connect(self._note_labels)
        self.trimap.edited.connect(self.look.note_edit)
        self.objects = ObjectOptions(what)
        self.objects.changed.connect(self.refresh_soon)
        self.trimap.changed.connect(self._read_labels)
        self.options = MattingOptions(self, self.add_group("How"))
        self.options.follow(session_of(napari_viewer))
        self.options.changed.connect(self.refresh_soon)

        self.notes = Message()
        self.add(self.notes)
        self.controls = JobControls("Run", "Find the matte and show it as an image layer.")
        self.controls.run_requested.connect(self.run)
        self.add(self.controls)
        self.follow_job(self.controls)
        self._layers = MatteLayers(napari_viewer)
        self._add_live_rows()
        self._read_labels()
        self.view = MatteView(self, self._layers)
        self.save = SaveButton(napari_viewer, "the last matte")
        self.add(self.save)
        self.code = CopyCode("the last matte")
        self.add(self.code)
        self.refresh()
        self.options.look_around()

    @property
    def settling(self) -> bool:
        """Whether it cannot be told yet what can be done: weights, devices or labels are looked at."""
        return self.options.looking or self.look.busy or super().settling

    def refresh(self) -> None:
        """Say what stands against a run, or what is to be known of it."""
        self.channels.refresh()
        pair = self._pair()
        if not self.objects.wanted:
            autosave_of(self.viewer).note_pair(self.image.layer, self.trimap.layer)
        self.controls.set_problem(pair.problem or self.options.problem)
        self.view.refresh()
        self._check_live()
        problem = None if self.live.on else self._live_problem()
        self.live_box.enabled = problem is None
        self.live_box.tooltip = problem or _LIVE_TIP
        image = self.image.layer
        notes = image_notes(image) if image is not None else []
        self.notes.say(*(finding.text for finding in pair.findings if not finding.blocks), *notes, self.channels.note)

    def use_weights(self, path: str | Path) -> None:
        """Choose a weights file, and offer it from now on."""
        self.options.use_weights(path)
        self.refresh()

    def run(self) -> None:
        """Matte what is chosen, in the background."""
        pair = self._pair()
        if pair.problem is not None:  # painted or moved since the last check
            self.refresh()
            return
        image, trimap = self.image.layer, self.trimap.layer
        if self.objects.wanted:
            self._run_objects(image, trimap, pair)
            return
        index, channels = self._place(pair)
        request = MatteRequest(
            session=session_of(self.viewer),
            image=image_plane(image, index, channels),
            labels=frozen_plane(trimap, pair.second),
            settings=self.options.settings,
        )
        deliver = partial(self._show_outcome, image, full_data(image), trimap, index)
        self.controls.start(f"Matting {image.name}", reading_labels(request), deliver)

    def close_down(self) -> None:
        """Cancel what runs, stop to follow the viewer, and go."""
        self.live.stop()
        self.look.drop()
        self.viewer.layers.events.removed.disconnect(self._note_removed)
        self.save.let_go()
        self._layers.let_go()
        super().close_down()

    def _pair(self) -> Pair:
        image, trimap = self.image.layer, self.trimap.layer
        if image is None:
            return missing("There is no image layer: open an image, or File ▸ Open Sample ▸ LSA Matting.")
        if trimap is None:
            return missing("There is no trimap: make one with the Trimap widget.")
        if self.objects.wanted:
            return check_objects(self.viewer, image, trimap, self.look)
        return check_trimap(self.viewer, image, trimap, self.look)

    def _place(self, pair: Pair) -> tuple[Index, Channels | None]:
        """Return where the image is seen, without the axis of its channels, and how those are read."""
        channels = self.channels.channels
        return pair.first if channels is None else channels.without(pair.first), channels

    def _read_labels(self, _: object = None) -> None:
        """Take labels that were chosen for a trimap or for objects, by what is seen of them."""
        layer, highest = self.trimap.layer, None
        try:
            index = None if layer is None else plane_index(layer, self.viewer)
        except InputError:  # said by refresh
            index = None
        if index is not None:
            highest = self.look.highest(layer, index)
        self._unread = index is not None and highest is None
        if highest is not None:
            self.objects.take(layer, highest)

    def _note_labels(self) -> None:
        """Go on with labels that have been looked at in the background."""
        if self._unread:
            self._read_labels()
        self.refresh_soon()

    def _run_objects(self, image: Image, labels: Labels, pair: Pair) -> None:
        index, channels = self._place(pair)
        request = ObjectsRequest(
            session=session_of(self.viewer),
            image=image_plane(image, index, channels),
            labels=frozen_plane(labels, pair.second),
            names=ObjectNames(labels),
            band=self.objects.band(labels),
            settings=self.options.settings,
        )
        stacked = bool(self.objects.stacked.value)
        deliver = partial(self._show_objects, image, full_data(image), labels, index, stacked)
        self.controls.start(f"Matting {labels.name}", reading_labels(request), deliver)

    def _show_objects(
        self, image: Image, data: Any, labels: Labels, index: Index, stacked: bool, outcome: ObjectsOutcome
    ) -> None:
        if self._is_stale(image, data):
            return
        show = show_stacked if stacked else show_separately
        shown = show(self.viewer, image, index, labels, outcome)
        self.save.offer(*(shown if isinstance(shown, list) else [shown]))
        self.code.offer(partial(objects_script, outcome, image.source.path, labels.source.path))
        count = len(outcome.alphas)
        self.controls.outcome.say(f"Mattes of {count} object{'s' if count > 1 else ''}.", *outcome.problems)

    def _is_stale(self, image: Image, data: Any) -> bool:
        """Return whether an image is no longer what was matted, and say so."""
        stale = image not in self.viewer.layers or full_data(image) is not data
        if stale:
            self.controls.outcome.say("The image was removed or replaced meanwhile, so its matte was dropped.")
        return stale

    def _show_outcome(self, image: Image, data: Any, trimap: Labels, index: Index, outcome: MatteOutcome) -> None:
        if self._is_stale(image, data):
            return
        self._show_matte(image, index, trimap, outcome)
        report = outcome.result.report
        self.controls.outcome.say(summary(report), *report.notes)

    def _show_matte(self, image: Image, index: Index, trimap: Labels, outcome: MatteOutcome) -> Image:
        """Show a matte, offer its code, and return its layer."""
        self.code.offer(partial(matte_script, outcome, image.source.path, trimap_path(trimap, index)))
        alpha = self._layers.show(image, index, trimap, outcome)
        self.save.offer(alpha)
        return alpha

    def _add_live_rows(self) -> None:
        self.live_box = CheckBox(
            text="Live: follow the brush",
            tooltip=_LIVE_TIP,
        )
        self.live_status = Message()
        self.live = LiveMode(session_of(self.viewer), self)
        self.add(self.live_box.native)
        self.add(self.live_status)
        self.live_box.changed.connect(self._switch_live)
        self.live.said.connect(self.live_status.say)
        self.live.ended.connect(self._end_live)
        self.live.answered.connect(self._show_answer)
        self.trimap.edited.connect(self.live.note_edit)
        self.image.edited.connect(self.live.note_image)
        self.options.changed.connect(lambda: self.live.adopt(self.options.settings))
        self.image.changed.connect(self._check_live)
        self.channels.changed.connect(self._check_live)
        self.trimap.changed.connect(self._check_live)
        self.viewer.layers.events.removed.connect(self._note_removed)

    def _note_removed(self, _: object = None) -> None:
        self._check_live()
        self.refresh_soon()

    def _switch_live(self, wanted: bool) -> None:
        if not wanted:
            self.live.stop()
            return
        image, trimap = self.image.layer, self.trimap.layer
        pair = match_planes(self.viewer, image, trimap)
        index, channels = self._place(pair)
        self.live.start(LiveScene(image, trimap, index, pair.second, channels), self.options.settings)

    def _check_live(self, _: object = None) -> None:
        """End live mode if its layers are no longer there, or no longer what is chosen and seen."""
        scene = self.live.scene
        if scene is None:
            return
        for layer, choice, what in ((scene.image, self.image, "image"), (scene.trimap, self.trimap, "trimap")):
            if layer not in self.viewer.layers:
                return self.live.stop(f"the {what} was deleted.")
            if choice.layer is not layer:
                return self.live.stop(f"another {what} was chosen.")
        if self._live_alpha is not None and self._live_alpha not in self.viewer.layers:
            return self.live.stop("the alpha was deleted.")
        if self.objects.wanted:
            return self.live.stop("the labels are read as objects.")
        pair = match_planes(self.viewer, scene.image, scene.trimap)
        if pair.problem is not None:
            return self.live.stop(pair.problem)
        index, channels = self._place(pair)
        if channels != scene.channels:
            return self.live.stop("the channels are read in another way.")
        if (index, pair.second) != (scene.image_index, scene.trimap_index):
            return self.live.stop("another plane is seen.")
        return None

    def _end_live(self, reason: str) -> None:
        self._live_alpha = None
        self.live_box.value = False
        self.live_status.say(f"Live mode ended: {reason}" if reason else None)
        self.refresh_soon()

    def _show_answer(self, outcome: MatteOutcome) -> None:
        self._check_live()
        scene = self.live.scene
        if scene is not None:
            self._live_alpha = self._show_matte(scene.image, scene.image_index, scene.trimap, outcome)

    def _live_problem(self) -> str | None:
        """Return why live mode cannot be begun, or None; a trimap that is not finished yet is no reason."""
        if self.options.method.value != NETWORK:
            return "Only the network can follow the brush: choose it as method."
        if self.objects.wanted:
            return "Only a trimap can be followed: read the labels as one."
        if self.image.layer is None or self.trimap.layer is None:
            return self._pair().problem
        return match_planes(self.viewer, self.image.layer, self.trimap.layer).problem or self.options.problem


def summary(report: Report) -> str:
    """Return in a sentence what was done: weights, device, precision, time, and what refinement did to its cost."""
    text = f"{report.weights or report.method} on {report.device} ({report.dtype}): {report.seconds:.1f} s"
    if report.cost_before is not None and report.cost_after is not None:
        text += f"; refinement cost {report.cost_before:.3g} → {report.cost_after:.3g}"
    return f"{text}."
