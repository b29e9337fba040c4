"""Make the pictures of the plugin for the documentation: each widget in its main state, on the sample photograph.

Needs a screen, or a virtual one: make screenshots.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from qtpy.QtWidgets import QApplication

from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.panel import Panel
from napari_lsa_matting.training_widget import TrainingWidget
from napari_lsa_matting.trimap_widget import TrimapWidget

PLUGIN = "napari-lsa-matting"
SIZE = (1240, 860)  # a 13-inch screen less the desktop's own bars
DOCK_WIDTH = 330


class Photographer:
    """Opens one widget after another in one viewer, and takes pictures of the whole window."""

    def __init__(self, folder: Path, theme: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.viewer = napari.Viewer(show=False)
        self.viewer.theme = theme
        self.viewer.show()
        self.viewer.window.resize(*SIZE)
        self.viewer.open_sample(PLUGIN, "peacock")
        self.wait(1.0)

    def wait(self, seconds: float) -> None:
        """Let the window live for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.01)

    def wait_until(self, condition: Callable[[], bool], seconds: float = 600) -> None:
        """Let the window live until something is so."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("The widget did not come to the state of its picture.")
            self.wait(0.05)

    def open(self, kind: type[Panel], name: str) -> Any:
        """Open a widget, alone."""
        self.viewer.window.remove_dock_widget("all")
        widget = kind(self.viewer)
        self.viewer.window.add_dock_widget(widget, name=f"{name} (LSA Matting)", area="right")
        widget.setMinimumWidth(DOCK_WIDTH)
        self.viewer.reset_view()
        self.wait(1.0)
        return widget

    def take(self, name: str) -> None:
        """Write a picture."""
        self.wait(0.5)
        path = self.folder / f"{name}.png"
        self.viewer.screenshot(path, canvas_only=False, flash=False)

    def run(self, widget: Any) -> None:
        """Press Run and wait for the end."""
        self.wait(0.5)
        widget.controls.run_button.click()
        self.wait_until(lambda: not widget.controls.busy)
        self.wait(0.5)


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    parser.add_argument("--run", type=Path, help="a training run to show instead of a new one")
    options = parser.parse_args()
    camera = Photographer(options.output, options.theme)
    trimap(camera)
    matting(camera)
    foreground(camera)
    training(camera, options.run)
    camera.viewer.close()


def trimap(camera: Photographer) -> None:
    """The trimap of the sample, ready to be painted on."""
    widget = camera.open(TrimapWidget, "Trimap")
    widget.paint_buttons[1].click()
    camera.take("trimap")


def matting(camera: Photographer) -> None:
    """Before, during and after a run."""
    widget = camera.open(MattingWidget, "Matting")
    camera.wait_until(lambda: widget.facilities is not None)
    widget.refinement.value = "fast"
    camera.wait(0.5)
    widget.controls.run_button.click()
    camera.wait_until(lambda: widget.controls.bar.value() > 150)
    camera.take("matting-running")
    widget.controls.cancel_button.click()
    camera.wait_until(lambda: not widget.controls.busy)
    widget.refinement.value = "off"
    camera.run(widget)
    camera.viewer.layers["trimap"].visible = False
    camera.take("matting")
    camera.viewer.layers["trimap"].visible = True


def foreground(camera: Photographer) -> None:
    """The cut-out, and a foreground refined."""
    widget = camera.open(ForegroundWidget, "Foreground")
    camera.run(widget)
    camera.take("foreground")
    widget.task.value = "refine"
    camera.run(widget)
    camera.take("foreground-refined")


def training(camera: Photographer, folder: Path | None) -> None:
    """A run under way."""
    widget = camera.open(TrainingWidget, "Training")
    place = Path(tempfile.gettempdir()) / "lsa-runs"
    (place / "data").mkdir(parents=True, exist_ok=True)
    widget.data.value = place / "data"
    if folder is not None:
        widget.output.value = folder
        camera.wait(1.5)
        camera.take("training")
        return
    widget.output.value = place / f"run-{time.strftime('%H%M%S')}"
    camera.wait(0.5)
    widget.launch_button.click()
    camera.wait_until(lambda: len(widget.score_plot.points) >= 2, seconds=1800)
    camera.take("training")
    widget.stop_button.click()
    camera.wait_until(lambda: not widget.running)


if __name__ == "__main__":
    main()
