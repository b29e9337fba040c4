"""The Stack widget: mattes for the frames of a z-stack or a time series, with trimaps carried from key frames."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, FloatSpinBox
from napari.layers import Image, Labels

from lsa_engine.errors import InputError
from napari_lsa_matting.autosave import autosave_of
from napari_lsa_matting.channel_choice import ChannelChoice
from napari_lsa_matting.channels import axis_name
from napari_lsa_matting.copy_code import CopyCode
from napari_lsa_matting.frame_range import FrameRange
from napari_lsa_matting.latest_job import LatestJob
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import (
    full_data,
    image_notes,
    is_labels,
    is_picture,
    is_trimap,
    pixel_spacing,
)
from napari_lsa_matting.matting_options import MattingOptions
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.panel import JobControls, Message, Panel, add_row, show_row
from napari_lsa_matting.plane_writer import PlaneWriter
from napari_lsa_matting.propose_requests import DISTANCE, FLOW, Proposals, ProposeRequest
from napari_lsa_matting.save_button import SaveButton
from napari_lsa_matting.session import session_of
from napari_lsa_matting.stack_code import proposals_script, stack_script
from napari_lsa_matting.stack_frames import (
    FrameKinds,
    KindsRequest,
    Stack,
    find_stack,
    frame_axes,
    is_time,
    record_proposals,
    some_frames,
)
from napari_lsa_matting.stack_layers import StackLayers, shape_of_alphas
from napari_lsa_matting.stack_problems import (
    LOOKING,
    describe_frames,
    problem_of_matting,
    problem_of_proposing,
    problem_of_range,
)
from napari_lsa_matting.stack_requests import StackImage, StackOutcome, StackRequest

if TYPE_CHECKING:
    from napari.components import ViewerModel

_METHODS = [("outlines (z)", DISTANCE), ("motion (t)", FLOW)]
_WAIT = "Wait until the other run is done, or cancel it."


class StackWidget(Panel):
    """Matte the frames of a stack.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._writer: PlaneWriter | None = None
        self._kinds: tuple[KindsRequest, FrameKinds] | None = None
        self._layers = StackLayers(napari_viewer)
        self._examiner = LatestJob("Looking at the trimaps of a stack", self)
        self._examiner.answered.connect(self._note_kinds)
        self._examiner.failed.connect(notify_error)
        self._add_what()
        self._add_proposals()
        self.options = MattingOptions(self, self.add_group("How"))
        self.options.follow(session_of(napari_viewer))
        self.options.changed.connect(self.refresh_soon)
        self.notes = Message()
        self.add(self.notes)
        self.controls = JobControls(
            "Matte frames", "Find the mattes of the frames in the range and show them as one image layer."
        )
        self.controls.run_requested.connect(self.run)
        self.add(self.controls)
        self.follow_job(self.controls)
        self.save = SaveButton(napari_viewer, "the mattes of the stack")
        self.add(self.save)
        self.code = CopyCode("the mattes of the last run")
        self.add(self.code)
        self.refresh()
        self.options.look_around()

    @property
    def busy(self) -> bool:
        """Whether something is being proposed, written, matted, or looked at."""
        return self._working or self._examiner.busy

    def refresh(self) -> None:
        """Look at the trimaps in the background, and say what can be done with them."""
        self.channels.refresh()
        image = self.image.layer
        self.range.offer_axes(image, frame_axes(image, self.channels.channels))
        try:
            stack = self._stack()
        except InputError as error:
            self._kinds = None
            self._examiner.drop()
            self._show(None, str(error))
            return
        autosave_of(self.viewer).note_pair(self.image.layer, self.trimap.layer)
        if self.range.offer_frames(self.image.layer, stack.image.axis, stack.count):
            self.method.value = FLOW if is_time(self.image.layer, stack.image.axis) else DISTANCE
        self._show(stack, None)
        if self._writer is None:
            self._examiner.ask(KindsRequest.of(self.trimap.layer, stack))

    def propose(self) -> None:
        """Propose trimaps for frames of the range that have none, in the background."""
        try:
            stack = self._stack()
        except InputError:  # changed since the last look
            self.refresh()
            return
        trimap = self.trimap.layer
        request = ProposeRequest(
            image=StackImage.of(self.image.layer, stack.image, self.channels.channels),
            trimaps=KindsRequest.of(trimap, stack),
            wanted=self.range.wanted,
            method=self.method.value,
            spacing=pixel_spacing(trimap)[0],
            margin=float(self.margin.value),
        )
        how: dict[str, Any] = {"method": request.method}
        if request.method == FLOW:
            how["margin"] = request.margin
        deliver = partial(self._write, trimap, full_data(trimap), how, self.image.layer.source.path)
        self.proposing.start("Proposing trimaps", request.run, deliver)
        self.refresh()

    def run(self) -> None:
        """Matte the frames of the range, in the background."""
        try:
            stack = self._stack()
        except InputError:  # changed since the last look
            self.refresh()
            return
        image, trimap, channels = self.image.layer, self.trimap.layer, self.channels.channels
        request = StackRequest(
            session=session_of(self.viewer),
            image=StackImage.of(image, stack.image, channels),
            shape=shape_of_alphas(image, channels),
            trimaps=KindsRequest.of(trimap, stack),
            wanted=self.range.wanted,
            settings=self.options.settings,
            earlier=self._layers.earlier(image, channels),
        )
        facts = {
            "image": image.name,
            "trimap": trimap.name,
            "image_path": image.source.path,
            "trimap_path": trimap.source.path,
            "axis": axis_name(image, stack.image.axis),
            "settings": request.settings.to_dict(),
        }
        deliver = partial(self._show_outcome, image, full_data(image), facts)
        self.controls.start(f"Matting the frames of {image.name}", request.run, deliver)
        self.refresh()

    def close_down(self) -> None:
        """Finish what is being written, and go."""
        if self._writer is not None:
            self._writer.finish()
        self._examiner.drop()
        self._layers.let_go()
        self.save.let_go()
        super().close_down()

    def _add_what(self) -> None:
        what = self.add_group("What")
        self.image = self.add_choice(
            what,
            "Image",
            LayerChoice(
                self.viewer,
                is_picture,
                lambda layer: is_picture(layer) and layer.ndim > 2,
                tooltip="A z-stack or a time series.",
            ),
        )
        self.channels = ChannelChoice(self.viewer, what, self.image)
        self.channels.changed.connect(self.refresh_soon)
        self.trimap = self.add_choice(
            what,
            "Trimap",
            LayerChoice(
                self.viewer,
                is_labels,
                is_trimap,
                tooltip="Labels of the stack: 1 foreground, 2 background, 0 unknown. The Trimap widget makes one.",
            ),
        )
        self.range = FrameRange(what)
        self.range.changed.connect(self.refresh_soon)
        self.range.this_button.clicked.connect(self._choose_this)
        self.axis, self.first, self.last = self.range.axis, self.range.first, self.range.last
        self.this_button, self.all_button = self.range.this_button, self.range.all_button
        # Not in the form, which gives texts of several lines too little height.
        self.status = Message()
        self.add(self.status)

    def _add_proposals(self) -> None:
        self._proposals = form = self.add_group("Trimaps between key frames")
        self.method = ComboBox(
            choices=_METHODS,
            tooltip="Outlines: interpolated between the key frames before and after, for the slices of a volume. "
            "Motion: the trimap moves with the picture from key frame to key frame, for a time series; beyond the "
            "outermost ones too.",
        )
        add_row(form, "Propose by", self.method)
        self.margin = FloatSpinBox(
            value=1.0,
            min=0,
            max=100,
            step=0.5,
            tooltip="So many pixels of the known regions become unknown with every frame, since the motion is guessed.",
        )
        self.margin.native.setSuffix(" px")
        add_row(form, "Margin", self.margin)
        self.proposing = JobControls(
            "Propose trimaps",
            "Fill frames without a trimap, and proposals, from the key frames; what you painted stays. "
            "One undo takes it back.",
        )
        self.proposing.run_requested.connect(self.propose)
        form.addRow(self.proposing)
        self.follow_job(self.proposing)
        self.proposals_code = CopyCode("the trimaps proposed last")
        form.addRow(self.proposals_code)
        self.method.changed.connect(self._show_margin)
        self._show_margin()

    def _show_margin(self, _: object = None) -> None:
        show_row(self._proposals, self.margin, self.method.value == FLOW)

    @property
    def _working(self) -> bool:
        return self.controls.busy or self.proposing.busy or self._writer is not None

    def _stack(self) -> Stack:
        return find_stack(self.viewer, self.image.layer, self.trimap.layer, self.axis.value, self.channels.channels)

    def _choose_this(self, _: bool = False) -> None:
        try:
            seen = self._stack().seen
        except InputError:  # changed since the last look
            seen = None
        if seen is not None:
            self.range.choose(seen)
        self.refresh()

    def _show(self, stack: Stack | None, problem: str | None) -> None:
        """Say what the frames are, and what stands against each of the runs."""
        image = self.image.layer
        self.range.enable(stack is not None, stack is not None and stack.seen is not None)
        kinds = None if stack is None else self._known_kinds(stack)
        self.status.say(*(() if stack is None else describe_frames(kinds, stack.seen)))
        problem = problem or problem_of_range(self.range.wanted)
        proposing = matting = problem or (LOOKING if kinds is None else None)
        if proposing is None and kinds is not None:
            proposing, matting = (
                problem_of_proposing(kinds, self.trimap.layer),
                problem_of_matting(kinds, self.range.wanted),
            )
        if self._working:
            proposing = matting = _WAIT
        self.proposing.set_problem(proposing)
        self.controls.set_problem(matting or self.options.problem)
        self.notes.say(
            *(image_notes(image) if image is not None else []), self.channels.note if self.channels.channels else None
        )

    def _known_kinds(self, stack: Stack) -> FrameKinds | None:
        """Return what the frames of a stack were when they were last looked at."""
        if self._kinds is None:
            return None
        request, kinds = self._kinds
        same = request.labels is full_data(self.trimap.layer) and request.frames == stack.trimap
        return kinds if same and request.count == stack.count else None

    def _note_kinds(self, request: KindsRequest, kinds: FrameKinds) -> None:
        self._kinds = (request, kinds)
        try:
            stack = self._stack()
        except InputError as error:
            self._show(None, str(error))
            return
        self._show(stack, None)

    def _write(self, trimap: Labels, data: Any, how: dict[str, Any], path: str | None, proposals: Proposals) -> None:
        if trimap not in self.viewer.layers or full_data(trimap) is not data:
            self.proposing.outcome.say("The trimap was removed or replaced meanwhile, so the proposals were dropped.")
            return
        changed = [proposal.edit for proposal in proposals.made if proposal.edit.changes.values.size]
        made = {proposal.edit.index: proposal.digest for proposal in proposals.made}
        record_proposals(trimap, made, **how, keys=list(proposals.keys))
        self.proposals_code.offer(partial(proposals_script, proposals.without_copies(), path))
        self._writer = PlaneWriter(trimap, changed, self)
        self._writer.finished.connect(partial(self._end_writing, self._writer, proposals))
        self._writer.start()

    def _end_writing(self, writer: PlaneWriter, proposals: Proposals) -> None:
        self._writer = None
        left = {proposal.frame for proposal in proposals.made if proposal.edit.index in writer.left_alone}
        made = [proposal.frame for proposal in proposals.made if proposal.frame not in left]
        self.proposing.outcome.say(
            f"Proposed {some_frames(made)} from key {some_frames(proposals.keys)}; look at them, and correct them."
            if made
            else None,
            f"Painted on meanwhile, so left alone: {some_frames(left)}." if left else None,
            f"Begun, so left alone: {some_frames(proposals.begun)}." if proposals.begun else None,
        )
        self.refresh_soon()  # not at once, as the Trimap widget

    def _show_outcome(self, image: Image, data: Any, facts: dict[str, Any], outcome: StackOutcome) -> None:
        if image not in self.viewer.layers or full_data(image) is not data:
            self.controls.outcome.say("The image was removed or replaced meanwhile, so its mattes were dropped.")
            return
        self.save.offer(self._layers.show(image, outcome, facts))
        self.code.offer(partial(stack_script, outcome, image.source.path))
        self.controls.outcome.say(
            f"Matted {some_frames(outcome.mattes)}: {outcome.summary}",
            f"Left out, without a usable trimap: {some_frames(outcome.left_out)}." if outcome.left_out else None,
            *outcome.notes,
        )
