"""A stack of pictures, and what tests do with the Stack widget."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.trimap_layer import trimap_settings
from widgets import settle

FRAMES, HEIGHT, WIDTH = 7, 64, 80
PLACE: dict[str, Any] = {"scale": (3.0, 0.5, 0.5), "translate": (1, 2, 3), "units": ("um", "um", "um")}


def disc(frame: float, radius: float) -> NDArray[np.bool_]:
    """A disc that goes right by three pixels a frame."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.asarray(np.hypot(rows - 32, columns - 26 - 3 * frame) < radius)


def trimap_of(frame: float) -> NDArray[np.uint8]:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[disc(frame, 12)] = 1
    labels[~disc(frame, 20)] = 2
    return labels


def movie(dtype: Any = np.uint8) -> NDArray[Any]:
    """Textured discs over a texture that stands still."""
    rng = np.random.default_rng(0)
    ground, thing = rng.uniform(0.0, 0.4, (HEIGHT, WIDTH)), rng.uniform(0.6, 1.0, (HEIGHT, WIDTH))
    frames = [np.where(disc(frame, 16), np.roll(thing, 3 * frame, axis=1), ground) for frame in range(FRAMES)]
    return np.asarray(np.round(np.stack(frames) * 250), dtype)


def labels_of(*keys: int) -> NDArray[np.uint8]:
    labels = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    for key in keys:
        labels[key] = trimap_of(key)
    return labels


def open_stack(qtbot: Any, weights: str, viewer: Any) -> StackWidget:
    """Dock the widget in a viewer, with these weights on the processor, unrefined."""
    widget = StackWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Stack")
    qtbot.waitUntil(lambda: widget.options.facilities is not None)
    widget.options.weights.value = weights
    widget.options.device.value = "cpu"
    widget.options.refinement.value = "none"
    settle(qtbot, widget)
    return widget


def add_stack(viewer: Any) -> None:
    """Add seven slices, three micrometres apart, of which the first and the fifth have trimaps, and show the third."""
    viewer.add_image(movie(), name="stack", contrast_limits=(0, 250), axis_labels=("z", "y", "x"), **PLACE)
    viewer.add_labels(labels_of(0, 4), **trimap_settings(), **PLACE)
    viewer.dims.set_point(0, 1 + 3 * 2)


def press(qtbot: Any, widget: StackWidget, controls: Any) -> None:
    assert controls.run_button.isEnabled(), controls.reason.text()
    controls.run_button.click()
    assert controls.busy
    settle(qtbot, widget)
