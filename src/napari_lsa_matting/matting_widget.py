"""The Matting widget: an image and a trimap in, an alpha layer out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, SpinBox
from napari.layers import Image
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_lsa_matting.checks import Pair, check_trimap, missing
from napari_lsa_matting.jobs import Job, notify_error
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import (
    Index,
    add_output,
    full_data,
    image_notes,
    image_plane,
    is_labels,
    is_picture,
    is_trimap,
    labels_plane,
    update_output,
)
from napari_lsa_matting.panel import JobControls, Message, Panel, add_row
from napari_lsa_matting.requests import Facilities, MatteRequest, find_facilities
from napari_lsa_matting.session import session_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from lsa_engine.inference.results import MatteResult, Report

_REFINEMENTS = [("off", "none"), ("fast", "fast"), ("as in the paper", "paper")]
_STEPS = {"fast": 15, "paper": 100}
_TTA = [("off", 0), ("8 copies", 8), ("24 copies", 24)]
_LOOKING = "looking …"
_WEIGHTS_TIP = "The trained network that finds the matte."


class MattingWidget(Panel):
    """Matte the plane that is seen of an image layer.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer that holds the layers.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self.facilities: Facilities | None = None
        self._files: list[str] = []

        what = self.add_group("What")
        self.image = self.add_choice(
            what,
            "Image",
            LayerChoice(napari_viewer, is_picture, tooltip="The picture; of a stack, the plane that is seen."),
        )
        self.trimap = self.add_choice(
            what,
            "Trimap",
            LayerChoice(
                napari_viewer,
                is_labels,
                is_trimap,
                tooltip="Labels: 1 foreground, 2 background, 0 unknown. The Trimap widget makes one.",
            ),
        )

        how = self.add_group("How")
        self.weights = ComboBox(choices=[_LOOKING], tooltip=_WEIGHTS_TIP)
        self.browse_button = QPushButton("…")
        self.browse_button.setToolTip("Use a weights file (.safetensors), for example one trained here.")
        self.browse_button.setMaximumWidth(32)
        self.browse_button.clicked.connect(self._ask_for_weights)
        add_row(how, "Weights", _side_by_side(self.weights.native, self.browse_button))
        self.refinement = ComboBox(
            choices=_REFINEMENTS,
            tooltip="Bend the network for this image until its matte obeys the trimap at the borders (§4.3): fast, in "
            "a few steps, or by the paper's own descent, which takes minutes.",
        )
        add_row(how, "Refinement", self.refinement)
        self.iterations = SpinBox(
            value=_STEPS["fast"], min=1, max=1000, tooltip="Most steps of the refinement; the paper takes 100."
        )
        add_row(how, "Iterations", self.iterations)
        self.tta = ComboBox(
            choices=_TTA,
            tooltip="Test-time augmentation: mean over turned, mirrored and scaled copies.",
        )
        add_row(how, "Average over", self.tta)
        self.device = ComboBox(choices=["auto"], tooltip="Where the network runs.")
        add_row(how, "Device", self.device)

        self.notes = Message()
        self.add(self.notes)
        self.controls = JobControls("Run", "Find the matte and show it as an image layer.")
        self.controls.run_requested.connect(self.run)
        self.add(self.controls)
        self.follow_job(self.controls)
        self.refinement.changed.connect(self._use_usual_steps)
        self.refresh()
        self.look_around()

    def look_around(self) -> None:
        """Look for weights and devices, in the background."""
        job = Job("Looking for weights and devices", find_facilities, self)
        job.succeeded.connect(self._show_facilities)
        job.failed.connect(notify_error)
        job.start()

    def refresh(self) -> None:
        """Say what stands against a run, or what is to be known of it."""
        self.iterations.enabled = self.refinement.value != "none"
        pair = self._pair()
        self.controls.set_problem(pair.problem or self._weights_problem())
        image = self.image.layer
        notes = image_notes(image) if image is not None else []
        self.notes.say(*(finding.text for finding in pair.findings if not finding.blocks), *notes)

    def use_weights(self, path: str | Path) -> None:
        """Choose a weights file, and offer it from now on."""
        name = str(path)
        if name not in self._files:
            self._files.append(name)
        self._offer_weights()
        self.weights.value = name
        self.refresh()

    def run(self) -> None:
        """Matte what is chosen, in the background."""
        pair = self._pair()
        if pair.problem is not None:  # painted or moved since the last check
            self.refresh()
            return
        image, trimap = self.image.layer, self.trimap.layer
        request = MatteRequest(
            session=session_of(self.viewer),
            image=image_plane(image, pair.first),
            labels=labels_plane(trimap, pair.second),
            weights=str(self.weights.value),
            device=str(self.device.value),
            refinement=str(self.refinement.value),
            iterations=int(self.iterations.value),
            tta=int(self.tta.value),
        )
        facts = {"kind": "alpha", "image": image.name, "trimap": trimap.name, "plane": list(pair.first)}
        facts["data_range"] = request.image.data_range and list(request.image.data_range)
        deliver = partial(self._show_alpha, image, full_data(image), pair.first, facts)
        self.controls.start(f"Matting {image.name}", request.run, deliver)

    def _use_usual_steps(self) -> None:
        """Offer as many steps as the chosen refinement usually takes."""
        self.iterations.value = _STEPS.get(self.refinement.value, self.iterations.value)
        self.refresh_soon()

    def _pair(self) -> Pair:
        image, trimap = self.image.layer, self.trimap.layer
        if image is None:
            return missing("There is no image layer: open an image, or File ▸ Open Sample ▸ LSA Matting.")
        if trimap is None:
            return missing("There is no trimap: make one with the Trimap widget.")
        return check_trimap(self.viewer, image, trimap)

    def _weights_problem(self) -> str | None:
        if self.facilities is None:
            return "Looking for weights and devices …"
        if self.weights.value is None:
            return "No weights are installed: choose a weights file (…), or train a network."
        return None

    def _show_facilities(self, facilities: Facilities) -> None:
        self.facilities = facilities
        names = {name: f"auto ({facilities.automatic})" if name == "auto" else name for name in facilities.devices}
        self.device.choices = [(shown, name) for name, shown in names.items()]
        self._offer_weights()
        self.refresh()

    def _offer_weights(self) -> None:
        installed = self.facilities.weights if self.facilities is not None else {}
        self.weights.choices = [(name, name) for name in installed] + [(Path(file).name, file) for file in self._files]
        described = [f"{name}: {description}" for name, description in installed.items()]
        self.weights.tooltip = "\n".join([_WEIGHTS_TIP, *described])

    def _ask_for_weights(self, _: bool = False) -> None:
        path, _filter = QFileDialog.getOpenFileName(self, "Choose weights", "", "Weights (*.safetensors)")
        if path:
            self.use_weights(path)

    def _show_alpha(self, image: Image, data: Any, index: Index, facts: dict[str, Any], result: MatteResult) -> None:
        if image not in self.viewer.layers or full_data(image) is not data:
            self.controls.outcome.say("The image was removed or replaced meanwhile, so its matte was dropped.")
            return
        facts = {**facts, "report": result.report.to_dict()}
        session = session_of(self.viewer)
        alpha = session.output(image, ("alpha", index))
        if isinstance(alpha, Image) and alpha in self.viewer.layers and alpha.data.shape[-2:] == result.alpha.shape:
            update_output(alpha, result.alpha, index, facts)
        else:
            alpha = add_output(
                self.viewer,
                result.alpha,
                image,
                index,
                name="alpha",
                facts=facts,
                colormap="gray",
                contrast_limits=(0.0, 1.0),
            )
            session.remember_output(image, ("alpha", index), alpha)
        self.controls.outcome.say(summary(result.report), *result.report.notes)


def summary(report: Report) -> str:
    """Return in a sentence what was done: weights, device, precision, time, and what refinement did to its cost."""
    text = f"{report.weights} on {report.device} ({report.dtype}): {report.seconds:.1f} s"
    if report.cost_before is not None and report.cost_after is not None:
        text += f"; refinement cost {report.cost_before:.3g} → {report.cost_after:.3g}"
    return f"{text}."


def _side_by_side(*widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return row
