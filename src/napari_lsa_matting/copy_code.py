"""The button that puts the last run as a Python snippet on the clipboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QApplication, QFileDialog, QPushButton, QVBoxLayout, QWidget

from napari_lsa_matting.code_snippet import FindSources, Input, SaveArrays, Script
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.panel import Message

_NO_RUN = "There is no run to copy yet."


class CopyCode(QWidget):
    """Copy the last run as code; arrays that no file holds are saved to where the user says.

    Parameters
    ----------
    what : str
        What the code gives again, for a person: "the last matte".
    """

    def __init__(self, what: str) -> None:
        super().__init__()
        self._tip = f"Put Python on the clipboard that gives {what} again, by lsa_engine alone."
        self._jobs = 0
        self._write: Callable[[], Script] | None = None
        self.button = QPushButton("Copy as code")
        self.button.clicked.connect(self._find_sources)
        self.status = Message()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.button)
        rows.addWidget(self.status)
        self._refresh()

    @property
    def busy(self) -> bool:
        """Whether files are read or written."""
        return self._jobs > 0

    def offer(self, write: Callable[[], Script]) -> None:
        """Offer a run.

        Parameters
        ----------
        write : callable
            Returns its script; called when it is wanted.
        """
        self._write = write
        self.status.say()
        self._refresh()

    def withdraw(self) -> None:
        """Offer no run."""
        self._write = None
        self.status.say()
        self._refresh()

    def _refresh(self) -> None:
        there = self._write is not None
        self.button.setEnabled(there and not self.busy)
        self.button.setToolTip(self._tip if there else _NO_RUN)

    def _find_sources(self, _: bool = False) -> None:
        if self._write is None or self.busy:
            return
        self.status.say()
        script = self._write()
        self._start(Job("Code", FindSources(script).run, self), lambda found: self._copy(script, found))

    def _start(self, job: Job, deliver: object) -> None:
        self._jobs += 1
        job.succeeded.connect(deliver)
        job.failed.connect(self._fail)
        job.ended.connect(self._end)
        self._refresh()
        job.start()

    def _end(self) -> None:
        self._jobs -= 1
        self._refresh()

    def _copy(self, script: Script, found: tuple[Input, ...]) -> None:
        if len(found) == len(script.inputs):
            self._put_on_clipboard(script.text(found), "Copied.")
            return
        path, _filter = QFileDialog.getSaveFileName(
            self, "Save what the code loads", "lsa-matting.npz", "Arrays (*.npz)"
        )
        if not path:
            self.status.say("Not copied: the code needs arrays that no file holds.")
            return
        file = Path(path).with_suffix(".npz")
        self._start(
            Job("Code", SaveArrays(script, found, file).run, self),
            lambda text: self._put_on_clipboard(text, f"Copied; what it loads is in {file}."),
        )

    def _put_on_clipboard(self, text: str, said: str) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)
            self.status.say(said)

    def _fail(self, error: Exception) -> None:
        self.status.say(str(error))
        notify_error(error)
