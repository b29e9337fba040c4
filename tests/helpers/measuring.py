"""What tests do with the Measure widget."""

from __future__ import annotations

from inspect import unwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lsa_matting.layers import with_provenance
from napari_lsa_matting.measure_widget import MeasureWidget


def open_measure(viewer: Any) -> MeasureWidget:
    """Dock the widget in a viewer."""
    widget = MeasureWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Measure")
    return widget


def shown(widget: MeasureWidget) -> dict[str, list[Any]]:
    """Return the table as columns, as it is sorted."""
    rows = [widget.table.table.row(row) for row in range(widget.table.table.rowCount())]
    return {name: [row[column] for row in rows] for column, name in enumerate(widget.table.table.names)}


def add_alpha(viewer: Any, scene: Any) -> None:
    """Add the scene's true alpha, as the Matting widget would; all layers get pixels that are not square."""
    for layer in viewer.layers:
        layer.scale = (0.5, 0.25)
    metadata = with_provenance({}, kind="alpha")
    viewer.add_image(scene.alpha.copy(), name="alpha", metadata=metadata, **place(viewer.layers["photo"]))


def add_cells(viewer: Any) -> NDArray[np.uint16]:
    """Add labels 3 and 7, the left and the right half of the scene, and return them."""
    labels = np.full((48, 64), 3, np.uint16)
    labels[:, 32:] = 7
    viewer.add_labels(labels, name="cells", **place(viewer.layers["photo"]))
    return labels


def place(layer: Any) -> dict[str, Any]:
    """Return where a layer lies, for another one."""
    return {name: getattr(layer, name) for name in ("scale", "translate", "units", "axis_labels")}


def choose(widget: MeasureWidget, viewer: Any, **names: str) -> None:
    """Choose layers by their names: choose(widget, viewer, labels="cells")."""
    for choice, name in names.items():
        getattr(widget, choice).value = unwrap(viewer.layers[name])
