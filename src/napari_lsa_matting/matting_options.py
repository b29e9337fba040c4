"""The controls that say how to matte: method, weights, refinement, averaging, device; the rarer ones folded away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, FloatSpinBox, SpinBox
from napari.utils.notifications import show_info
from psygnal import Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout, QPushButton, QWidget

from lsa_engine.training.runs import WEIGHTS_FILE
from napari_lsa_matting.fold import Fold
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.matte_request import NETWORK, MatteSettings
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.panel import Message, add_row, show_row, side_by_side
from napari_lsa_matting.requests import ON_PROCESSOR, Facilities, find_facilities
from napari_lsa_matting.session import Session
from napari_lsa_matting.settings import read_settings
from napari_lsa_matting.weights_import import CHECKPOINTS, ImportRequest, describe_import

if TYPE_CHECKING:
    from lsa_engine.weights.registry import WeightsInfo

METHODS = {
    NETWORK: "LSA network",
    "closed-form": "closed-form",
    "knn": "KNN",
    "lbdm": "learning",
    "lkm": "large kernel",
    "random-walk": "random walk",
    "shared": "shared",
}
_REFINEMENTS = [("off", "none"), ("fast", "fast"), ("paper's", "paper")]
# Steps and rate that the engine takes by itself.
_USUAL = {"fast": (15, 0.1), "paper": (100, 20.0)}
_TOLERANCE = 1 / 510
_TOLERANCE_DECIMALS = 5
_TTA = [("off", 0), ("8 copies", 8), ("24 copies", 24)]
_DTYPES = ["auto", "float32", "bfloat16", "float16"]
_LOOKING = "looking …"
_WEIGHTS_FILTER = "Weights (*.safetensors *.pth *.pt)"
_WEIGHTS_TIP = "The trained network that finds the matte."


class MattingOptions:
    """Rows of a form, and what is chosen in them.

    Parameters
    ----------
    parent : QWidget
        Whose window the file dialog belongs to.
    form : QFormLayout
        Where the rows go.
    """

    changed = Signal()
    """Something was chosen."""

    def __init__(self, parent: QWidget, form: QFormLayout) -> None:
        self.facilities: Facilities | None = None
        self._looking: Job | None = None
        self._failure: str | None = None
        self._parent = parent
        self._form = form
        self._files: list[str] = []
        self._session: Session | None = None
        self._add_main_rows(form)
        self.advanced = Fold("Advanced", "Fine settings of the refinement, and the precision.")
        self._add_advanced_rows(self.advanced.form)
        form.addRow(self.advanced)
        self.device_line = Message()
        form.addRow(self.device_line)
        self.refinement.changed.connect(self._use_usual)
        for choice in (self.method, self.weights, self.refinement, self.tta, self.device, self.dtype, self.gates):
            choice.changed.connect(self._note_change)
        for setting in (self.boundary, self.iterations, self.learning_rate, self.tolerance, self.time_budget):
            setting.changed.connect(self._note_change)
        self._show_what_counts()

    @property
    def problem(self) -> str | None:
        """What stands against a run, in words."""
        if self.method.value != NETWORK:
            return None
        if self.facilities is None:
            return self._failure or "Looking for weights and devices …"
        if self.weights.value is None:
            return "No weights are installed: choose a weights file (…), or train a network."
        return None

    @property
    def settings(self) -> MatteSettings:
        """What is chosen; what is as the engine has it is left to the engine."""
        if self.method.value != NETWORK:
            return MatteSettings(method=str(self.method.value))
        return MatteSettings(
            weights=str(self.weights.value),
            device=str(self.device.value),
            dtype=str(self.dtype.value),
            tta=int(self.tta.value),
            refinement=None if self.refinement.value == "none" else self.refinement_settings(),
        )

    def refinement_settings(self) -> dict[str, Any]:
        """Return the arguments of the engine's refinement; of the fast one, if none is chosen."""
        method = "paper" if self.refinement.value == "paper" else "fast"
        steps, rate = _USUAL[method]
        chosen: dict[str, tuple[Any, Any]] = {
            "boundary": (self.boundary.value, "paper"),
            "iterations": (int(self.iterations.value), steps),
            "learning_rate": (float(self.learning_rate.value), rate),
        }
        if method == "fast":
            chosen["gates"] = (self.gates.value, "live")
            chosen["tolerance"] = (float(self.tolerance.value), round(_TOLERANCE, _TOLERANCE_DECIMALS))
        if self.time_budget.value > 0:
            chosen["time_budget"] = (float(self.time_budget.value), None)
        return {"method": method} | {name: value for name, (value, usual) in chosen.items() if value != usual}

    @property
    def looking(self) -> bool:
        """Whether weights and devices are being looked for."""
        return self._looking is not None

    def look_around(self, _: bool = False) -> None:
        """Look for weights and devices, in the background; classical methods need not wait for it."""
        if self._looking is not None:
            return
        self._failure = None
        self.look_button.hide()
        job = self._looking = Job("Looking for weights and devices", find_facilities, self._parent)
        job.succeeded.connect(self.show_facilities)
        job.failed.connect(self._show_failure)
        job.ended.connect(self._end_look)
        job.start_soon()
        self._note_change()

    def _show_failure(self, error: Exception) -> None:
        self._failure = f"Weights and devices could not be found: {error}"
        self._offer_weights()
        notify_error(error)

    def _end_look(self) -> None:
        self._looking = None
        self._note_change()

    def show_facilities(self, facilities: Facilities) -> None:
        """Offer the weights and devices that were found."""
        self.facilities = facilities
        names = {name: f"auto ({facilities.automatic})" if name == "auto" else name for name in facilities.precisions}
        self.device.choices = [(shown, name) for name, shown in names.items()]
        self._offer_weights()
        self._start_as_preferred(facilities)
        self._note_change()

    def _start_as_preferred(self, facilities: Facilities) -> None:
        """Choose what napari's Preferences say, as far as it is there."""
        preferred = read_settings()
        if not self._files:  # else weights were handed over meanwhile, and are what the user wants
            self._use_preferred_weights(preferred.weights, facilities)
        if preferred.device in facilities.precisions:
            self.device.value = preferred.device
        self.refinement.value = preferred.refinement

    def _use_preferred_weights(self, name: str, facilities: Facilities) -> None:
        path = Path(name).expanduser()
        if name in facilities.weights:
            self.weights.value = name
        elif path.is_file():
            self.use_weights(path)

    def follow(self, session: Session) -> None:
        """Use the weights that were trained in this viewer last, and those that will be."""
        for path in session.trained:
            self.use_weights(path)
        session.weights_offered.connect(self.use_weights)
        self._session = session
        self._parent.destroyed.connect(self._let_go)

    def _let_go(self, *_: object) -> None:
        if self._session is not None:
            self._session.weights_offered.disconnect(self.use_weights, missing_ok=True)

    def use_weights(self, path: str | Path) -> None:
        """Choose a weights file, and offer it from now on."""
        name = str(path)
        if name not in self._files:
            self._files.append(name)
        self._offer_weights()
        self.weights.value = name

    def _add_main_rows(self, form: QFormLayout) -> None:
        self.method = ComboBox(
            choices=[(shown, name) for name, shown in METHODS.items()],
            tooltip="The network of the paper, or a classical method (PyMatting's) to compare it with: "
            "closed-form, KNN, learning-based, large-kernel, random-walk or shared matting.",
        )
        add_row(form, "Method", self.method)
        self.weights = ComboBox(choices=[_LOOKING], tooltip=_WEIGHTS_TIP)
        self.browse_button = QPushButton("…")
        self.browse_button.setToolTip(
            "Use a weights file (.safetensors), for example one trained here; or import a published checkpoint (.pth)."
        )
        self.browse_button.setMaximumWidth(32)
        self.browse_button.clicked.connect(self._ask_for_weights)
        self._weights_row = side_by_side(self.weights.native, self.browse_button)
        add_row(form, "Weights", self._weights_row)
        self.import_line = Message()
        form.addRow(self.import_line)
        self.refinement = ComboBox(
            choices=_REFINEMENTS,
            tooltip="Bend the network for this image until its matte obeys the trimap at the borders (§4.3): fast, in "
            "a few steps, or by the paper's own descent, which takes minutes.",
        )
        add_row(form, "Refinement", self.refinement)
        self.tta = ComboBox(
            choices=_TTA,
            tooltip="Test-time augmentation: mean over turned, mirrored and scaled copies. It also tells how sure the "
            "matte is: see Uncertainty.",
        )
        add_row(form, "Average", self.tta)
        self.device = ComboBox(choices=["auto"], tooltip="Where the network runs.")
        add_row(form, "Device", self.device)
        self.look_button = QPushButton("Look again")
        self.look_button.setToolTip("Look for weights and devices once more.")
        self.look_button.clicked.connect(self.look_around)
        self.look_button.hide()
        form.addRow(self.look_button)

    def _add_advanced_rows(self, form: QFormLayout) -> None:
        self.iterations = SpinBox(
            value=_USUAL["fast"][0], min=1, max=1000, tooltip="Most steps of the refinement; the paper takes 100."
        )
        add_row(form, "Iterations", self.iterations)
        self.learning_rate = FloatSpinBox(
            value=_USUAL["fast"][1],
            min=0.001,
            max=1000,
            step=0.05,
            tooltip="Size of a step: usually 0.1 with fast, 20 with the paper's.",
        )
        self.learning_rate.native.setDecimals(3)
        add_row(form, "Learning rate", self.learning_rate)
        self.tolerance = FloatSpinBox(
            value=round(_TOLERANCE, _TOLERANCE_DECIMALS),
            min=0,
            max=0.5,
            step=0.001,
            tooltip="Fast stops when no pixel's opacity moves by more than this from one step to the next; usually "
            "half a step of 8 bits.",
        )
        self.tolerance.native.setDecimals(_TOLERANCE_DECIMALS)
        self.tolerance.value = round(_TOLERANCE, _TOLERANCE_DECIMALS)
        add_row(form, "Tolerance", self.tolerance)
        self.time_budget = FloatSpinBox(
            value=0, min=0, max=3600, step=0.5, tooltip="No further step begins after so many seconds; 0 sets no limit."
        )
        self.time_budget.native.setSuffix(" s")
        self.time_budget.native.setSpecialValueText("no limit")
        add_row(form, "Time budget", self.time_budget)
        self.boundary = ComboBox(
            choices=[("paper's", "paper"), ("its code's", "released")],
            tooltip="Which pixels are the border of the known: both sides, by four neighbours, as the paper says (§4); "
            "or, as its code has it, the unknown ones with a known one of eight neighbours.",
        )
        add_row(form, "Border", self.boundary)
        self.gates = ComboBox(
            choices=["live", "frozen"],
            tooltip="Frozen: the network's gates stay as they are without refinement, so that everything is local "
            "(fast only).",
        )
        add_row(form, "Gates", self.gates)
        self.dtype = ComboBox(
            choices=_DTYPES,
            tooltip="Precision of the network; auto takes bfloat16 where the device is far faster at it.",
        )
        add_row(form, "Precision", self.dtype)

    def _use_usual(self) -> None:
        """Offer as many steps, and as large ones, as the chosen refinement usually takes."""
        usual = _USUAL.get(self.refinement.value)
        if usual is not None:
            self.iterations.value, self.learning_rate.value = usual

    def _note_change(self) -> None:
        self._show_what_counts()
        self.changed.emit()

    def _show_what_counts(self) -> None:
        """Show the rows that the method uses, enable those that the refinement does, and say where it runs."""
        by_network = self.method.value == NETWORK
        for row in (self._weights_row, self.refinement, self.tta, self.device, self.advanced):
            show_row(self._form, row, by_network)
        self.look_button.setVisible(by_network and self._failure is not None and not self.looking)
        fast = self.refinement.value == "fast"
        for control in (self.iterations, self.learning_rate, self.time_budget, self.boundary):
            control.enabled = self.refinement.value != "none"
        self.tolerance.enabled = self.gates.enabled = fast
        self.device_line.say(self._where())

    def _where(self) -> str | None:
        if self.method.value != NETWORK:
            return ON_PROCESSOR
        if self.facilities is None:
            return None
        name = str(self.device.value)
        device = self.facilities.automatic if name == "auto" else name
        precision = self.facilities.precisions[name] if self.dtype.value == "auto" else self.dtype.value
        return f"Computes on {device}, {precision}."

    def _offer_weights(self) -> None:
        installed = self.facilities.weights if self.facilities is not None else {}
        self.weights.choices = [(name, name) for name in installed] + [
            (_shown_name(Path(file)), file) for file in self._files
        ]
        described = [f"{name}: {description}" for name, description in installed.items()]
        self.weights.tooltip = "\n".join([_WEIGHTS_TIP, *described])

    def _ask_for_weights(self, _: bool = False) -> None:
        path, _filter = QFileDialog.getOpenFileName(self._parent, "Choose weights", "", _WEIGHTS_FILTER)
        if path and Path(path).suffix.lower() in CHECKPOINTS:
            self._import(Path(path))
        elif path:
            self.use_weights(path)

    def _import(self, path: Path) -> None:
        """Import a published checkpoint in the background, and choose the weights made."""
        job = Job(f"Importing {path.name}", ImportRequest(path).run, self._parent)
        job.succeeded.connect(self._use_imported)
        job.failed.connect(notify_error)
        job.ended.connect(lambda: self._show_importing(None))
        self._show_importing(path)
        job.start()

    def _show_importing(self, path: Path | None) -> None:
        self.browse_button.setEnabled(path is None)
        self.import_line.say(None if path is None else f"Importing {path.name} …")

    def _use_imported(self, made: WeightsInfo) -> None:
        show_info(describe_import(made))
        if made.kind != "matting":
            return
        if self.facilities is None:  # still looked for, and found then
            self.use_weights(made.path)
            return
        described = f"{made.description} Licence: {made.licence}"
        self.facilities = replace(self.facilities, weights={**self.facilities.weights, made.name: described})
        self._offer_weights()
        self.weights.value = made.name
        self._note_change()


def _shown_name(path: Path) -> str:
    """Return what tells a weights file from others: all runs call theirs alike, so for them the run's folder."""
    return f"{path.parent.name} (trained)" if path.name == WEIGHTS_FILE else path.name
