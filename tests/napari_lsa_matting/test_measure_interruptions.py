"""The Measure widget, when layers change and runs are stopped while it works."""

from __future__ import annotations

from inspect import unwrap
from typing import Any

import numpy as np
import pytest

import lsa_engine.measure
from brakes import Brake
from measuring import add_alpha, add_cells, choose, open_measure, shown
from napari_lsa_matting.measure_widget import MeasureWidget
from widgets import settle


@pytest.fixture
def matted_viewer(scene_viewer: Any, scene: Any) -> Any:
    """The viewer with the scene's true alpha; nothing is 0.5 µm square."""
    add_alpha(scene_viewer, scene)
    return scene_viewer


@pytest.fixture
def cells(matted_viewer: Any) -> np.ndarray:
    """Labels 3 and 7: the left and the right half of the scene, which together are all of it."""
    return add_cells(matted_viewer)


@pytest.fixture
def brake(monkeypatch: pytest.MonkeyPatch) -> Brake:
    """A brake on measurements."""
    brake = Brake()
    measure = lsa_engine.measure.measure_matte

    def held_up(*arrays: Any, cancel: Any, **settings: Any) -> Any:
        brake.wait(cancel)
        return measure(*arrays, cancel=cancel, **settings)

    monkeypatch.setattr(lsa_engine.measure, "measure_matte", held_up)
    return brake


def test_cancel_leaves_everything_as_it_was(matted_viewer: Any, cells: np.ndarray, qtbot: Any, brake: Brake) -> None:
    layer = matted_viewer.layers["cells"]
    features, metadata = layer.features, layer.metadata
    widget = open_measure(matted_viewer)
    choose(widget, matted_viewer, labels="cells")
    settle(qtbot, widget)
    widget.controls.run_button.click()
    qtbot.waitUntil(brake.begun.is_set)
    widget.controls.cancel_button.click()
    qtbot.waitUntil(lambda: not widget.controls.busy)
    assert not brake.go_on.is_set()
    assert widget.controls.outcome.text() == "Cancelled; the layers are as they were."
    assert layer.features is features
    assert layer.metadata == metadata
    assert widget.table.isHidden()


def begin(qtbot: Any, widget: MeasureWidget, brake: Brake) -> None:
    settle(qtbot, widget)
    widget.controls.run_button.click()
    qtbot.waitUntil(brake.begun.is_set)


def finish(qtbot: Any, widget: MeasureWidget, brake: Brake) -> None:
    brake.go_on.set()
    qtbot.waitUntil(lambda: not widget.controls.busy)


@pytest.mark.parametrize("name", ["alpha", "cells", "photo"])
@pytest.mark.parametrize("removed", [True, False])
def test_layers_removed_or_replaced_meanwhile_drop_the_measurements(
    matted_viewer: Any, cells: np.ndarray, qtbot: Any, brake: Brake, name: str, removed: bool
) -> None:
    widget = open_measure(matted_viewer)
    choose(widget, matted_viewer, labels="cells", image="photo")
    begin(qtbot, widget, brake)
    if removed:
        matted_viewer.layers.remove(name)
    else:
        matted_viewer.layers[name].data = matted_viewer.layers[name].data.copy()
    finish(qtbot, widget, brake)
    assert widget.controls.outcome.text().startswith("A layer was removed or replaced meanwhile")
    assert widget.table.isHidden()


@pytest.mark.parametrize(("name", "called"), [("alpha", "alpha"), ("photo", "image")])
def test_pixels_drawn_on_meanwhile_drop_the_measurements(
    matted_viewer: Any, qtbot: Any, brake: Brake, notifications: list[str], name: str, called: str
) -> None:
    widget = open_measure(matted_viewer)
    choose(widget, matted_viewer, image="photo")
    begin(qtbot, widget, brake)
    matted_viewer.layers[name].data[20:30, 20:30] = 0
    finish(qtbot, widget, brake)
    assert widget.controls.outcome.text().startswith(
        f"The pixels of the {called} were changed while they were measured"
    )
    assert notifications == [widget.controls.outcome.text()]
    assert widget.table.isHidden()


def test_labels_painted_meanwhile_are_measured_as_they_were(
    matted_viewer: Any, cells: np.ndarray, qtbot: Any, brake: Brake
) -> None:
    widget = open_measure(matted_viewer)
    choose(widget, matted_viewer, labels="cells")
    settle(qtbot, widget)
    widget.controls.run_button.click()
    qtbot.waitUntil(brake.begun.is_set)
    unwrap(matted_viewer.layers["cells"]).data_setitem((np.array([24]), np.array([32])), 9)
    brake.go_on.set()
    qtbot.waitUntil(lambda: not widget.controls.busy)
    assert shown(widget)["object"] == [3, 7]


def test_layers_renamed_and_a_viewer_in_3d_do_not_lose_measurements_under_way(
    matted_viewer: Any, cells: np.ndarray, qtbot: Any, brake: Brake
) -> None:
    widget = open_measure(matted_viewer)
    choose(widget, matted_viewer, labels="cells", image="photo")
    begin(qtbot, widget, brake)
    matted_viewer.layers["alpha"].name = "matte"
    matted_viewer.layers["cells"].name = "nuclei"
    matted_viewer.dims.ndisplay = 3
    finish(qtbot, widget, brake)
    assert shown(widget)["object"] == [3, 7]
    assert list(matted_viewer.layers["nuclei"].features["index"]) == [3, 7]
    settle(qtbot, widget)
    assert not widget.controls.run_button.isEnabled()
    assert "switch it back to two dimensions" in widget.controls.reason.text()
