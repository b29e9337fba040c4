"""Make the pictures of the plugin for the documentation: each widget in its main state, on the sample photograph.

Needs a screen, or a virtual one: make screenshots.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from contact_sheet import contact_sheet, write_jpeg
from photographer import PLUGIN, SMALL, THEMES, Photographer

from napari_lsa_matting.first_steps_widget import FirstStepsWidget
from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.measure_widget import MeasureWidget
from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.training_widget import TrainingWidget
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.trimap_widget import TrimapWidget

SHEET_COLUMNS = 5
MOST_BYTES = 400_000
WIDGETS = {
    FirstStepsWidget: "First steps",
    TrimapWidget: "Trimap",
    MattingWidget: "Matting",
    StackWidget: "Stack",
    ForegroundWidget: "Foreground",
    MeasureWidget: "Measure",
    TrainingWidget: "Training",
}


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    parser.add_argument("--only", nargs="+", help="some of the scenes, as trimap or matting")
    parser.add_argument("--run", type=Path, help="a training run to show instead of a new one")
    parser.add_argument("--pieces", type=Path, help="a folder for every state in both themes, each a file, to look at")
    options = parser.parse_args()
    camera = Photographer(options.output, options.theme, options.pieces)
    scenes: dict[str, Callable[[], None]] = {
        "empty": lambda: empty(camera),
        "trimap": lambda: trimap(camera),
        "matting": lambda: matting(camera),
        "foreground": lambda: foreground(camera),
        "training": lambda: training(camera, options.run),
        "stack": lambda: stack(camera),  # napari would draw its slider over that of frames with a name for their axis
        "measure": lambda: measure(camera),
        "objects": lambda: matting_objects(camera),
        "first-steps": lambda: first_steps(camera),
        "window": lambda: small_window(camera),
    }
    for name in options.only or scenes:
        scenes[name]()
    camera.viewer.close()
    if options.only is None:  # a sheet of a part would stand in the documentation for the whole
        for theme in THEMES:
            sheet = contact_sheet(camera.narrow[theme], SHEET_COLUMNS, theme, camera.windows[theme])
            write_jpeg(sheet, options.output / f"widgets-{theme}.jpg", MOST_BYTES)


def empty(camera: Photographer) -> None:
    """Each widget with nothing open: what it says that there is to do. For the pieces only."""
    camera.viewer.layers.clear()
    for kind, name in WIDGETS.items():
        widget = camera.open(kind, name)
        camera.wait_until(lambda widget=widget: not widget.settling)
        camera.wait(2.0)
        camera.note(f"empty-{name.lower()}", on_sheet=False)
    camera.viewer.open_sample(PLUGIN, "peacock")


def matte(camera: Photographer) -> MattingWidget:
    """Open the Matting widget on the sample, and let it run as it is, if that was not done before."""
    layers = camera.viewer.layers
    if "peacock" not in layers:
        layers.clear()
        camera.viewer.open_sample(PLUGIN, "peacock")
    widget: MattingWidget = camera.open(MattingWidget, "Matting")
    camera.wait_until(lambda: widget.options.facilities is not None)
    if "alpha" not in layers:
        camera.run(widget)
    return widget


def small_window(camera: Photographer) -> None:
    """Trimap and Matting together in a small window."""
    camera.viewer.layers.clear()
    camera.viewer.open_sample(PLUGIN, "peacock")
    camera.viewer.window.remove_dock_widget("all")
    camera.viewer.window.resize(*SMALL)
    camera.wait(0.5)
    camera.open(TrimapWidget, "Trimap")
    widget = camera.open(MattingWidget, "Matting", alone=False)
    camera.wait_until(lambda: widget.options.facilities is not None)
    camera.run(widget)
    camera.note_window("window-1280x720")


def trimap(camera: Photographer) -> None:
    """The trimap of the sample, ready to be painted on, and one that is begun."""
    widget = camera.open(TrimapWidget, "Trimap")
    widget.paint_buttons[1].click()
    camera.take("trimap")
    camera.viewer.layers.remove("trimap")
    widget.new_button.click()
    strokes = camera.viewer.layers["trimap"]
    strokes.brush_size = 24
    for row in range(300, 560, 8):
        strokes.paint((row, 300), 1)
    camera.wait_until(lambda: not widget.busy)
    camera.note("trimap-strokes", on_sheet=False)
    camera.viewer.layers.clear()
    camera.viewer.open_sample(PLUGIN, "peacock")


def matting(camera: Photographer) -> None:
    """A run under way, a matte with its maps, live mode, a preview, and what is folded away."""
    widget = camera.open(MattingWidget, "Matting")
    layers = camera.viewer.layers
    camera.wait_until(lambda: widget.options.facilities is not None)
    widget.options.refinement.value = "fast"
    camera.wait(0.5)
    widget.controls.run_button.click()
    camera.wait_until(lambda: "refin" in widget.controls.stage.text() and widget.controls.bar.value() > 300)
    camera.take("matting-running", on_sheet=False)
    camera.wait_until(lambda: not widget.controls.busy)
    layers["trimap"].visible = False
    widget.view.boxes["violation"].value = True
    camera.take("matting")
    widget.view.boxes["violation"].value = False
    widget.view.slider.setValue(50)
    camera.note("matting-before-after", on_sheet=False)
    widget.view.slider.setValue(100)
    layers["trimap"].visible = True
    widget.live_box.value = True
    camera.wait_until(lambda: not widget.live.busy)
    layers["trimap"].selected_label = 1
    layers["trimap"].mode = "paint"
    layers["trimap"].paint((130, 235), 1)
    camera.wait_until(lambda: not widget.live.busy)
    camera.note("matting-live", on_sheet=False)
    widget.live_box.value = False
    layers["trimap"].visible = False
    widget.view.preview.value = "checkerboard"
    camera.wait_until(lambda: not widget.view.busy)
    camera.take("matting-preview", on_sheet=False)
    widget.view.preview.value = "off"
    widget.options.refinement.value = "none"  # of eight copies, it would take minutes
    widget.options.tta.value = 8
    camera.run(widget)
    widget.view.boxes["uncertainty"].value = True
    camera.note("matting-uncertainty", on_sheet=False)
    widget.view.boxes["uncertainty"].value = False
    widget.options.advanced.open()
    camera.note("matting-advanced")
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
    camera.note("matting-objects")
    camera.viewer.layers.clear()


def stack(camera: Photographer) -> None:
    """A series of frames, two of them painted, with the trimaps proposed between them, matted."""
    layers = camera.viewer.layers
    layers.clear()
    camera.viewer.open_sample(PLUGIN, "peacock")
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
    camera.note("first-steps")


def foreground(camera: Photographer) -> None:
    """The cut-out, and a foreground refined."""
    matte(camera)
    widget = camera.open(ForegroundWidget, "Foreground")
    camera.run(widget)
    camera.take("foreground")
    widget.task.value = "refine"
    camera.run(widget)
    camera.take("foreground-refined", on_sheet=False)


def measure(camera: Photographer) -> None:
    """The matte of the photograph as one object, cells, a row each, and a time series, a row a frame."""
    matte(camera)
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
    camera.take("measure-frames", on_sheet=False)


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
    matte(camera)
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
