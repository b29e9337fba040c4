"""The frame that all widgets share: a scrolling form, and the row with Run, Cancel and progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from magicgui.widgets.bases import Widget
from qtpy.QtCore import QEvent, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLayout,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from lsa_engine.errors import LsaError
from lsa_engine.progress import Progress
from napari_lsa_matting.dock_room import share_room
from napari_lsa_matting.jobs import Job, Work
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.notifications import notify_error, remember_errors
from napari_lsa_matting.trimap_layer import compile_colours
from napari_lsa_matting.wheel import scroll_over

if TYPE_CHECKING:
    from napari.components import ViewerModel

_REFRESH_MS = 150
_DIMS_EVENTS = ("current_step", "ndisplay", "order")
_BAR_STEPS = 1000
_PATIENCE_MS = 800
_CANCELLED = "Cancelled; the layers are as they were."


class Panel(QWidget):
    """A dock widget: rows in a scroll area, so that it fits narrow docks and low screens.

    Subclasses add rows, and say in :meth:`refresh` what can be done now.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer, or napari's public proxy of it.
    """

    _colours_compiled = False

    def __init__(self, viewer: ViewerModel) -> None:
        from napari_lsa_matting.restore_offer import RestoreOffer  # is made of what this module has

        super().__init__()
        remember_errors()
        self.viewer = viewer
        self._choices: list[LayerChoice] = []
        self._jobs: list[JobControls] = []
        body = QWidget()
        self._rows = QVBoxLayout(body)
        self._rows.setAlignment(Qt.AlignmentFlag.AlignTop)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        self._body, self._scroll = body, scroll
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_REFRESH_MS)
        self._soon.timeout.connect(self.refresh)
        for name in _DIMS_EVENTS:
            getattr(viewer.dims.events, name).connect(self.refresh_soon)
        # A moment later: napari shows a dock before it has given it a size.
        self._docked = QTimer(self)
        self._docked.setSingleShot(True)
        self._docked.timeout.connect(self._share_room)
        self._placed = False
        self.offer = RestoreOffer(viewer)
        self.add(self.offer)
        if not Panel._colours_compiled:  # once in a process
            Panel._colours_compiled = True
            Job("Compiling the trimap's colours", lambda *_: compile_colours(), self).start_soon()

    def sizeHint(self) -> QSize:
        """Return a size at which no row is cut off; the scroll area takes what there is."""
        wanted = self._body.sizeHint()
        return QSize(max(300, wanted.width()), wanted.height())

    def minimumSizeHint(self) -> QSize:
        """Return a size at which every control can be reached: the dock gets no narrower, and scrolls up and down."""
        bar = self._scroll.verticalScrollBar()
        extra = bar.sizeHint().width() if bar is not None else 0
        return QSize(self._body.minimumSizeHint().width() + extra, 120)

    def refresh(self) -> None:
        """Bring what is shown and enabled up to date with the viewer."""

    def refresh_soon(self, *_: object) -> None:
        """Call :meth:`refresh` after things have settled: a stroke of the brush sends many events."""
        self._soon.start()

    @property
    def settling(self) -> bool:
        """Whether it cannot be told yet what can be done: things have changed a moment ago."""
        return self._soon.isActive()

    def add(self, widget: QWidget) -> None:
        """Add a row over the whole width."""
        self._rows.addWidget(widget)

    def add_layout(self, layout: QLayout) -> None:
        """Add a row of several widgets."""
        self._rows.addLayout(layout)

    def add_group(self, title: str) -> QFormLayout:
        """Add a titled box with rows of a label and a control, and return its layout."""
        box = QGroupBox(title)
        form = QFormLayout(box)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self._rows.addWidget(box)
        return form

    def add_choice(self, form: QFormLayout, label: str, choice: LayerChoice) -> LayerChoice:
        """Add a row that chooses a layer; the panel is refreshed when it, or the layer, changes."""
        add_row(form, label, choice)
        choice.changed.connect(self.refresh_soon)
        choice.edited.connect(self.refresh_soon)
        self._choices.append(choice)
        return choice

    def follow_job(self, controls: JobControls) -> None:
        """Refresh when a run of these controls ends, and cancel it when the panel is closed."""
        controls.idle.connect(self.refresh)
        self._jobs.append(controls)

    def event(self, event: QEvent | None) -> bool:
        """Notice that the dock was opened, or closed: napari takes the widget out of it and forgets it."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.close_down()
        if event is not None and event.type() == QEvent.Type.Show and not self._placed:
            self._docked.start(0)
        return bool(super().event(event))

    def _share_room(self) -> None:
        window = self.window()
        if window is not None and not self._placed:
            self._placed = True  # only once: where the user puts the dock later, it stays
            share_room(self, [panel for panel in window.findChildren(Panel) if panel._placed and panel is not self])

    def close_down(self) -> None:
        """Cancel what runs, stop to follow the viewer, and go."""
        for controls in self._jobs:
            controls.cancel()
        for choice in self._choices:
            choice.let_go()
        for name in _DIMS_EVENTS:
            getattr(self.viewer.dims.events, name).disconnect(self.refresh_soon)
        # Python's garbage collector may run in a worker's thread, and Qt does not bear widgets destroyed there.
        self.deleteLater()


class Message(QLabel):
    """A text of several lines, hidden while it is empty, which can be selected and copied."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.hide()

    def say(self, *sentences: str | None) -> None:
        """Show sentences, each on its own line; none hides the label."""
        text = "\n".join(sentence for sentence in sentences if sentence)
        self.setText(text)
        self._keep_height()
        self.setVisible(bool(text))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Take the height that the lines need at the new width: a form gives too little of it."""
        super().resizeEvent(event)
        self._keep_height()

    def _keep_height(self) -> None:
        self.setMinimumHeight(0)  # a label needs no less than that, even for a shorter text
        if self.text():
            self.setMinimumHeight(max(0, self.heightForWidth(self.width())))


