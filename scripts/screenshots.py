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
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_lsa_matting.first_steps_widget import FirstStepsWidget
from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.measure_widget import MeasureWidget
from napari_lsa_matting.panel import Panel
from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.training_widget import TrainingWidget
from napari_lsa_matting.trimap_layer import trimap_settings
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
    parser.add_argument("--only", nargs="+", help="some of the scenes, as trimap or matting")
    parser.add_argument("--run", type=Path, help="a training run to show instead of a new one")
    options = parser.parse_args()
    camera = Photographer(options.output, options.theme)
    scenes: dict[str, Callable[[], None]] = {
        "trimap": lambda: trimap(camera),
        "matting": lambda: matting(camera),
        "foreground": lambda: foreground(camera),
        "training": lambda: training(camera, options.run),
        "measure": lambda: measure(camera),
        "objects": lambda: matting_objects(camera),
        "stack": lambda: stack(camera),
        "first-steps": lambda: first_steps(camera),
    }
    for name in options.only or scenes:
        scenes[name]()
    camera.viewer.close()


def trimap(camera: Photographer) -> None:
    """The trimap of the sample, ready to be painted on."""
    widget = camera.open(TrimapWidget, "Trimap")
    widget.paint_buttons[1].click()
    camera.take("trimap")


def matting(camera: Photographer) -> None:
    """A run under way, a matte with its maps, live mode, a preview, and what is folded away."""
    widget = camera.open(MattingWidget, "Matting")
    layers = camera.viewer.layers
    camera.wait_until(lambda: widget.options.facilities is not None)
    widget.options.refinement.value = "fast"
    camera.wait(0.5)
    widget.controls.run_button.click()
    camera.wait_until(lambda: widget.controls.bar.value() > 150)
    camera.take("matting-running")
    camera.wait_until(lambda: not widget.controls.busy)
    layers["trimap"].visible = False
    widget.view.boxes["violation"].value = True
    camera.take("matting")
    widget.view.boxes["violation"].value = False
    layers["trimap"].visible = True
    widget.live_box.value = True
    camera.wait_until(lambda: not widget.live.busy)
    layers["trimap"].selected_label = 1
    layers["trimap"].mode = "paint"
    layers["trimap"].paint((130, 235), 1)
    camera.wait_until(lambda: not widget.live.busy)
    camera.take("matting-live")
    widget.live_box.value = False
    layers["trimap"].visible = False
    widget.view.preview.value = "checkerboard"
    camera.wait_until(lambda: not widget.view.busy)
    camera.take("matting-preview")
    widget.view.preview.value = "off"
    widget.options.advanced.open()
    camera.take("matting-advanced")
    layers["trimap"].visible = True


def matting_objects(camera: Photographer) -> None:
    """An alpha for every cell."""
    camera.viewer.layers.clear()
    place = {"scale": (0.5, 0.5), "units": ("um", "um")}
    alpha, labels = draw_cells()
    noise = np.random.default_rng(0).normal(0, 6, alpha.shape)
    camera.viewer.add_image(40 + 160 * alpha + noise, name="actin", **place)
    camera.viewer.add_labels(labels, name="cells", opacity=0.3, **place)
    widget = camera.open(MattingWidget, "Matting")
    camera.wait_until(lambda: widget.options.facilities is not None)
    widget.options.method.value = "closed-form"
    camera.run(widget)
    camera.viewer.layers["cells"].visible = camera.viewer.layers["actin"].visible = False
    camera.take("matting-objects")
    camera.viewer.layers.clear()


def stack(camera: Photographer) -> None:
    """A series of frames, two of them painted, with the trimaps proposed between them, matted."""
    layers = camera.viewer.layers
    photo, labels = layers["peacock"].data, layers["trimap"].data
    layers.clear()
    shifts = [(2 * step, 5 * step) for step in range(7)]
    frames = np.stack([np.roll(photo, shift, (0, 1))[40:, 40:] for shift in shifts])
    trimaps = np.zeros(frames.shape[:3], np.uint8)
    for frame in (0, 6):
        trimaps[frame] = np.roll(labels, shifts[frame], (0, 1))[40:, 40:]
    camera.viewer.add_image(frames, name="series", rgb=True)
    camera.viewer.add_labels(trimaps, **trimap_settings())
    widget = camera.open(StackWidget, "Stack")
    camera.wait_until(lambda: widget.options.facilities is not None)
    widget.method.value = "flow"
    camera.wait(0.5)
    widget.proposing.run_button.click()
    camera.wait_until(lambda: not widget.busy)
    camera.viewer.dims.set_current_step(0, 3)
    camera.wait(1.0)
    camera.take("stack")
    layers.clear()


