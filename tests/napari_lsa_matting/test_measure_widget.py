"""The Measure widget."""

from __future__ import annotations

import csv
import json
from hashlib import sha256
from inspect import unwrap
from typing import Any

import numpy as np
import pytest
from napari.layers import Points
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

import lsa_engine as lsa
from lsa_engine.measure import to_columns
from measuring import add_alpha, add_cells, choose, open_measure, place, shown
from napari_lsa_matting.layers import METADATA_KEY, fingerprint, with_provenance
from napari_lsa_matting.measure_widget import MeasureWidget
from widgets import run, settle


@pytest.fixture
def matted_viewer(scene_viewer: Any, scene: Any) -> Any:
    """The viewer with the scene's true alpha; nothing is 0.5 µm square."""
    add_alpha(scene_viewer, scene)
    return scene_viewer


@pytest.fixture
def cells(matted_viewer: Any) -> np.ndarray:
    """Labels 3 and 7: the left and the right half of the scene, which together are all of it."""
    return add_cells(matted_viewer)


def reason(qtbot: Any, widget: MeasureWidget) -> str:
    settle(qtbot, widget)
    assert not widget.controls.run_button.isEnabled()
    return widget.controls.reason.text()


def assert_columns(found: Any, expected: dict[str, list[Any]]) -> None:
    assert list(found) == list(expected)
    for name, cells in expected.items():
        np.testing.assert_array_equal(np.asarray(found[name], float), cells, err_msg=name)


def test_a_matte_is_measured_as_the_engine_does_in_the_layer_s_units(
    matted_viewer: Any, qtbot: Any, scene: Any
) -> None:
    widget = open_measure(matted_viewer)
    choose(widget, matted_viewer, image="photo")
    settle(qtbot, widget)
    assert widget.notes.text() == "Measures 'alpha' in pixels of 0.5 × 0.25 µm."
    run(qtbot, widget)
    photo = matted_viewer.layers["photo"]
    found = lsa.measure_matte(
        scene.alpha, photo.data, spacing=(0.5, 0.25), unit="um", channel_names=["red", "green", "blue"]
    )
    expected = to_columns(found)
    assert expected["soft_area_um2"] == [pytest.approx(scene.alpha.sum() * 0.125)]
    assert shown(widget) == {"quantity": list(expected), "value": [cells[0] for cells in expected.values()]}
    point = matted_viewer.layers["centroid of alpha"]
    assert_columns(point.features, expected)
    np.testing.assert_allclose(point.data_to_world(point.data[0]), [10 + 23.5 * 0.5, 20 + 31.5 * 0.25], atol=1e-4)
    assert point.units == photo.units
    record = point.metadata[METADATA_KEY]
    assert (record["alpha"], record["image"], record["spacing"]) == ("alpha", "photo", [0.5, 0.25])
    assert (record["unit"], record["channels"]) == ("µm", ["red", "green", "blue"])


def test_a_second_run_moves_the_point_and_adds_none(matted_viewer: Any, qtbot: Any, scene: Any) -> None:
    widget = open_measure(matted_viewer)
    run(qtbot, widget)
    point = matted_viewer.layers["centroid of alpha"]
    point.symbol = "disc"
    names = [layer.name for layer in matted_viewer.layers]
    matted_viewer.layers["alpha"].data = np.roll(scene.alpha, 5, axis=1)
    run(qtbot, widget)
    assert [layer.name for layer in matted_viewer.layers] == names
    assert point.data[0, 1] == pytest.approx(36.5, abs=1e-3)
    assert point.features["centroid_x_um"][0] == pytest.approx(36.5 * 0.25, abs=1e-3)
    assert str(point.symbol[0]) == "disc"


