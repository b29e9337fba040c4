"""Which weights a training run can start from, and where it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lsa_engine.progress import CancelToken
from napari_lsa_matting.settings import Settings
from napari_lsa_matting.training_data import LAYERS
from napari_lsa_matting.training_start import StartingPoints, find_starting_points
from napari_lsa_matting.training_widget import TrainingWidget


@pytest.fixture
def opened() -> Iterator[list[TrainingWidget]]:
    """Widgets whose runs are ended with the test."""
    widgets: list[TrainingWidget] = []
    yield widgets
    for widget in widgets:
        for process in widget._processes.values():
            process.kill()
            process.wait()


def open_in(viewer: Any, opened: list[TrainingWidget], qtbot: Any, folder: Path) -> TrainingWidget:
    widget = TrainingWidget(viewer)
    opened.append(widget)
    viewer.window.add_dock_widget(widget, name="Training")
    widget.output.value = folder
    qtbot.waitUntil(lambda: widget.start.points is not None and not widget.settling)
    return widget


def test_only_devices_that_are_there_are_found(random_weights: str) -> None:
    points = find_starting_points(lambda _: None, CancelToken())
    assert points.sizes[random_weights] == "lsanet-lite"
    assert points.devices[:2] == ("auto", "cpu")
    assert ("cuda" in points.devices) == torch.cuda.is_available()
    assert points.automatic == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_device_that_auto_takes_is_said() -> None:
    points = StartingPoints({}, ("auto", "cpu", "mps"), "cpu")
    assert points.device_choices == [("auto (cpu)", "auto"), ("cpu", "cpu"), ("mps", "mps")]


@pytest.mark.parametrize(("preferred", "chosen"), [("cpu", "cpu"), ("auto", "auto"), ("mps", None)])
def test_the_widget_starts_with_the_device_that_is_preferred_if_it_is_there(
    make_napari_viewer_proxy: Any,
    opened: list[TrainingWidget],
    qtbot: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    preferred: str,
    chosen: str | None,
) -> None:
    monkeypatch.setattr("napari_lsa_matting.training_widget.read_settings", lambda: Settings(device=preferred))
    widget = open_in(make_napari_viewer_proxy(), opened, qtbot, tmp_path / "run")
    there = torch.backends.mps.is_available()
    assert widget.device.value == (chosen or ("mps" if there else "auto"))
    assert widget.device.native.itemText(0).startswith("auto (c")


def test_a_run_begins_in_the_folder_that_it_was_prepared_in(
    make_napari_viewer_proxy: Any, opened: list[TrainingWidget], scene: Any, qtbot: Any, tmp_path: Path
) -> None:
    viewer = make_napari_viewer_proxy()
    rgba = np.dstack([np.round(scene.image * 255), np.round(scene.alpha * 255)]).astype(np.uint8)
    viewer.add_image(rgba, name="cut out", rgb=True)
    widget = open_in(viewer, opened, qtbot, tmp_path / "runs" / "first")
    assert widget.data.source.value == LAYERS
    assert widget.launch_button.isEnabled(), widget.reason.text()
    widget.launch_button.click()
    widget.output.value = tmp_path / "runs" / "second"  # while the cut-out is being written
    assert widget.preparing
    qtbot.waitUntil(lambda: not widget.preparing)
    assert list(widget._processes) == [tmp_path / "runs" / "first"]
    assert (tmp_path / "runs" / "first" / "train.log").is_file()
    assert not (tmp_path / "runs" / "second").exists()
    assert widget.log is None
    widget.output.value = tmp_path / "runs" / "first"
    assert widget.running
    assert not widget.launch_button.isEnabled()
