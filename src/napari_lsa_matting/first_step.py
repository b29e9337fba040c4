"""One step of the First steps widget: what it is for, and buttons that open another widget and press its Run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDockWidget, QGroupBox, QPushButton, QVBoxLayout

from napari_lsa_matting.panel import Message, side_by_side
from napari_lsa_matting.settings import PLUGIN

if TYPE_CHECKING:
    from napari.components import ViewerModel

_LOOK_EVERY_MS = 100


class FirstStep(QGroupBox):
    """A step that another widget does.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where the widget is opened.
    title : str
        The step's title.
    name : str
        The widget's name in the manifest.
    hint : str
        What the step is for.
    run : str
        What is written on the button that runs it; empty for a step that is done by hand.
    """

    def __init__(self, viewer: ViewerModel, title: str, name: str, hint: str, run: str = "") -> None:
        super().__init__(title)
        self._viewer, self._name = viewer, name
        self._panel: Any = None  # a panel with controls
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.timeout.connect(self._press_when_ready)
        text = Message()
        text.say(hint)
        self.open_button = QPushButton(f"Open {name}")
        self.open_button.setToolTip(f"Open the {name} widget (Plugins ▸ LSA Matting).")
        self.open_button.clicked.connect(self.open)
        self.run_button = QPushButton(run)
        self.run_button.setToolTip(f"Open the {name} widget and press its Run; why that cannot be done is said below.")
        self.run_button.clicked.connect(self.run)
        self.run_button.setVisible(bool(run))
        self.status = Message()
        # Not a form, which gives texts of several lines too little height.
        rows = QVBoxLayout(self)
        rows.addWidget(text)
        rows.addWidget(side_by_side(self.open_button, *([self.run_button] if run else [])))
        rows.addWidget(self.status)

    @property
    def busy(self) -> bool:
        """Whether the step is being done."""
        return self._panel is not None

    def open(self, _: bool = False) -> Any:
        """Open the step's widget, if it is not open yet, in front of the other ones, and return it."""
        # One above the other, five widgets would leave each of them a strip.
        dock, panel = self._viewer.window.add_plugin_dock_widget(PLUGIN, self._name, tabify=True)
        dock.show()
        dock.raise_()
        return panel

    def run(self, _: bool = False) -> None:
        """Open the step's widget and press its Run as soon as that can be told to be possible."""
        if self.busy:
            return
        panel = self._panel = self.open()
        self._come_to_front()
        panel.destroyed.connect(self._note_closed)
        panel.controls.idle.connect(self._say_outcome)
        self.run_button.setEnabled(False)
        self.status.say("waiting for the widget …")
        self._timer.start()

    def _come_to_front(self) -> None:
        """Show the steps again: what comes of a run is said here."""
        parent = self.parentWidget()
        while parent is not None and not isinstance(parent, QDockWidget):
            parent = parent.parentWidget()
        if parent is not None:
            parent.raise_()

    def _press_when_ready(self) -> None:
        panel = self._panel
        if panel is None or panel.settling:
            return
        self._timer.stop()
        controls = panel.controls
        if controls.busy:  # pressed there meanwhile
            self.status.say("running …")
        elif controls.run_button.isEnabled():
            self.status.say("running …")
            controls.run_button.click()
        else:
            self._end(controls.reason.text())

    def _say_outcome(self) -> None:
        if self._panel is not None and not self._timer.isActive():
            self._end(self._panel.controls.outcome.text())

    def _note_closed(self, _: object = None) -> None:
        if self._panel is not None:
            self._panel = None
            self._end("The widget was closed.")

    def _end(self, said: str) -> None:
        panel, self._panel = self._panel, None
        self._timer.stop()
        if panel is not None:
            panel.destroyed.disconnect(self._note_closed)
            panel.controls.idle.disconnect(self._say_outcome)
        self.run_button.setEnabled(True)
        self.status.say(said)
