"""The Foreground widget: colours without spill and a cut-out from an image and its alpha, or foregrounds refined."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox
from napari.layers import Image, Layer
from numpy.typing import NDArray
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_lsa_matting.channel_choice import ChannelChoice
from napari_lsa_matting.channels import Channels
from napari_lsa_matting.checks import Pair, match_planes, missing
from napari_lsa_matting.code_snippet import Script
from napari_lsa_matting.copy_code import CopyCode
from napari_lsa_matting.foreground_code import estimate_script, folder_script, refine_script
from napari_lsa_matting.foreground_folder_request import RefineFolderRequest, describe_report
from napari_lsa_matting.foreground_folders import ForegroundFolders
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import (
    Index,
    add_output,
    full_data,
    image_notes,
    image_plane,
    is_matte,
    is_picture,
    is_trimap,
    made_as,
    update_output,
)
from napari_lsa_matting.panel import JobControls, Message, Panel, add_row, show_row
from napari_lsa_matting.profile_view import ProfileView
from napari_lsa_matting.requests import (
    ON_PROCESSOR,
    FigureRequest,
    ForegroundOutcome,
    ForegroundRequest,
    RefineForegroundRequest,
)
from napari_lsa_matting.save_button import SaveButton
from napari_lsa_matting.session import session_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from lsa_engine.foreground.folders import FolderReport

_TASKS = [
    ("Cut out", "estimate"),
    ("Refine", "refine"),
    ("Refine a folder", "folder"),
]
_REFINEMENTS = [("to the minimum", "multigrid"), ("as in the paper", "paper")]
_METHODS = {
    "estimate": [("local smoothness", "lsa"), ("multilevel", "multilevel"), ("closed-form", "closed-form")],
    "refine": _REFINEMENTS,
    "folder": _REFINEMENTS,
}
_REFINEMENT_TIP = "To the minimum of the cost, or Algorithm 2 as the paper prints it, which is smoother and slower."
_TIPS = {
    "estimate": "Local smoothness: fast, and closest to the true colours. The others are PyMatting's.",
    "refine": _REFINEMENT_TIP,
    "folder": _REFINEMENT_TIP,
}
_FOLDER_CANCELLED = "Cancelled; the files that are done are kept, and the next run goes on with the others."
_FIGURES = "Pictures (*.png);;Documents (*.pdf);;Drawings (*.svg)"


class ForegroundWidget(Panel):
    """Estimate the colours of a photograph's foreground and cut it out, or refine foregrounds (§4.1).

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._what = what = self.add_group("What")
        self.task = ComboBox(
            choices=_TASKS,
            tooltip="Cut out: find an object's own colours in a photograph. Refine: make a foreground that is already "
            "cut out smooth where it is hardly seen, for training or resizing; or so all those in a folder.",
        )
        add_row(what, "Task", self.task)
        self.image = self.add_choice(
            what,
            "Image",
            LayerChoice(napari_viewer, is_picture, tooltip="The picture; of a stack, the plane that is seen."),
        )
        self.channels = ChannelChoice(napari_viewer, what, self.image)
        self.channels.changed.connect(self.refresh_soon)
        self.alpha = self.add_choice(
            what,
            "Alpha",
            LayerChoice(napari_viewer, is_matte, _is_alpha, tooltip="The opacity; the Matting widget makes one."),
        )
        self.folders = ForegroundFolders(what)
        self.folders.changed.connect(self.refresh_soon)
        self._how = how = self.add_group("How")
        self.method = ComboBox(choices=_METHODS["estimate"], tooltip=_TIPS["estimate"])
        add_row(how, "Method", self.method)
        self.kappa = FloatSpinBox(
            value=1.0,
            min=0.001,
            max=1000.0,
            step=0.1,
            tooltip="Weight of smoothness against fidelity; the paper's is 1.",
        )
        add_row(how, "Weight κ", self.kappa)
        self.make_cutout = CheckBox(
            value=True, text="Cut-out (RGBA)", tooltip="The foreground's colours with the alpha as transparency."
        )
        self.make_foreground = CheckBox(
            value=False, text="Foreground colours", tooltip="The colours alone, also where the object is transparent."
        )
        self.make_background = CheckBox(
            value=False, text="Background colours", tooltip="The colours of what lies behind the object."
        )
        for box in (self.make_cutout, self.make_foreground, self.make_background):
            how.addRow(box.native)
            box.changed.connect(self.refresh_soon)
        self.device_line = Message()
        self.device_line.say(ON_PROCESSOR)
        how.addRow(self.device_line)
        self.task.changed.connect(self._change_task)

        self.notes = Message()
        self.add(self.notes)
        self.controls = JobControls("Run", "Make the colours: image layers, or files in the output folder.")
        self.controls.run_requested.connect(self.run)
        self.add(self.controls)
        self.follow_job(self.controls)
        self.profile = ProfileView()
        self.add(self.profile)
        self.no_profile = Message()
        self.add(self.no_profile)
        self.figure_button = QPushButton("Save figure…")
        self.figure_button.setToolTip("Save F, αF, |∇F| and |∇F| against α, before and after (the paper's Fig. 2).")
        self.figure_button.clicked.connect(self._choose_figure)
        self.figure_button.hide()
        self.add(self.figure_button)
        self.save = SaveButton(napari_viewer, "the last colours")
        self.add(self.save)
        self.code = CopyCode("the last colours")
        self.add(self.code)
        self._outcome: ForegroundOutcome | None = None
        self._change_task()
        self.refresh()

    def refresh(self) -> None:
        """Say what stands against a run."""
        self.channels.refresh()
        if self._whole_folder:
            self.controls.set_problem(self.folders.problem)
            self.notes.say()
            return
        pair = self._pair()
        problem = pair.problem
        if problem is None and not self._refines and not self._wanted():
            problem = "No result is chosen: tick at least one."
        self.controls.set_problem(problem)
        image = self.image.layer
        self.notes.say(*(image_notes(image) if image is not None else []), self.channels.note)

    def run(self) -> None:
        """Estimate or refine the colours of what is chosen, in the background."""
        if self._whole_folder:
            self._run_folder()
            return
        pair = self._pair()
        if pair.problem is not None:
            self.refresh()
            return
        image, alpha = self.image.layer, self.alpha.layer
        channels = self.channels.channels
        index = pair.first if channels is None else channels.without(pair.first)
        planes = image_plane(image, index, channels), image_plane(alpha, pair.second)
        method = str(self.method.value)
        paths = image.source.path, alpha.source.path
        facts = {
            "image": image.name,
            "alpha": alpha.name,
            "plane": list(index),
            "image_path": paths[0],
            "alpha_path": paths[1],
            # What is saved later is as deep as this.
            "image_dtype": str(np.dtype(image.dtype)),
            **planes[0].record(),
            "method": method,
        }
        request: ForegroundRequest | RefineForegroundRequest
        if self._refines:
            facts["kappa"] = float(self.kappa.value)
            request = RefineForegroundRequest(*planes, method, float(self.kappa.value))
            script = partial(refine_script, request, *paths)
        else:
            request = ForegroundRequest(*planes, method, self._wanted())
            script = partial(estimate_script, request, *paths)
        sources = {layer: full_data(layer) for layer in (image, alpha)}
        deliver = partial(self._show, sources, image, alpha, index, channels, facts, script)
        self.controls.start(f"Foreground of {image.name}", request.run, deliver)

    @property
    def _refines(self) -> bool:
        return self.task.value == "refine"

    @property
    def _whole_folder(self) -> bool:
        return self.task.value == "folder"

    def _run_folder(self) -> None:
        if self.folders.problem is not None:  # changed since the last look
            self.refresh()
            return
        request = self.folders.request(str(self.method.value), float(self.kappa.value))
        title, deliver = f"Foregrounds in {request.foregrounds.name}", partial(self._show_report, request)
        self.controls.start(title, request.run, deliver, cancelled=_FOLDER_CANCELLED)

    def _show_report(self, request: RefineFolderRequest, report: FolderReport) -> None:
        self.controls.outcome.say(*describe_report(report))
        self.code.offer(partial(folder_script, request))
        self._show_profile(None)  # an earlier run's would pass for the folder's

    def _change_task(self, _: object = None) -> None:
        """Show what belongs to the task, and nothing else."""
        task = str(self.task.value)
        self.method.choices = _METHODS[task]
        self.method.tooltip = _TIPS[task]
        for choice in (self.image, self.alpha):
            show_row(self._what, choice, task != "folder")
        self.channels.show(task != "folder")
        self.folders.show(task == "folder")
        show_row(self._how, self.kappa, task != "estimate")
        for box in (self.make_cutout, self.make_foreground, self.make_background):
            show_row(self._how, box, task == "estimate")
        self.refresh_soon()

    def close_down(self) -> None:
        """Stop to follow the viewer, and go."""
        self.save.let_go()
        super().close_down()

    def _choose_figure(self, _: bool = False) -> None:
        path, chosen = QFileDialog.getSaveFileName(self, "Save figure", "refinement.png", _FIGURES)
        if path:
            suffix = chosen.rpartition("*")[2].rstrip(")") or ".png"
            self.save_figure(Path(path) if Path(path).suffix else Path(path + suffix))

    def save_figure(self, path: Path) -> None:
        """Draw the paper's Fig. 2 of the last run into a file, in the background."""
        if self._outcome is not None:
            work = FigureRequest(self._outcome, path).run
            self.controls.start("Figure", work, lambda made: self.controls.outcome.say(f"Saved {made}."))

    def _pair(self) -> Pair:
        image, alpha = self.image.layer, self.alpha.layer
        if image is None:
            return missing("There is no image layer: open an image, or File ▸ Open Sample ▸ LSA Matting.")
        if alpha is None:
            return missing("There is no alpha: make one with the Matting widget, or open one as an image.")
        if alpha is image:
            return missing(f"{image.name!r} is chosen as image and as alpha: choose its matte as alpha.")
        return match_planes(self.viewer, image, alpha)

    def _wanted(self) -> tuple[str, ...]:
        boxes = {"cut-out": self.make_cutout, "foreground": self.make_foreground, "background": self.make_background}
        return tuple(kind for kind, box in boxes.items() if box.value)

    def _show(
        self,
        sources: dict[Image, Any],
        image: Image,
        alpha: Image,
        index: Index,
        channels: Channels | None,
        facts: dict[str, Any],
        script: Callable[[ForegroundOutcome], Script],
        outcome: ForegroundOutcome,
    ) -> None:
        for layer, data in sources.items():
            if layer not in self.viewer.layers or full_data(layer) is not data:
                self.controls.outcome.say(
                    f"{layer.name!r} was removed or replaced meanwhile, so its colours were dropped: run once more."
                )
                return
        session = session_of(self.viewer)
        added: list[Image] = []
        shown: list[Image] = []
        # From below to above: the cut-out shall lie on top.
        for kind, pixels in reversed(outcome.colours.items()):
            made = {"kind": kind, **facts, **outcome.inputs, "versions": outcome.versions}
            layer = session.output(image, (kind, index))
            if isinstance(layer, Image) and layer in self.viewer.layers and layer.data.shape[-3:] == pixels.shape:
                update_output(layer, pixels, image, index, made, channels)
                shown.append(layer)
                continue
            layer = add_output(
                self.viewer,
                pixels,
                image,
                index,
                name=kind,
                facts=made,
                channels=channels,
                on_top=True,
                rgb=True,
                blending="translucent_no_depth",
            )
            session.remember_output(image, (kind, index), layer)
            added.append(layer)
            shown.append(layer)
        made_now = f"Made: {', '.join(outcome.colours)}."
        self.controls.outcome.say(made_now, outcome.summary, self._reveal(added, alpha, image))
        self._outcome = outcome
        self.save.offer(*reversed(shown))
        self.code.offer(partial(script, outcome))
        self._show_profile(outcome.profile)

    def _show_profile(self, profile: NDArray[np.uint8] | str | None) -> None:
        """Show the picture of a run, or why it has none."""
        why, picture = (profile, None) if isinstance(profile, str) else (None, profile)
        self.profile.show_picture(picture)
        self.no_profile.say(why)
        self.figure_button.setVisible(picture is not None)

    def _reveal(self, added: list[Image], *inputs: Layer) -> str | None:
        """Hide what would cover or double the topmost new layer, and say so."""
        if not added:
            return None
        trimaps = [layer for layer in self.viewer.layers if is_trimap(layer)]
        hidden = [layer for layer in [*added[:-1], *inputs, *trimaps] if layer.visible]
        for layer in hidden:
            layer.visible = False
        names = ", ".join(layer.name for layer in hidden)
        return f"Hidden, so that it can be seen: {names}." if names else None


def _is_alpha(layer: Layer) -> bool:
    return made_as(layer) == "alpha"
