"""The Training widget: launch a training run as a process of its own, follow it, use what earlier ones have made."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox
from qtpy.QtCore import QTimer
from qtpy.QtGui import QEnterEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton

from lsa_engine.errors import LsaError
from lsa_engine.progress import Progress
from lsa_engine.training.recipe import Recipe, recipe_names
from lsa_engine.training.runs import RECIPE_FILE, WEIGHTS_FILE, request_stop
from napari_lsa_matting.copy_code import CopyCode
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.latest_job import LatestJob
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.panel import Message, Panel, add_row, describe_progress, show_row
from napari_lsa_matting.session import session_of
from napari_lsa_matting.settings import read_settings
from napari_lsa_matting.training_code import can_repeat, training_script
from napari_lsa_matting.training_data import RECIPE, TrainingData, path_edit, path_of
from napari_lsa_matting.training_request import Prepared, PrepareRequest
from napari_lsa_matting.training_run import LOG_FILE, RunLog, can_resume, folder_problem, has_events, last_words, launch
from napari_lsa_matting.training_runs import ListRuns, RunsTable, next_free
from napari_lsa_matting.training_start import FROM_FILE, StartChoice, StartingPoints, find_starting_points
from napari_lsa_matting.training_view import RunView, describe_run

if TYPE_CHECKING:
    from napari.components import ViewerModel

_LOOK_EVERY_MS = 1000
_USUAL_RECIPE = "fine-tune"


class TrainingWidget(Panel):
    """Train a network.

    A run goes on when napari is closed; choose it in the list to follow it again.

    Parameters
    ----------
    napari_viewer : napari.components.ViewerModel
        The viewer.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self._processes: dict[Path, subprocess.Popen[bytes]] = {}
        self._stopping: set[Path] = set()
        self._preparing: Job | None = None
        self._listed: tuple[object, ...] = ()
        self.log: RunLog | None = None
        self._recipe: Recipe | None = None
        self._recipe_problem: str | None = None
        self._add_what()
        self.data = TrainingData(napari_viewer, self.add_group("Data"))
        self._add_buttons()
        self._add_runs()
        self.view = RunView()
        self.add(self.view)
        self.code = CopyCode("the run shown")
        self.add(self.code)
        self._offered: RunLog | None = None

        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.timeout.connect(self.look)
        self._lister = LatestJob("Looking for training runs", self)
        self._lister.answered.connect(self._show_runs)
        self._lister.failed.connect(notify_error)
        self.recipe.changed.connect(self._choose_recipe)
        self.recipe_file.changed.connect(self._choose_recipe)
        self.data.changed.connect(self.refresh_soon)
        self.start.changed.connect(self.refresh_soon)
        self.resume.changed.connect(self.refresh_soon)
        self.output.changed.connect(self._follow_output)
        self.data.suit(str(self.recipe.value))
        self._follow_output()
        self._look_around()

    def _add_what(self) -> None:
        self._what = what = self.add_group("Run")
        self.recipe = ComboBox(
            choices=[*recipe_names(), FROM_FILE],
            value=_USUAL_RECIPE,
            tooltip="What is trained, and for how long. fine-tune: the shipped weights on own images, some minutes. "
            "quick: shows in minutes how a run looks. lsa-lite: how the shipped weights were made, a day.",
        )
        add_row(what, "Recipe", self.recipe)
        self.recipe_file = path_edit(
            FileDialogMode.EXISTING_FILE, None, "A recipe of your own (TOML).", "Recipes (*.toml)"
        )
        add_row(what, "Recipe file", self.recipe_file)
        self.start = StartChoice(what)
        self.output = path_edit(
            FileDialogMode.EXISTING_DIRECTORY,
            Path.home() / "lsa-runs" / "first",
            "The run's folder, made if it does not exist. Runs beside it are listed below.",
        )
        add_row(what, "Output", self.output)
        self.device = ComboBox(choices=["auto"], tooltip="Where to train; auto takes a GPU if there is one.")
        add_row(what, "Device", self.device)
        self.resume = CheckBox(
            text="Resume the run in this folder",
            tooltip="Go on from the checkpoint in the output folder, with the recipe and the data of that run.",
        )
        what.addRow(self.resume.native)

    def _add_buttons(self) -> None:
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

    def _add_runs(self) -> None:
        self.runs_title = QLabel("Runs")
        self.add(self.runs_title)
        self.runs = RunsTable()
        self.runs.chosen.connect(self._choose_run)
        self.add(self.runs)
        self.use_button = QPushButton("Use these weights")
        self.use_button.clicked.connect(self.use_weights)
        self.new_button = QPushButton("New run")
        self.new_button.setToolTip("Choose a folder beside this one that holds no run yet.")
        self.new_button.clicked.connect(self._choose_new_folder)
        buttons = QHBoxLayout()
        buttons.addWidget(self.use_button, 1)
        buttons.addWidget(self.new_button, 1)
        self.add_layout(buttons)
        self.used = Message()
        self.add(self.used)

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return path_of(self.output)

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The process of the run in the output folder, if it was launched from here."""
        return self._processes.get(self.folder)

    @property
    def running(self) -> bool:
        """Whether the run in the output folder is under way, as far as is known."""
        if self.process is not None:
            return self.process.poll() is None
        return self.log is not None and self.log.state == "running"

    @property
    def preparing(self) -> bool:
        """Whether a run's data are being written."""
        return self._preparing is not None

    @property
    def _resuming(self) -> bool:
        return bool(self.resume.value) and can_resume(self.folder)

    def refresh(self) -> None:
        """Say what stands against a launch, and enable what can be done."""
        folder = self.folder
        show_row(self._what, self.recipe_file, self.recipe.value == FROM_FILE)
        self.start.show_what_counts(not self._resuming)
        self.data.show_what_counts(self._recipe, not self._resuming)
        self.resume.native.setVisible(can_resume(folder))
        problem = self._problem(folder)
        idle = not self.running and not self.preparing
        self.reason.say(problem if idle else None)
        self.launch_button.setEnabled(problem is None and idle)
        self.launch_button.setToolTip(problem or "Start the run in a process of its own.")
        self.stop_button.setEnabled(self.preparing or (self.running and folder not in self._stopping))
        has_weights = (folder / WEIGHTS_FILE).is_file()
        self.use_button.setEnabled(has_weights)
        self.use_button.setToolTip(
            f"Let the Matting and Stack widgets use the weights of {folder.name}."
            if has_weights
            else f"{folder.name} has no weights yet: choose a run that has."
        )

    def launch(self, _: bool = False) -> None:
        """Write what the run needs, start it and follow it; an error is shown as a notification."""
        if self._problem(self.folder) is not None:  # changed since the last look
            self.refresh()
            return
        recipe = path_of(self.recipe_file) if self.recipe.value == FROM_FILE else Path(str(self.recipe.value))
        if self._resuming and not self._by_own_file:
            data = self.log.data if self.log is not None and self.log.data is not None else self.data.folder
            self._start_process(self.folder, str(self.device.value), Prepared(self.folder / RECIPE_FILE, data))
        elif self._recipe is None or (self._is_as_written() or self._resuming):
            self._start_process(self.folder, str(self.device.value), Prepared(recipe, self.data.folder))
        else:
            chosen = self.data.applied_to(self._recipe).model_copy(update={"start_from": self.start.value})
            self._prepare(PrepareRequest(chosen, self.folder, self.data.folder, self.data.take()))

    def stop(self, _: bool = False) -> None:
        """Ask the run to finish its step, save and leave; what is only being prepared is given up."""
        if self._preparing is not None:
            self._preparing.cancel()
        elif self.log is not None:
            self._stopping.add(self.log.folder)
            request_stop(self.log.folder)
            self.look()

    def use_weights(self, _: bool = False) -> None:
        """Let the widgets that choose weights use those of the run shown."""
        session_of(self.viewer).offer_weights(self.folder / WEIGHTS_FILE)
        self.used.say(f"The Matting and Stack widgets use the weights of {self.folder.name} now.")

    def look(self) -> None:
        """Read what the run has written since the last look."""
        if self.log is None:
            return
        news = self.log.update()
        if news and self.log.folder in self._stopping and self.running:
            # A run that was just starting removes an old request to stop: repeat it.
            request_stop(self.log.folder)
        if not self.running:
            self._timer.stop()
            self._stopping.discard(self.log.folder)
            self.resume.value = self.log.state in ("stopped", "interrupted")
        self._show()
        self.refresh()

    def enterEvent(self, event: QEnterEvent | None) -> None:
        """Look again at what lies on the disk, which may have changed while the mouse was elsewhere."""
        self.refresh_soon()
        super().enterEvent(event)

    def close_down(self) -> None:
        """Give up what is being prepared, and go; runs go on."""
        if self._preparing is not None:
            self._preparing.cancel()
        self._lister.drop()
        self.data.pairs.let_go()
        super().close_down()

    @property
    def _by_own_file(self) -> bool:
        """Whether a recipe's file is to be taken as it is, also for a run that goes on."""
        return self.recipe.value == FROM_FILE and self.data.source.value == RECIPE

    def _is_as_written(self) -> bool:
        """Return whether nothing is chosen but what the recipe says."""
        return (
            self.data.source.value == RECIPE
            and self._recipe is not None
            and (self.start.value == self._recipe.start_from)
        )

    def _prepare(self, request: PrepareRequest) -> None:
        """Write recipe and cut-outs in the background, then start the run."""
        job = self._preparing = Job("Preparing a training run", request.run, self)
        job.progressed.connect(self._show_preparing)
        # In the folder that it was prepared in, whatever is chosen meanwhile.
        job.succeeded.connect(partial(self._start_process, request.folder, str(self.device.value)))
        job.failed.connect(notify_error)
        job.ended.connect(self._end_preparing)
        self.view.show_work(0, "Preparing …")
        job.start()
        self.refresh()

    def _show_preparing(self, progress: Progress) -> None:
        self.view.show_work(progress.fraction, describe_progress(progress))

    def _end_preparing(self) -> None:
        self._preparing = None
        if self.log is None:
            self._show()
        self.refresh()

    def _start_process(self, folder: Path, device: str, prepared: Prepared) -> None:
        shown = folder == self.folder
        try:
            self._processes[folder] = launch(
                str(prepared.recipe), prepared.data, folder, device, resume=shown and self._resuming
            )
        except LsaError as error:
            notify_error(error)
            return
        if not shown:
            self._list_runs()
            return
        self.log = RunLog(folder)
        self._timer.start()
        self.look()

    def _look_around(self) -> None:
        job = Job("Looking for weights to start from", find_starting_points, self)
        job.succeeded.connect(self._note_starting_points)
        job.failed.connect(notify_error)
        job.start_soon()

    def _note_starting_points(self, points: StartingPoints) -> None:
        self.start.points = points
        self.device.choices = points.device_choices
        preferred = read_settings().device
        if preferred in points.devices:
            self.device.value = preferred
        self._read_recipe()

    def _choose_recipe(self, _: object = None) -> None:
        self.data.suit(str(self.recipe.value))
        self._read_recipe()

    def _read_recipe(self) -> None:
        """Read the recipe that is chosen; before the look around, its check would load torch here."""
        self._recipe, self._recipe_problem = None, None
        from_file = self.recipe.value == FROM_FILE
        if self.start.points is not None:
            try:
                self._recipe = Recipe.load(path_of(self.recipe_file) if from_file else str(self.recipe.value))
            except LsaError as error:
                chosen = not from_file or path_of(self.recipe_file).is_file()
                self._recipe_problem = str(error) if chosen else "No recipe file is chosen: choose a .toml file."
        self.start.suit(self._recipe)
        self.refresh_soon()

    def _follow_output(self, _: object = None) -> None:
        """Show the run that the output folder holds, if any, and list those beside it."""
        folder = self.folder
        self.used.say()
        self.log = RunLog(folder) if has_events(folder) or folder in self._processes else None
        if self.log is not None:
            self._timer.start()
            self.look()
        self._show()
        self._list_runs()
        self.refresh()

    def _problem(self, folder: Path) -> str | None:
        if self.start.points is None:
            return "Looking for weights …"
        found = folder_problem(folder)
        if found is not None:
            return found
        if can_resume(folder) and not self.resume.value:
            return "The output folder already holds a run: press New run, choose another folder, or tick Resume."
        if self._resuming and not self._by_own_file:
            if not (folder / RECIPE_FILE).is_file():
                return f"The run in {folder.name} has no {RECIPE_FILE} to go on with: choose its recipe's file."
            return None
        if self._recipe is None:
            return self._recipe_problem
        if self._resuming:
            return self.data.problem(self._recipe)
        return self.data.problem(self._recipe) or self.start.problem(self._recipe)

    def _offer_code(self) -> None:
        """Offer the run shown as code once it has begun: offered anew at every look, "Copied" would be wiped out."""
        run = self.log if self.log is not None and can_repeat(self.log) else None
        if run is not self._offered:
            self._offered = run
            self.code.withdraw() if run is None else self.code.offer(partial(training_script, run))

    def _show(self) -> None:
        log = self.log
        self._offer_code()
        if log is None:
            self.view.show_run(None, "")
            return
        early = None
        if self.process is not None and self.process.poll() is not None:
            early = last_words(log.folder) or f"see {LOG_FILE} in the output folder"
        self.view.show_run(log, describe_run(log, log.folder in self._stopping, early))
        listed = (log.folder, log.state, len(log.scores), self.running)
        if listed != self._listed:
            self._listed = listed
            self._list_runs()

    def _list_runs(self) -> None:
        self._lister.ask(ListRuns(self.folder.parent))

    def _show_runs(self, _: object, runs: list[Any]) -> None:
        self.runs_title.setVisible(bool(runs))
        self.runs.show_runs(runs, self.folder)

    def _choose_run(self, folder: Path) -> None:
        if folder != self.folder:
            self.output.value = folder

    def _choose_new_folder(self, _: bool = False) -> None:
        self.output.value = next_free(self.folder.parent)