def first_steps(camera: Photographer) -> None:
    """What a newcomer sees."""
    camera.viewer.layers.clear()
    camera.viewer.open_sample(PLUGIN, "peacock")
    camera.open(FirstStepsWidget, "First steps")
    camera.take("first-steps")


def foreground(camera: Photographer) -> None:
    """The cut-out, and a foreground refined."""
    widget = camera.open(ForegroundWidget, "Foreground")
    camera.run(widget)
    camera.take("foreground")
    widget.task.value = "refine"
    camera.run(widget)
    camera.take("foreground-refined")


def measure(camera: Photographer) -> None:
    """The matte of the photograph as one object, cells, a row each, and a time series, a row a frame."""
    widget = camera.open(MeasureWidget, "Measure")
    widget.image.value = widget.image.choices[-1]
    camera.viewer.layers["trimap"].visible = False
    camera.run(widget)
    camera.take("measure")
    camera.viewer.layers.clear()
    place = {"scale": (0.5, 0.5), "units": ("um", "um")}
    alpha, labels = draw_cells()
    noise = np.random.default_rng(0).normal(0, 6, alpha.shape)
    camera.viewer.add_image(40 + 160 * alpha + noise, name="actin", **place)
    camera.viewer.add_image(alpha, name="alpha", visible=False, **place)
    camera.viewer.add_labels(labels, name="cells", opacity=0.3, **place)
    widget = camera.open(MeasureWidget, "Measure")
    widget.alpha.value, widget.image.value, widget.labels.value = (
        next(layer for layer in choice.choices if layer is not None and layer.name == name)
        for choice, name in ((widget.alpha, "alpha"), (widget.image, "actin"), (widget.labels, "cells"))
    )
    camera.run(widget)
    camera.take("measure-objects")
    camera.viewer.layers.clear()
    axes = {"scale": (2, *place["scale"]), "units": ("min", *place["units"]), "axis_labels": ("t", "y", "x")}
    growth = np.stack([alpha**power for power in (4, 2, 1, 0.5, 0.25)])
    camera.viewer.add_image(40 + 160 * growth, name="growth", visible=False, **axes)
    camera.viewer.add_image(growth, name="alpha", **axes)
    widget.alpha.value, widget.image.value = (
        next(layer for layer in choice.choices if layer is not None and layer.name == name)
        for choice, name in ((widget.alpha, "alpha"), (widget.image, "growth"))
    )
    camera.wait(0.5)
    widget.scope.extent.value = "planes"
    camera.run(widget)
    camera.take("measure-frames")


def draw_cells() -> tuple[np.ndarray, np.ndarray]:
    """Return the alpha of soft discs, and a label for each that reaches beyond its edge."""
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:300, :400].astype(np.float32)
    alpha, labels = np.zeros(rows.shape, np.float32), np.zeros(rows.shape, np.uint16)
    for label in range(1, 13):
        row, column = divmod(label - 1, 4)
        centre = 50 + 100 * np.array([row, column]) + rng.uniform(-8, 8, 2)
        distance = np.hypot(rows - centre[0], columns - centre[1]) - rng.uniform(15, 32)
        alpha = np.maximum(alpha, np.clip(0.5 - distance / rng.uniform(2, 8), 0, 1))
        labels[distance < 5] = label
    return alpha, labels


def training(camera: Photographer, folder: Path | None) -> None:
    """A run on an open layer and its alpha: under way, or one that is given."""
    matting = camera.open(MattingWidget, "Matting")
    camera.wait_until(lambda: matting.options.facilities is not None)
    camera.run(matting)
    camera.viewer.layers["trimap"].visible = False
    widget = camera.open(TrainingWidget, "Training")
    camera.wait_until(lambda: widget.start.points is not None)
    if folder is not None:
        widget.output.value = folder
        camera.wait_until(lambda: bool(widget.runs.runs))
        camera.take("training")
        return
    place = Path(tempfile.gettempdir()) / "lsa-runs"
    widget.output.value = place / f"run-{time.strftime('%H%M%S')}"
    camera.wait(0.5)
    widget.launch_button.click()
    camera.wait_until(lambda: len(widget.view.score_plot.points) >= 2, seconds=3600)
    camera.take("training")
    widget.stop_button.click()
    camera.wait_until(lambda: not widget.running)


if __name__ == "__main__":
    main()
