"""What is to be seen of a training run: how far it is, its curves, and its latest validation picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPalette, QPixmap
from qtpy.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from napari_lsa_matting.panel import Message, describe_seconds
from napari_lsa_matting.plot import CurvePlot
from napari_lsa_matting.proportions import KeepsProportions
from napari_lsa_matting.training_run import RunLog

# In between: three times as light as the dark theme's ground, and a third as light as the light one's.
LOSS_COLOUR, SCORE_COLOUR = "#2f86d6", "#c8641e"
_NO_BETTER = "No step did better than the weights that it started from: its weights are those."


class PictureView(KeepsProportions, QWidget):
    """A picture as wide as there is room, but not enlarged.

    Parameters
    ----------
    captions : sequence of str
        What its columns show, all of one width; stand above them.
    """

    def __init__(self, captions: Sequence[str]) -> None:
        super().__init__()
        self.captions = tuple(captions)
        self.pixmap = QPixmap()
        self.keep_proportions()

    def show_file(self, path: Path | None) -> None:
        """Show another picture; None shows nothing."""
        self.pixmap = QPixmap() if path is None else QPixmap(str(path))
        self.updateGeometry()
        self.update()

    def heightForWidth(self, width: int) -> int:
        """Return the height at which the picture keeps its proportions."""
        if self.pixmap.isNull():
            return 1
        shown = self._shown_width(width)
        return self._caption_height() + round(shown * self.pixmap.height() / self.pixmap.width())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the picture."""
        if self.pixmap.isNull():
            return
        ratio = self.devicePixelRatioF()
        shown = self.pixmap.scaledToWidth(
            round(self._shown_width(self.width()) * ratio), Qt.TransformationMode.SmoothTransformation
        )
        shown.setDevicePixelRatio(ratio)
        painter = QPainter(self)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        width, height = self._shown_width(self.width()) / len(self.captions), self._caption_height()
        for number, caption in enumerate(self.captions):
            box = QRectF(number * width, 0, width, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, caption)
        painter.drawPixmap(0, height, shown)
        painter.end()

    def _shown_width(self, width: int) -> int:
        return min(max(1, width), self.pixmap.width())

    def _caption_height(self) -> int:
        return self.fontMetrics().height() + 4


class RunView(QWidget):
    """A run's progress, curves and pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setToolTip("How many of the run's steps are done.")
        self.status = Message()
        self.loss_plot = CurvePlot("Loss", LOSS_COLOUR, logarithmic=True)
        self.loss_plot.setToolTip("The training loss, lower is better.")
        self.score_plot = CurvePlot("Validation error (SAD)", SCORE_COLOUR)
        self.score_plot.setToolTip(
            "The sum of absolute differences on examples that are not trained on; lower is better. "
            "A run that starts from weights begins with their score."
        )
        self.picture = PictureView(("image", "trimap", "matte", "truth"))
        self.picture.setToolTip("Examples that are not trained on, as the run's latest validation saw them.")
        self._picture_path: Path | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.bar, self.status, self.loss_plot, self.score_plot, self.picture):
            layout.addWidget(part)
        self.show_run(None, "")

    def show_work(self, fraction: float, words: str) -> None:
        """Show work that goes before the run."""
        self.bar.setVisible(True)
        self.bar.setRange(0, 1000)
        self.bar.setValue(round(1000 * fraction))
        self.status.say(words)

    def show_run(self, log: RunLog | None, words: str) -> None:
        """Show a run, and say in words how it stands; None shows that there is none."""
        self.bar.setVisible(log is not None)
        for part in (self.loss_plot, self.score_plot):
            part.setVisible(log is not None)
        self.status.say(words)
        if log is not None:
            self.bar.setRange(0, log.steps)  # 0 to 0 shows that something is going on
            self.bar.setValue(log.step)
            self.loss_plot.set_points(log.losses)
            self.score_plot.set_points(log.scores)
        path = log.picture if log is not None and log.picture is not None and log.picture.is_file() else None
        if path != self._picture_path:
            self._picture_path = path
            self.picture.show_file(path)
        self.picture.setVisible(path is not None)


def describe_run(log: RunLog, stopping: bool, ended_early: str | None) -> str:
    """Return how a run stands, in words.

    Parameters
    ----------
    log : RunLog
        What is known of it.
    stopping : bool
        Whether it was asked to stop.
    ended_early : str or None
        The last words of its process, if that is known to have ended.
    """
    where = f"step {log.step} of {log.steps}" if log.steps else ""
    if ended_early is not None and log.state in ("waiting", "running", "interrupted"):
        return f"The run ended early: {ended_early}"
    if log.state == "waiting":
        return "Starting …"
    if log.state == "failed":
        return f"Failed at {where}: {log.message}"
    if log.state != "running":
        words = f"{log.state.capitalize()} at {where}. {log.message}"
        return f"{words} {_NO_BETTER}" if _no_step_was_better(log) else words
    parts = [f"{'Stopping after this step' if stopping else 'Running'}: {where}"]
    if log.device != "auto":
        parts.append(f"on {log.device}")
    if log.losses:
        parts.append(f"loss {log.losses[-1][1]:.4f}")
    if log.remaining_seconds is not None and not stopping:
        parts.append(f"{describe_seconds(log.remaining_seconds)} left")
    return ", ".join(parts)


def _no_step_was_better(log: RunLog) -> bool:
    """Tell whether a run delivers the weights that it began with: only those are validated as step 0."""
    return len(log.scores) > 1 and min(log.scores, key=lambda score: score[1])[0] == 0
