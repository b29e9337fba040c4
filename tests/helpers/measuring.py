"""What tests do with the Measure widget."""

from __future__ import annotations

from typing import Any

from napari_lsa_matting.measure_widget import MeasureWidget


def open_measure(viewer: Any) -> MeasureWidget:
    """Dock the widget in a viewer."""
    widget = MeasureWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Measure")
    return widget


def run(qtbot: Any, widget: MeasureWidget) -> None:
    """Press Run, and wait until it is done."""
    qtbot.wait(200)
    assert widget.controls.run_button.isEnabled(), widget.controls.reason.text()
    widget.controls.run_button.click()
    qtbot.waitUntil(lambda: not widget.controls.busy)


def shown(widget: MeasureWidget) -> dict[str, list[Any]]:
    """Return the table as columns, as it is sorted."""
    rows = [widget.table.table.row(row) for row in range(widget.table.table.rowCount())]
    return {name: [row[column] for row in rows] for column, name in enumerate(widget.table.table.names)}
