"""The Training widget: launch a training run as a process of its own, follow its loss, stop it."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, FileEdit
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton

from lsa_engine.errors import FileError
from lsa_engine.training.recipe import recipe_names
from lsa_engine.training.runs import request_stop
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.panel import Message, Panel, add_row, describe_seconds
from napari_lsa_matting.plot import CurvePlot
from napari_lsa_matting.training_run import LOG_FILE, RunLog, can_resume, has_events, last_words, launch

if TYPE_CHECKING:
    from napari.components import ViewerModel

FROM_FILE = "a file …"

_LOOK_EVERY_MS = 1000
_PICTURE_WIDTH = 220
_DEVICES = ["auto", "cpu", "cuda", "mps"]


class TrainingWidget(Panel):
    """Train a network.

    The run goes on when napari is closed; choose its folder here to follow it again.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self.process: subprocess.Popen[bytes] | None = None
        self.log: RunLog | None = None
        self._stop_wanted = False

        what = self.add_group("Run")
        self.recipe = ComboBox(
            choices=[*recipe_names(), FROM_FILE],
            value="quick",
            tooltip="What is trained, on what, and for how long. 'quick' shows in minutes how a run looks.",
        )
        add_row(what, "Recipe", self.recipe)
        self.recipe_file = FileEdit(
            mode=FileDialogMode.EXISTING_FILE, filter="Recipes (*.toml)", tooltip="A recipe of your own (TOML)."
        )
        add_row(what, "Recipe file", self.recipe_file)
        self.data = FileEdit(
            mode=FileDialogMode.EXISTING_DIRECTORY,
            value=Path.home(),
            tooltip="Where the folders that the recipe names lie; 'quick' needs none.",
        )
        add_row(what, "Data", self.data)
        self.output = FileEdit(
            mode=FileDialogMode.EXISTING_DIRECTORY,
            value=Path.home() / "lsa-runs" / "first",
            tooltip="The run's folder, made if it does not exist.",
        )
        add_row(what, "Output", self.output)
        for edit in (self.recipe_file, self.data, self.output):
            # The text of the button would leave no room for the path.
            edit.choose_btn.text = "…"
            edit.choose_btn.native.setMaximumWidth(32)
        self.device = ComboBox(choices=_DEVICES, tooltip="Where to train; auto takes a GPU if there is one.")
        add_row(what, "Device", self.device)
        self.resume = CheckBox(
            text="Resume the run in this folder", tooltip="Go on from the checkpoint in the output folder."
        )
        what.addRow(self.resume.native)

        self.reason = Message()
        self.add(self.reason)
        self.launch_button = QPushButton("Launch")
        self.launch_button.clicked.connect(self.launch)
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("Finish the step, save, and leave; the run can go on later.")
        self.stop_button.clicked.connect(self.stop)
        buttons = QHBoxLayout()
        buttons.addWidget(self.launch_button, 1)
        buttons.addWidget(self.stop_button, 1)
        self.add_layout(buttons)

        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.add(self.bar)
        self.status = Message()
        self.add(self.status)
        self.loss_plot = CurvePlot("Loss", "#3d9be9", logarithmic=True)
        self.loss_plot.setToolTip("The training loss, lower is better.")
        self.add(self.loss_plot)
        self.score_plot = CurvePlot("Validation error (SAD)", "#e07b39")
        self.score_plot.setToolTip(
            "The sum of absolute differences on pictures that training never sees; lower is better."
        )
        self.add(self.score_plot)
        self.picture = QLabel()
        self.picture.setToolTip("Validation: image, trimap, matte, truth.")
        self.add(self.picture)
        self._picture_path: Path | None = None

        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.timeout.connect(self.look)
        for control in (self.recipe, self.recipe_file, self.data, self.resume):
            control.changed.connect(self.refresh_soon)
        self.output.changed.connect(self._follow_output)
        self._follow_output()

    def refresh(self) -> None:
        """Say what stands against a launch, and enable what can be done."""
        from_file = self.recipe.value == FROM_FILE
        self.recipe_file.enabled = from_file
        folder = _path(self.output)
        self.resume.enabled = can_resume(folder)
        problem = self._problem(folder)
        self.reason.say(None if self.running else problem)
        self.launch_button.setEnabled(problem is None and not self.running)
        self.launch_button.setToolTip(problem or "Start the run in a process of its own.")
        self.stop_button.setEnabled(self.running and not self._stop_wanted)

    @property
    def running(self) -> bool:
        """Whether the run in the output folder is under way, as far as is known."""
        if self.process is not None:
            return self.process.poll() is None
        return self.log is not None and self.log.state == "running"

    def launch(self, _: bool = False) -> None:
        """Start the run and follow it; an error is shown as a notification."""
        folder = _path(self.output)
        recipe = str(_path(self.recipe_file)) if self.recipe.value == FROM_FILE else str(self.recipe.value)
        try:
            self.process = launch(
                recipe,
                _path(self.data),
                folder,
                str(self.device.value),
                resume=bool(self.resume.value and can_resume(folder)),
            )
        except FileError as error:
            notify_error(error)
            return
        self._stop_wanted = False
        self.log = RunLog(folder)
        self._timer.start()
        self.look()

    def stop(self, _: bool = False) -> None:
        """Ask the run to finish its step, save and leave."""
        if self.log is not None:
            self._stop_wanted = True
            request_stop(self.log.folder)
            self.look()

    def look(self) -> None:
        """Read what the run has written since the last look."""
        if self.log is None:
            return
        news = self.log.update()
        if news and self._stop_wanted and self.running:
            # A run that was just starting removes an old request to stop: repeat it.
            request_stop(self.log.folder)
        if not self.running:
            self._timer.stop()
            self.resume.value = self.log.state == "stopped"
        self._show()
        self.refresh()

    def _follow_output(self, _: object = None) -> None:
        """Show the run that the output folder already holds, if any."""
        if self.process is None or self.process.poll() is not None:
            self.process = None
            folder = _path(self.output)
            self.log = RunLog(folder) if has_events(folder) else None
            if self.log is not None:
                self._timer.start()
                self.look()
            self._show()
        self.refresh()

    def _problem(self, folder: Path) -> str | None:
        if self.recipe.value == FROM_FILE:
            problem = _recipe_problem(_path(self.recipe_file))
            if problem is not None:
                return problem
        if not _path(self.data).is_dir():
            return f"There is no data folder {_path(self.data)}: choose one that exists."
        if folder.exists() and not folder.is_dir():
            return f"The output {folder} is a file: choose a folder."
        if can_resume(folder) and not self.resume.value:
            return "The output folder already holds a run: choose another, or tick Resume."
        return None

    def _show(self) -> None:
        log = self.log
        self.bar.setVisible(log is not None)
        for widget in (self.loss_plot, self.score_plot, self.picture):
            widget.setVisible(log is not None)
        if log is None:
            self.status.say()
            return
        self.bar.setRange(0, log.steps)  # 0 to 0 shows that something is going on
        self.bar.setValue(log.step)
        self.status.say(self._state(log))
        self.loss_plot.set_points(log.losses)
        self.score_plot.set_points(log.scores)
        if log.picture is not None and log.picture != self._picture_path and log.picture.is_file():
            self._picture_path = log.picture
            self.picture.setPixmap(
                QPixmap(str(log.picture)).scaledToWidth(_PICTURE_WIDTH, Qt.TransformationMode.SmoothTransformation)
            )

    def _state(self, log: RunLog) -> str:
        where = f"step {log.step} of {log.steps}" if log.steps else ""
        if self.process is not None and self.process.poll() is not None and log.state in ("waiting", "running"):
            words = last_words(log.folder) or f"see {LOG_FILE} in the output folder"
            return f"The run ended early: {words}"
        if log.state == "waiting":
            return "Starting …"
        if log.state == "failed":
            return f"Failed at {where}: {log.message}"
        if log.state != "running":
            return f"{log.state.capitalize()} at {where}. {log.message}"
        parts = [f"{'Stopping after this step' if self._stop_wanted else 'Running'}: {where}"]
        if log.losses:
            parts.append(f"loss {log.losses[-1][1]:.4f}")
        if log.remaining_seconds is not None and not self._stop_wanted:
            parts.append(f"{describe_seconds(log.remaining_seconds)} left")
        return ", ".join(parts)


def _path(edit: FileEdit) -> Path:
    """Return the one path of a control that chooses one."""
    return Path(str(edit.value))


def _recipe_problem(path: Path) -> str | None:
    if not path.is_file():
        return "No recipe file is chosen: choose a .toml file."
    try:
        tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        return f"The recipe {path.name} cannot be read ({error}): correct it, or choose another."
    return None
