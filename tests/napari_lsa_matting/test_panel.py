"""The frame that all widgets share."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QScrollArea, QSpinBox, QWidget

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, Progress, ProgressCallback, Steps
from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import is_picture
from napari_lsa_matting.panel import JobControls, Panel, add_row, describe_progress, describe_seconds


@pytest.fixture
def controls(qtbot: Any) -> JobControls:
    controls = JobControls("Run", "Do it.")
    qtbot.addWidget(controls)
    return controls


def finish(qtbot: Any, controls: JobControls) -> None:
    qtbot.waitUntil(lambda: not controls.busy)


def endless(progress: ProgressCallback, cancel: CancelToken) -> None:
    """Work until somebody stops it."""
    steps = Steps("working", 200, progress, cancel)
    while True:
        time.sleep(0.01)
        steps.advance()


def test_a_problem_disables_run_and_is_shown(controls: JobControls) -> None:
    controls.set_problem("There is no image layer.")
    assert not controls.run_button.isEnabled()
    assert controls.reason.text() == controls.run_button.toolTip() == "There is no image layer."
    controls.set_problem(None)
    assert controls.run_button.isEnabled()
    assert controls.run_button.toolTip() == "Do it."
    assert controls.reason.isHidden()


def test_a_result_is_delivered_once_and_run_is_free_again(qtbot: Any, controls: JobControls) -> None:
    delivered: list[int] = []
    controls.start("one", lambda progress, cancel: 1, delivered.append)
    assert not controls.run_button.isEnabled()
    assert controls.cancel_button.isEnabled()
    controls.start("a second while the first runs", lambda progress, cancel: 2, delivered.append)
    finish(qtbot, controls)
    assert delivered == [1]
    assert controls.run_button.isEnabled()
    assert not controls.cancel_button.isEnabled()


def test_progress_is_shown_with_a_bar_and_words(qtbot: Any, controls: JobControls) -> None:
    controls.start("long", endless, print)
    qtbot.waitUntil(lambda: controls.bar.value() > 0)
    assert not controls.bar.isHidden()
    assert controls.stage.text().startswith("working, ")
    controls.cancel_button.click()
    finish(qtbot, controls)
    assert controls.outcome.text() == "Cancelled; the layers are as they were."
    assert controls.bar.isHidden()


def test_work_that_is_deaf_to_cancel_is_let_go(qtbot: Any, controls: JobControls) -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    delivered: list[bool] = []

    def deaf(progress: ProgressCallback, cancel: CancelToken) -> bool:
        begun.set()
        went_on = go_on.wait(120)
        ended.set()
        return went_on

    controls.start("deaf", deaf, delivered.append)
    qtbot.waitUntil(begun.is_set)
    controls.cancel_button.click()
    finish(qtbot, controls)
    assert not ended.is_set()
    assert controls.outcome.text() == "Cancelled; the layers are as they were."
    # The next run is not ended by the end of the one that was let go.
    second = threading.Event()
    controls.start("next", lambda progress, cancel: second.wait(120), delivered.append)
    go_on.set()
    qtbot.waitUntil(ended.is_set)
    qtbot.wait(300)
    assert controls.busy
    second.set()
    finish(qtbot, controls)
    assert delivered == [True]


def test_a_failure_is_shown_in_the_panel_and_as_a_notification(
    qtbot: Any, controls: JobControls, notifications: list[str]
) -> None:
    def fail(progress: ProgressCallback, cancel: CancelToken) -> None:
        raise InputError("The image has 5 channels.")

    controls.start("a failure", fail, print)
    finish(qtbot, controls)
    assert controls.outcome.text() == "The image has 5 channels."
    assert notifications == ["The image has 5 channels."]


def test_rows_lie_in_a_scroll_area_that_fits_a_narrow_dock(qtbot: Any, viewer_model: ViewerModel) -> None:
    panel = Panel(viewer_model)
    qtbot.addWidget(panel)
    form = panel.add_group("What")
    panel.add_choice(form, "Image", LayerChoice(viewer_model, is_picture))
    viewer_model.add_image(np.zeros((4, 4)), name="a very long name " * 20)
    assert panel.findChildren(QScrollArea)
    assert panel.minimumSizeHint().width() < 260
    assert panel.minimumSizeHint().height() < 300


def test_a_closed_dock_cancels_its_run_and_forgets_the_layers(qtbot: Any, viewer_model: ViewerModel) -> None:
    dock = QWidget()
    qtbot.addWidget(dock)
    panel = Panel(viewer_model)
    panel.setParent(dock)
    choice = panel.add_choice(panel.add_group("What"), "Image", LayerChoice(viewer_model, is_picture))
    controls = JobControls("Run", "Do it.")
    panel.add(controls)
    panel.follow_job(controls)
    begun, ended = threading.Event(), threading.Event()

    def work(progress: ProgressCallback, cancel: CancelToken) -> None:
        begun.set()
        try:
            endless(progress, cancel)
        finally:
            ended.set()

    controls.start("long", work, print)
    heard: list[Any] = []
    choice.changed.connect(heard.append)
    qtbot.waitUntil(begun.is_set)
    panel.setParent(None)
    qtbot.waitUntil(ended.is_set)
    viewer_model.layers.clear()
    assert heard == []


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress("loading lsa-lite", 0, 1, 0.5), "loading lsa-lite"),
        (Progress("refining", 25, 100, 5.0), "refining, 25 of 100, 15 s left"),
        (Progress("refining", 1, 100, 0.1), "refining, 1 of 100"),
        (Progress("refining", 100, 100, 20.0), "refining, 100 of 100"),
    ],
)
def test_progress_in_words(progress: Progress, text: str) -> None:
    assert describe_progress(progress) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (100, "2 min"), (5300, "88 min"), (7500, "2 h 05 min")]
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert describe_seconds(seconds) == text


def test_a_text_of_several_lines_insists_on_their_height_when_a_form_gets_narrower_and_lets_go_of_it(
    viewer_model: Any, qtbot: Any
) -> None:
    panel = Panel(viewer_model)
    qtbot.addWidget(panel)
    form = panel.add_group("Make")
    controls = JobControls("Run", "Run it.")
    for row in range(12):
        add_row(form, f"Row {row}", QSpinBox())
    form.addRow(controls)
    panel.resize(420, 300)
    panel.show()
    controls.set_problem("The layers belong to different pictures: " + "choose layers that belong together, " * 4)
    for width in (420, 250):
        panel.resize(width, 300)
        qtbot.wait(50)
        reason = controls.reason
        assert reason.height() >= reason.minimumHeight() == reason.heightForWidth(reason.width())
        assert reason.height() > 3 * reason.fontMetrics().height()
    tall = reason.height()
    controls.set_problem("There is no image layer.")
    qtbot.waitUntil(lambda: reason.height() == reason.heightForWidth(reason.width()) < tall / 3)
    controls.set_problem(None)
    assert controls.reason.minimumHeight() == 0
