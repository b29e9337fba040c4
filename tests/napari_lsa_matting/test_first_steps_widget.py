"""The First steps widget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication

from lsa_engine.errors import InputError
from napari_lsa_matting import notifications
from napari_lsa_matting.first_steps_widget import FirstStepsWidget
from napari_lsa_matting.measure_widget import MeasureWidget
from napari_lsa_matting.notifications import notify_error


def test_the_buttons_open_a_sample_and_the_widgets(make_napari_viewer_proxy: Any) -> None:
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget("napari-lsa-matting", "First steps")
    assert isinstance(widget, FirstStepsWidget)
    widget.sample.value = "jellyfish"
    widget.sample_button.click()
    assert [layer.name for layer in viewer.layers] == ["jellyfish", "trimap"]
    widget.steps["Trimap"].open_button.click()
    widget.steps["Measure"].open_button.click()
    docks = viewer.window.dock_widgets
    assert any("Trimap" in name for name in docks)
    assert any("Measure" in name for name in docks)


def test_a_newcomer_walks_all_steps_by_the_buttons_alone(make_napari_viewer_proxy: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget("napari-lsa-matting", "First steps")

    def press_run(name: str) -> str:
        step = widget.steps[name]
        step.run_button.click()
        assert step.busy and not step.run_button.isEnabled()
        qtbot.waitUntil(lambda: not step.busy)
        assert step.run_button.isEnabled()
        return str(step.status.text())

    assert press_run("Matting").startswith("There is no image layer")
    widget.sample.value = "jellyfish"
    widget.sample_button.click()
    assert not widget.steps["Trimap"].run_button.isVisibleTo(widget)
    widget.steps["Trimap"].open_button.click()
    assert press_run("Foreground").startswith("There is no alpha")
    assert press_run("Matting").startswith("lsa-lite on ")
    alpha = viewer.layers["alpha"].data
    assert ((alpha > 0) & (alpha < 1)).any()
    assert press_run("Foreground").startswith("Made: cut-out.")
    np.testing.assert_array_equal(viewer.layers["cut-out"].data[..., 3], alpha)
    assert press_run("Measure") == "The numbers are also features of the point 'centroid of alpha'."
    features = viewer.layers["centroid of alpha"].features
    assert float(features["soft_area_pixel2"][0]) == pytest.approx(float(alpha.sum(dtype=np.float64)))


def test_a_widget_that_is_closed_while_its_step_waits_ends_the_step(make_napari_viewer_proxy: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget("napari-lsa-matting", "First steps")
    step = widget.steps["Measure"]
    step.run_button.click()
    viewer.window.remove_dock_widget(step.open())
    qtbot.waitUntil(lambda: not step.busy)
    assert step.status.text() == "The widget was closed."


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
    qtbot.waitUntil(widget.report_button.isEnabled)
    text = QApplication.clipboard().text()
    assert "napari: 0." in text
    assert "lsa-lite: " in text
    assert "sha256 " in text
    assert "device: 'auto'" in text
    assert "InputError: The layer is odd." in text
    assert widget.report_outcome.text().startswith("The report is on the clipboard")


def test_an_error_from_before_the_panel_was_opened_is_in_the_report(make_napari_viewer_proxy: Any, qtbot: Any) -> None:
    # As at the start of the program.
    if notifications._remember in notification_manager.notification_ready.callbacks:
        notification_manager.notification_ready.disconnect(notifications._remember)
    viewer = make_napari_viewer_proxy()
    viewer.window.add_dock_widget(MeasureWidget(viewer), name="Measure")
    try:
        raise InputError("The alpha is odd.")
    except InputError as error:
        notify_error(error)
    widget = FirstStepsWidget(viewer)
    viewer.window.add_dock_widget(widget, name="First steps")
    widget.report_button.click()
    qtbot.waitUntil(widget.report_button.isEnabled)
    assert "InputError: The alpha is odd." in QApplication.clipboard().text()
