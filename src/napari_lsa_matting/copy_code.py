"""The button that puts the last run as a Python snippet on the clipboard."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QApplication, QFileDialog, QPushButton, QVBoxLayout, QWidget

from napari_lsa_matting.code_snippet import FindSources, Run, SaveArrays, Sources, snippet
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.matte_layers import MatteLayers
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.panel import Message

_TIP = "Put Python on the clipboard that gives the last matte again, by lsa_engine alone."
_NO_RUN = "There is no run to copy yet."


class CopyCode(QWidget):
    """Copy the last run as code; arrays that no file holds are saved to where the user says.

    Parameters
    ----------
    layers : MatteLayers
        Knows the last run.
    """

    def __init__(self, layers: MatteLayers) -> None:
        super().__init__()
        self._layers = layers
        self._jobs = 0
        self._run: Run | None = None
        self._paths: tuple[str | None, str | None] = (None, None)
        self._shown: Run | None = None
        self.button = QPushButton("Copy as code")
        self.button.clicked.connect(self._find_sources)
        self.status = Message()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.button)
        rows.addWidget(self.status)
        layers.changed.connect(self.refresh)
        self.refresh()

    @property
    def busy(self) -> bool:
        """Whether files are read or written."""
        return self._jobs > 0

    def take(self, run: Run, image_path: str | None, trimap_path: str | None) -> None:
        """Offer a run, and where its layers came from."""
        self._run, self._paths = run, (image_path, trimap_path)
        self.refresh()

    def refresh(self) -> None:
        """Offer the button if there is a run."""
        last = self._layers.last
        if last is not None and last.outcome is not self._shown:
            self._shown = last.outcome
            self._run, self._paths = last.outcome, (last.image_path, last.trimap_path)
        there = self._run is not None
        self.button.setEnabled(there and not self.busy)
        self.button.setToolTip(_TIP if there else _NO_RUN)

    def _find_sources(self, _: bool = False) -> None:
        run = self._run
        if run is None or self.busy:
            return
        self.status.say()
        find = FindSources(run, *self._paths)
        self._start(Job("Code", find.run, self), lambda sources: self._copy(run, sources))

    def _start(self, job: Job, deliver: object) -> None:
        self._jobs += 1
        job.succeeded.connect(deliver)
        job.failed.connect(self._fail)
        job.ended.connect(self._end)
        self.refresh()
        job.start()

    def _end(self) -> None:
        self._jobs -= 1
        self.refresh()

    def _copy(self, outcome: Run, sources: Sources) -> None:
        if sources.complete:
            self._put_on_clipboard(snippet(outcome, sources), "Copied.")
            return
        path, _filter = QFileDialog.getSaveFileName(
            self, "Save what the code loads", "lsa-matting.npz", "Arrays (*.npz)"
        )
        if not path:
            self.status.say("Not copied: the code needs arrays that no file holds.")
            return
        file = Path(path).with_suffix(".npz")
        save = SaveArrays(outcome, sources, file)
        self._start(
            Job("Code", save.run, self),
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
