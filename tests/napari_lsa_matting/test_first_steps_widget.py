"""The First steps widget."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QApplication

from lsa_engine.errors import InputError
from napari_lsa_matting.first_steps_widget import FirstStepsWidget
from napari_lsa_matting.notifications import notify_error


def test_the_buttons_open_a_sample_and_the_widgets(make_napari_viewer_proxy: Any) -> None:
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget("napari-lsa-matting", "First steps")
    assert isinstance(widget, FirstStepsWidget)
    widget.sample.value = "jellyfish"
    widget.sample_button.click()
    assert [layer.name for layer in viewer.layers] == ["jellyfish", "trimap"]
    widget.step_buttons["Trimap"].click()
    widget.step_buttons["Measure"].click()
    docks = viewer.window.dock_widgets
    assert any("Trimap" in name for name in docks)
    assert any("Measure" in name for name in docks)


def test_the_debug_report_is_copied_with_the_last_error(make_napari_viewer_proxy: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer_proxy()
    widget = FirstStepsWidget(viewer)
    viewer.window.add_dock_widget(widget, name="First steps")
    try:
        raise InputError("The layer is odd.")
    except InputError as error:
        notify_error(error)
    widget.report_button.click()
    assert not widget.report_button.isEnabled()
    qtbot.waitUntil(widget.report_button.isEnabled, timeout=60000)
    text = QApplication.clipboard().text()
    assert "napari: 0." in text
    assert "lsa-lite: " in text
    assert "sha256 " in text
    assert "device: 'auto'" in text
    assert "InputError: The layer is odd." in text
    assert widget.report_outcome.text().startswith("The report is on the clipboard")
