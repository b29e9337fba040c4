"""The runs that lie beside each other in a folder: what each of them came to, and a list to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTreeWidget, QTreeWidgetItem

from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.training_run import RunLog, has_events

_MOST_ROWS = 6  # seen at once
_MOST_LETTERS = 24  # of a run's name
_COLUMNS = ["Run", "Recipe", "Steps", "SAD", "State"]
_TIPS = [
    "The run's folder.",
    "What was trained.",
    "Steps done, of all.",
    "The best score on the run's own validation examples; lower is better. Runs of different recipes cannot be "
    "compared by it.",
    "How it stands.",
]


@dataclass(frozen=True)
class RunSummary:
    """What a run came to.

    Attributes
    ----------
    folder : Path
        Where it lies.
    recipe : str
        Name of its recipe.
    step, steps : int
        Steps done, and in all.
    score : float or None
        Best SAD on its validation examples.
    state : str
        As in :class:`~napari_lsa_matting.training_run.RunLog`.
    """

    folder: Path
    recipe: str
    step: int
    steps: int
    score: float | None
    state: str

    @classmethod
    def of(cls, folder: Path) -> RunSummary:
        """Return the summary of the run in a folder."""
        log = RunLog(folder)
        log.update()
        log.update()  # the second look tells whether a process that says nothing more is there
        score = min((score for _, score in log.scores), default=None)
        return cls(folder, log.recipe, log.step, log.steps, score, log.state)


@dataclass(frozen=True)
class ListRuns:
    """Look for the runs in a folder: work for a job, because it reads all their events.

    Attributes
    ----------
    parent : Path
        The folder in which the runs' folders lie.
    """

    parent: Path

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> list[RunSummary]:
        """Return the runs, the latest first; a folder that cannot be read holds none."""
        steps = Steps("looking for runs", 1, progress, cancel)
        try:
            folders = [folder for folder in self.parent.iterdir() if has_events(folder)]
            folders.sort(key=lambda folder: (folder / "events.jsonl").stat().st_mtime, reverse=True)
        except OSError:
            return []
        found = []
        for folder in folders:
            steps.check()
            try:
                found.append(RunSummary.of(folder))
            except (OSError, ValueError, KeyError):
                continue  # not events of ours
        steps.finish()
        return found


class RunsTable(QTreeWidget):
    """Runs in rows, of which one can be chosen."""

    chosen = Signal(object)
    """The folder of the run that the user has chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[RunSummary] = []
        self.setHeaderLabels(_COLUMNS)
        header_item = self.headerItem()
        if header_item is not None:
            for column, tip in enumerate(_TIPS):
                header_item.setToolTip(column, tip)
        self.setToolTip("The runs in the folder's parent folder: choose one to see how it went, or to use its weights.")
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        header = self.header()
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(len(_COLUMNS) - 1, QHeaderView.ResizeMode.Stretch)
            header.setMinimumSectionSize(30)
        self._row_height = self.fontMetrics().height() + 8
        self.itemSelectionChanged.connect(self._tell)

    def show_runs(self, runs: list[RunSummary], current: Path) -> None:
        """Show other runs, with the one in this folder chosen."""
        self.runs = runs
        self.blockSignals(True)
        self.clear()
        for run in runs:
            score = "–" if run.score is None else f"{run.score:.3f}"
            cells = [run.folder.name, run.recipe or "–", f"{run.step}/{run.steps or '–'}", score, run.state]
            item = QTreeWidgetItem(cells)
            item.setToolTip(0, str(run.folder))
            item.setToolTip(4, run.state)
            item.setSizeHint(0, QSize(self._room_for(run.folder.name), self._row_height))
            for column in (2, 3):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.addTopLevelItem(item)
            if run.folder == current:
                self.setCurrentItem(item)
        self.blockSignals(False)
        self.setVisible(bool(runs))
        self._fit_height()

    def _room_for(self, name: str) -> int:
        """Return the width of a name's cell, in which the longest are cut."""
        letters = self.fontMetrics()
        return min(letters.horizontalAdvance(name) + 12, _MOST_LETTERS * letters.averageCharWidth())

    def _fit_height(self) -> None:
        header, bar = self.header(), self.horizontalScrollBar()
        height = 2 * self.frameWidth() + min(_MOST_ROWS, len(self.runs)) * self._row_height
        for part in (header, bar):
            height += 0 if part is None else part.sizeHint().height()
        self.setFixedHeight(height)

    def _tell(self) -> None:
        rows = [self.indexOfTopLevelItem(item) for item in self.selectedItems()]
        if rows:
            self.chosen.emit(self.runs[rows[0]].folder)


def next_free(parent: Path) -> Path:
    """Return a folder for another run, which is not there yet: the first of run-1, run-2 and so on."""
    number = 1
    while (parent / f"run-{number}").exists():
        number += 1
    return parent / f"run-{number}"
