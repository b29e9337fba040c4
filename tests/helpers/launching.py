"""What tests do with the Training widget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_lsa_matting.training_widget import TrainingWidget
from widgets import settle


def open_training(qtbot: Any, viewer: Any, folder: Path) -> TrainingWidget:
    """Dock the widget in a viewer, for a quick run in a folder."""
    widget = TrainingWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Training")
    widget.recipe.value = "quick"
    widget.data.root.value = folder
    widget.output.value = folder / "runs" / "run"
    qtbot.waitUntil(lambda: widget.start.points is not None)
    settle(qtbot, widget)
    return widget


def end_runs(widget: TrainingWidget) -> None:
    """End the processes that the widget has launched."""
    for process in widget._processes.values():
        if process.poll() is None:
            process.kill()
        process.wait()


def reason(widget: TrainingWidget, qtbot: Any) -> str:
    """Return why nothing can be launched."""
    settle(qtbot, widget)
    assert not widget.launch_button.isEnabled()
    return widget.reason.text()