def test_objects_become_features_of_their_labels(
    matted_viewer: Any,
    cells: np.ndarray,
    qtbot: Any,
    scene: Any,
    saved_to: Any,
    copied: Any,
    execute: Any,
) -> None:
    widget = open_measure(matted_viewer)
    choose(widget, matted_viewer, labels="cells")
    settle(qtbot, widget)
    assert "Labels should reach beyond the transition" in widget.notes.text()
    run(qtbot, widget)
    expected = to_columns(lsa.measure_matte(scene.alpha, labels=cells, spacing=(0.5, 0.25), unit="um"))
    assert_columns(shown(widget), expected)
    layer = matted_viewer.layers["cells"]
    assert_columns(layer.features, {"index": [3, 7], **{k: v for k, v in expected.items() if k != "object"}})
    # napari's status bar finds the row of a label.
    status = layer.get_status(layer.data_to_world((24, 40)), world=True)["value"]
    assert f"soft_area_um2: {expected['soft_area_um2'][1]:.3f}"[:18] in str(status)
    assert layer.metadata[METADATA_KEY]["kind"] == "measurements"
    assert not any(isinstance(unwrap(layer), Points) for layer in matted_viewer.layers)
    assert widget.controls.outcome.text() == "2 objects; the rows are also features of 'cells'."
    assert "scipy" in layer.metadata[METADATA_KEY]["versions"]
    assert execute(copied(widget.code))["table"] == expected
    layer.data[0, 0] = 7
    assert copied(widget.code) == ""
    assert widget.code.status.text().startswith("The labels of 'cells' were changed since the run")


def test_features_that_the_user_has_stay_and_those_of_an_earlier_run_go(
    matted_viewer: Any, cells: np.ndarray, qtbot: Any
) -> None:
    layer = matted_viewer.layers["cells"]
    layer.features = {"index": [7, 3, 9], "kind": ["b", "a", "c"]}
    widget = open_measure(matted_viewer)
    choose(widget, matted_viewer, labels="cells", image="photo")
    run(qtbot, widget)
    assert list(layer.features["index"]) == [3, 7, 9]
    assert list(layer.features["kind"]) == ["a", "b", "c"]
    assert "red_mean" in layer.features
    widget.image.value = None
    run(qtbot, widget)
    assert "red_mean" not in layer.features
    assert list(layer.features["kind"]) == ["a", "b", "c"]


def test_opacity_outside_of_the_labels_is_told(matted_viewer: Any, cells: np.ndarray, qtbot: Any) -> None:
    cells[:, 32:] = 0
    matted_viewer.layers["cells"].data = cells.copy()
    widget = open_measure(matted_viewer)
    choose(widget, matted_viewer, labels="cells")
    run(qtbot, widget)
    assert widget.controls.outcome.text().endswith("50 % of the opacity lies outside of all labels.")


def test_without_units_lengths_are_in_pixels(make_napari_viewer_proxy: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.pad(np.full((4, 5), 255, np.uint8), 3), name="mask")
    widget = open_measure(viewer)
    run(qtbot, widget)
    found = dict(zip(*shown(widget).values(), strict=True))
    assert found["soft_area_pixel2"] == 20


def test_a_channel_axis_can_be_chosen_and_one_that_is_labelled_so_is(
    matted_viewer: Any, qtbot: Any, scene: Any, rng: np.random.Generator
) -> None:
    stack = rng.integers(0, 4000, (3, 48, 64), dtype=np.uint16)
    setting = {"scale": (1, 0.5, 0.25), "translate": (0, 10, 20), "units": ("pixel", "um", "um")}
    matted_viewer.add_image(stack, name="stack", **setting)
    matted_viewer.dims.set_current_step(0, 1)
    widget = open_measure(matted_viewer)
    assert widget.channels.native.isHidden()
    choose(widget, matted_viewer, image="stack")
    run(qtbot, widget)
    assert not widget.channels.native.isHidden()
    found = dict(zip(*shown(widget).values(), strict=True))
    assert found["stack_mean"] == pytest.approx(np.average(stack[1], weights=scene.alpha), rel=1e-6)
    widget.channels.value = 0
    run(qtbot, widget)
    found = dict(zip(*shown(widget).values(), strict=True))
    for channel in range(3):
        expected = np.average(stack[channel], weights=scene.alpha)
        assert found[f"channel_{channel}_mean"] == pytest.approx(expected, rel=1e-6)
    matted_viewer.add_image(stack, name="named", axis_labels=("c", "y", "x"), **setting)
    choose(widget, matted_viewer, image="named")
    settle(qtbot, widget)
    assert widget.channels.value == 0


@pytest.fixture
def volume_viewer(make_napari_viewer_proxy: Any, rng: np.random.Generator) -> Any:
    """Two time points of a volume and of its alpha, with slices thicker than pixels."""
    viewer = make_napari_viewer_proxy()
    setting = {"scale": (1, 2, 0.5, 0.25), "units": ("s", "um", "um", "um")}
    viewer.add_image(rng.random((2, 5, 12, 16)), name="volume", **setting)
    alpha = np.pad(rng.random((2, 3, 8, 12)), ((0, 0), (1, 1), (2, 2), (2, 2)))
    viewer.add_image(alpha, name="alpha", metadata=with_provenance({}, kind="alpha"), **setting)
    viewer.dims.set_current_step(0, 1)
    viewer.dims.set_current_step(1, 3)
    return viewer