class JobControls(QWidget):
    """Run and Cancel, a progress bar with the time left, why Run is disabled, and how the last run ended.

    Parameters
    ----------
    run_text, run_tip : str
        Text and tooltip of the Run button.
    """

    run_requested = Signal()
    """The user wants a run, and nothing stands against it."""
    idle = Signal()
    """A run has ended, whatever came of it."""

    def __init__(self, run_text: str, run_tip: str) -> None:
        super().__init__()
        self._job: Job | None = None
        self._run = object()
        self._problem: str | None = None
        self._cancelled = _CANCELLED
        self._run_tip = run_tip
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self._let_go)
        self.run_button = QPushButton(run_text)
        self.run_button.clicked.connect(self._request)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop the run; the layers stay as they are.")
        self.cancel_button.clicked.connect(self.cancel)
        self.bar = QProgressBar()
        self.bar.setRange(0, _BAR_STEPS)
        self.bar.setTextVisible(False)
        self.bar.setToolTip("How much of the run is done.")
        self.stage = Message()
        self.reason = Message()
        self.outcome = Message()
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.cancel_button, 1)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.reason)
        rows.addLayout(buttons)
        rows.addWidget(self.bar)
        rows.addWidget(self.stage)
        rows.addWidget(self.outcome)
        self._show_state()

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self._job is not None

    def set_problem(self, problem: str | None) -> None:
        """Say why nothing can be run now; None allows it."""
        self._problem = problem
        self._show_state()

    def start(self, title: str, work: Work, deliver: Callable[[Any], None], cancelled: str = _CANCELLED) -> None:
        """Run a job.

        Parameters
        ----------
        title : str
            What is done, for a person.
        work : callable
            As for :class:`~napari_lsa_matting.jobs.Job`.
        deliver : callable
            Gets the result, on the main thread; not called for a cancelled or failed run. An error that it raises is
            shown like one of the work.
        cancelled : str
            What is said of a run that was cancelled.
        """
        if self._job is not None:
            return
        self._cancelled = cancelled
        self.outcome.say()
        self.bar.setValue(0)
        self.stage.say("starting …")
        job = self._job = Job(title, work, self)
        # Slots must not hold the job: a cycle would be freed by whatever thread collects garbage, and Qt crashes.
        run = self._run = object()
        job.progressed.connect(self._show_progress)
        job.succeeded.connect(lambda value: self._deliver(deliver, value))
        job.failed.connect(self._fail)
        job.ended.connect(lambda: self._end(run))
        self._show_state()
        job.start()

    def cancel(self, _: bool = False) -> None:
        """Stop the run that is under way, if any; what cannot be stopped at once is left to end unseen."""
        job = self._job
        if job is not None:
            job.cancel()
            self.stage.say("stopping …")
            self.cancel_button.setEnabled(False)
            self._patience.start()

    def _request(self, _: bool = False) -> None:
        self.run_requested.emit()

    def _deliver(self, deliver: Callable[[Any], None], value: Any) -> None:
        try:
            deliver(value)
        except LsaError as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.outcome.say(str(error))
        notify_error(error)

    def _let_go(self) -> None:
        if self._job is not None:
            self._end(self._run)

    def _end(self, run: object) -> None:
        if self._job is None or self._run is not run:
            return
        self._patience.stop()
        if self._job.cancelled:
            self.outcome.say(self._cancelled)
        self._job = None
        self._show_state()
        self.idle.emit()

    def _show_progress(self, progress: Progress) -> None:
        self.bar.setValue(round(_BAR_STEPS * progress.fraction))
        self.stage.say(describe_progress(progress))

    def _show_state(self) -> None:
        self.run_button.setEnabled(self._problem is None and not self.busy)
        self.run_button.setToolTip(self._problem or self._run_tip)
        self.cancel_button.setEnabled(self.busy)
        self.bar.setVisible(self.busy)
        if not self.busy:
            self.stage.say()
        self.reason.say(None if self.busy else self._problem)


def describe_progress(progress: Progress) -> str:
    """Return where an operation stands: what, how far, and the time left once it can be told."""
    parts = [progress.message]
    if progress.total > 1:
        parts.append(f"{progress.done} of {progress.total}")
    left = progress.remaining_seconds
    # A guess after a moment of work would jump.
    if left is not None and progress.seconds > 1 and progress.done < progress.total:
        parts.append(f"{describe_seconds(left)} left")
    return ", ".join(parts)


def describe_seconds(seconds: float) -> str:
    """Return a duration as people say it: "8 s", "3 min", "2 h 05 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def add_row(form: QFormLayout, label: str, widget: Widget | QWidget) -> None:
    """Add a row to a form: a label, which carries the control's tooltip too, and the control."""
    control: QWidget = widget.native if isinstance(widget, Widget) else widget
    for box in [control, *control.findChildren(QComboBox)]:
        if isinstance(box, QComboBox):
            # Long layer names must not make the dock wide.
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(6)
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    control.setMinimumWidth(90)
    scroll_over(control)
    text = QLabel(label)
    text.setToolTip(control.toolTip())
    text.setBuddy(control)
    form.addRow(text, control)


def side_by_side(*widgets: QWidget) -> QWidget:
    """Return widgets in a row of a form."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return row


def show_row(form: QFormLayout, widget: Widget | QWidget, shown: bool) -> None:
    """Show or hide a control of a form with its label."""
    control: QWidget = widget.native if isinstance(widget, Widget) else widget
    for part in (control, form.labelForField(control)):
        if part is not None:
            part.setVisible(shown)