def test_of_a_stack_the_plane_that_is_seen_or_the_volume_is_measured(volume_viewer: Any, qtbot: Any) -> None:
    widget = open_measure(volume_viewer)
    choose(widget, volume_viewer, image="volume")
    alpha, volume = (np.asarray(volume_viewer.layers[name].data) for name in ("alpha", "volume"))
    run(qtbot, widget)
    assert "Measures plane 1, 3 of 'alpha' in pixels of 0.5 × 0.25 µm." in widget.notes.text()
    expected = to_columns(
        lsa.measure_matte(alpha[1, 3], volume[1, 3], spacing=(0.5, 0.25), unit="um", channel_names=["volume"])
    )
    assert shown(widget)["value"] == [cells[0] for cells in expected.values()]
    assert volume_viewer.layers["centroid of alpha"].data[0, :2].tolist() == [1, 3]

    widget.scope.extent.value = "volume"
    run(qtbot, widget)
    assert "Measures volume 1 of 'alpha' in voxels of 2 × 0.5 × 0.25 µm." in widget.notes.text()
    expected = to_columns(
        lsa.measure_matte(alpha[1], volume[1], spacing=(2, 0.5, 0.25), unit="um", channel_names=["volume"])
    )
    assert "soft_volume_um3" in expected
    assert shown(widget)["value"] == [cells[0] for cells in expected.values()]


def test_a_time_axis_is_no_depth(volume_viewer: Any, qtbot: Any) -> None:
    widget = open_measure(volume_viewer)
    widget.scope.extent.value = "volume"
    volume_viewer.layers["alpha"].units = ("um", "mm", "um", "um")
    assert reason(qtbot, widget).startswith("The axes of 'alpha' are in mm, µm, µm, but one unit is expected")
    volume_viewer.layers["alpha"].units = volume_viewer.layers["volume"].units = ("um", "s", "um", "um")
    run(qtbot, widget)
    assert widget.scope.extent.choices == ("plane", "planes")
    assert "Measures plane 1, 3 of 'alpha'" in widget.notes.text()


def test_what_does_not_fit_is_said_before_the_run(matted_viewer: Any, qtbot: Any, scene: Any) -> None:
    widget = open_measure(matted_viewer)
    matted_viewer.add_image(np.zeros((20, 30)), name="small")
    choose(widget, matted_viewer, image="small")
    assert reason(qtbot, widget).startswith("'alpha' is 48 × 64 and 'small' 20 × 30 pixels")
    widget.image.value = None
    matted_viewer.add_labels(np.zeros((48, 64), np.uint8), name="empty", **place(matted_viewer.layers["photo"]))
    choose(widget, matted_viewer, labels="empty")
    assert reason(qtbot, widget) == "'empty' has no labels in this plane: label objects first, or choose none."
    matted_viewer.layers["empty"].translate = (0, 0)
    assert reason(qtbot, widget).startswith("'empty' has another scale or position than 'alpha'")
    widget.labels.value = None
    matted_viewer.add_image(np.zeros((48, 64), np.int16), name="signed")
    choose(widget, matted_viewer, alpha="signed")
    assert reason(qtbot, widget).startswith("'signed' holds signed integers (int16)")
    choose(widget, matted_viewer, image="signed")
    assert reason(qtbot, widget).startswith("'signed' is chosen as alpha and as image")
    matted_viewer.layers.clear()
    assert reason(qtbot, widget).startswith("There is no alpha")


def test_an_alpha_beyond_its_range_is_explained(
    matted_viewer: Any, qtbot: Any, scene: Any, notifications: list[str]
) -> None:
    matted_viewer.layers["alpha"].data = scene.alpha * 255
    widget = open_measure(matted_viewer)
    run(qtbot, widget)
    assert "[0, 1]" in widget.controls.outcome.text()
    assert notifications == [widget.controls.outcome.text()]
    assert widget.table.isHidden()
    assert "centroid of alpha" not in matted_viewer.layers


def test_a_transparent_matte_has_no_centroid(matted_viewer: Any, qtbot: Any) -> None:
    matted_viewer.layers["alpha"].data = np.zeros((48, 64), np.float32)
    widget = open_measure(matted_viewer)
    run(qtbot, widget)
    assert widget.controls.outcome.text().startswith("'alpha' is transparent everywhere")
    assert "centroid of alpha" not in matted_viewer.layers


def test_pixels_that_an_affine_stretches_are_told(matted_viewer: Any, qtbot: Any) -> None:
    widget = open_measure(matted_viewer)
    matted_viewer.layers["alpha"].rotate = 30
    settle(qtbot, widget)
    assert "sheared" not in widget.notes.text()
    matted_viewer.layers["alpha"].affine = np.diag([2.0, 1.0, 1.0])
    settle(qtbot, widget)
    assert "'alpha' is sheared or stretched by an affine" in widget.notes.text()


def test_the_table_is_saved_with_units(
    matted_viewer: Any,
    cells: np.ndarray,
    qtbot: Any,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    widget = open_measure(matted_viewer)
    assert widget.save_button.isHidden()
    choose(widget, matted_viewer, labels="cells")
    run(qtbot, widget)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "cells"), ""))
    widget.save_button.click()
    assert not widget.save_button.isEnabled()
    qtbot.waitUntil(lambda: not widget.controls.busy)
    assert widget.save_button.isEnabled()
    assert widget.controls.outcome.text() == f"Saved {tmp_path / 'cells.csv'}."
    with (tmp_path / "cells.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["soft_area_um2"]) for row in rows] == shown(widget)["soft_area_um2"]
    record = json.loads((tmp_path / "cells.csv.json").read_text(encoding="utf-8"))[METADATA_KEY]
    made = matted_viewer.layers["cells"].metadata[METADATA_KEY]
    assert {name: record[name] for name in made} == json.loads(json.dumps(made))
    assert (record["alpha"], record["labels"], record["columns"]) == ("alpha", "cells", [*rows[0]])
    assert record["alpha_sha256"] == fingerprint(matted_viewer.layers["alpha"].data)
    assert record["table_sha256"] == sha256((tmp_path / "cells.csv").read_bytes()).hexdigest()


def test_a_table_and_how_it_was_made_are_written_together_or_not_at_all(
    matted_viewer: Any, qtbot: Any, tmp_path: Any, notifications: list[str]
) -> None:
    widget = open_measure(matted_viewer)
    run(qtbot, widget)
    for hindered in ("first.csv", "second.csv.json"):
        (tmp_path / hindered).mkdir()
        widget.save_csv(tmp_path / hindered.removesuffix(".json"))
        qtbot.waitUntil(lambda: not widget.controls.busy)
        assert "because it is a folder" in notifications[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.csv", "second.csv.json"]


def test_a_file_that_cannot_be_written_is_an_error_in_words(
    matted_viewer: Any, qtbot: Any, tmp_path: Any, notifications: list[str]
) -> None:
    widget = open_measure(matted_viewer)
    run(qtbot, widget)
    widget.save_csv(tmp_path / "missing" / "cells.csv")
    qtbot.waitUntil(lambda: not widget.controls.busy)
    assert notifications == [widget.controls.outcome.text()]
    assert "missing" in notifications[0]


def test_selected_rows_are_copied_for_a_spreadsheet(matted_viewer: Any, cells: np.ndarray, qtbot: Any) -> None:
    widget = open_measure(matted_viewer)
    choose(widget, matted_viewer, labels="cells")
    run(qtbot, widget)
    widget.table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert shown(widget)["object"] == [7, 3]
    widget.table.selectRow(0)
    QTest.keyClick(widget.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = [line.split("\t") for line in QGuiApplication.clipboard().text().split("\n")]
    assert len(lines) == 2
    assert lines[0][:2] == ["object", "soft_area_um2"]
    assert lines[1][:2] == ["7", str(shown(widget)["soft_area_um2"][0])]


def test_trimaps_are_no_objects_and_alphas_no_images(matted_viewer: Any) -> None:
    widget = open_measure(matted_viewer)
    assert widget.alpha.layer is unwrap(matted_viewer.layers["alpha"])
    assert (widget.image.layer, widget.labels.layer) == (None, None)
    assert [layer.name for layer in widget.image.choices if layer is not None] == ["photo"]
    assert [layer for layer in widget.labels.choices if layer is not None] == []
