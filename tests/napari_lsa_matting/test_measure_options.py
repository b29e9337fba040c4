"""What the Measure widget takes: several alphas, objects of a stack, frames of a series."""

from __future__ import annotations

from inspect import unwrap
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.layers import Points
from qtpy.QtWidgets import QFileDialog

import lsa_engine as lsa
from lsa_engine.measure import to_columns
from measuring import open_measure, shown
from napari_lsa_matting.layers import METADATA_KEY, with_provenance
from napari_lsa_matting.measure_widget import MeasureWidget
from widgets import run, settle


@pytest.fixture
def mattes(rng: np.random.Generator) -> np.ndarray:
    """Three mattes of objects at different places."""
    alphas = np.zeros((3, 40, 50), np.float32)
    for number, alpha in enumerate(alphas):
        alpha[8 + number : 20, 5 + 12 * number : 15 + 12 * number] = rng.random((12 - number, 10))
    return alphas


_PLANE: dict[str, Any] = {"scale": (0.5, 0.25), "units": ("um", "um"), "axis_labels": ("y", "x")}
_SERIES: dict[str, Any] = {"scale": (0.3, 0.5, 0.25), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}


def save(qtbot: Any, widget: MeasureWidget, path: Any, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Press Save CSV, and return what pandas reads of the file."""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    widget.save_button.click()
    qtbot.waitUntil(lambda: not widget.controls.busy)
    return pd.read_csv(path)


def assert_table(found: Any, expected: dict[str, list[Any]]) -> None:
    assert list(found) == list(expected)
    pd.testing.assert_frame_equal(pd.DataFrame(dict(found)), pd.DataFrame(expected), rtol=1e-14)


def test_the_alphas_selected_in_the_layer_list_make_a_row_each(
    make_napari_viewer_proxy: Any,
    qtbot: Any,
    mattes: np.ndarray,
    rng: np.random.Generator,
    saved_to: Any,
    copied: Any,
    execute: Any,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer_proxy()
    actin = rng.random((40, 50))
    viewer.add_image(actin, name="actin", **_PLANE)
    widget = open_measure(viewer)
    viewer.add_image(actin, name="uncertainty", metadata=with_provenance({}, kind="uncertainty"), **_PLANE)
    viewer.add_image(mattes[0], name="alpha", metadata=with_provenance({}, kind="alpha"), **_PLANE)
    widget.image.value = unwrap(viewer.layers["actin"])
    settle(qtbot, widget)
    assert widget.mattes.take.native.isHidden()
    for name, alpha in zip(("alpha mother", "alpha, cell 7", "alpha bud"), mattes, strict=True):
        viewer.add_image(alpha, name=name, metadata=with_provenance({}, kind="alpha"), **_PLANE)
    settle(qtbot, widget)
    assert not widget.mattes.take.native.isHidden()
    widget.mattes.take.value = "selected"
    viewer.layers.selection.clear()
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("No alpha is selected in the layer list")
    assert not widget.alpha.enabled
    assert widget.labels.native.isHidden()
    # The image that is measured is no alpha, selected or not, and neither is a map of a matte.
    selected = ("actin", "uncertainty", "alpha mother", "alpha, cell 7")
    viewer.layers.selection = {viewer.layers[name] for name in selected}
    run(qtbot, widget)
    assert "Measures 2 alphas in pixels of 0.5 × 0.25 µm." in widget.notes.text()
    expected = to_columns(
        lsa.measure_matte(
            {"alpha mother": mattes[0], "alpha, cell 7": mattes[1]},
            actin,
            spacing=(0.5, 0.25),
            unit="um",
            channel_names=["actin"],
        )
    )
    assert expected["object"] == ["alpha mother", "alpha, cell 7"]
    points = viewer.layers["centroids of alpha mother"]
    assert_table(points.features, expected)
    np.testing.assert_allclose(points.data[:, 0] * 0.5, expected["centroid_y_um"])
    record = points.metadata[METADATA_KEY]
    assert (record["alpha"], record["objects"]) == (["alpha mother", "alpha, cell 7"],) * 2
    assert {"alpha_0_sha256", "alpha_1_sha256", "image_sha256"} <= set(record)
    assert execute(copied(widget.code))["table"] == expected
    assert_table(save(qtbot, widget, tmp_path / "cells.csv", monkeypatch), expected)
    viewer.layers.selection.add(viewer.layers["alpha bud"])
    count = len(viewer.layers)
    run(qtbot, widget)
    assert len(viewer.layers) == count
    assert list(points.features["object"]) == ["alpha mother", "alpha, cell 7", "alpha bud"]
    assert {str(symbol) for symbol in points.symbol} == {"cross"}


def test_alphas_that_do_not_lie_on_each_other_are_refused(
    make_napari_viewer_proxy: Any, qtbot: Any, mattes: np.ndarray
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(mattes[0], name="one", **_PLANE)
    viewer.add_image(mattes[1], name="other", **{**_PLANE, "translate": (5, 0)})
    widget = open_measure(viewer)
    widget.mattes.take.value = "selected"
    viewer.layers.select_all()
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("'other' has another scale or position than 'one'")


def test_a_stack_of_objects_makes_a_row_for_each(
    make_napari_viewer_proxy: Any,
    qtbot: Any,
    mattes: np.ndarray,
    saved_to: Any,
    copied: Any,
    execute: Any,
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.ones((40, 50)), name="actin", **_PLANE)
    record = {"kind": "alpha", "objects": [3, 7, 8], "names": ["mother", "cells 7", "cells 8"]}
    place = {"scale": (1, 0.5, 0.25), "units": ("pixel", "um", "um"), "axis_labels": ("object", "y", "x")}
    viewer.add_image(mattes, name="alpha of cells", metadata=with_provenance({}, **record), **place)
    viewer.dims.set_current_step(0, 2)
    widget = open_measure(viewer)
    widget.image.value = unwrap(viewer.layers["actin"])
    settle(qtbot, widget)
    assert widget.mattes.take.value == "objects"
    assert widget.scope.extent.choices == ("plane",)  # objects are neither depth nor frames
    assert widget.scope.extent.native.isHidden()
    run(qtbot, widget)
    assert widget.notes.text() == "Measures the 3 objects of 'alpha of cells' in pixels of 0.5 × 0.25 µm."
    expected = to_columns(
        lsa.measure_matte(
            dict(zip(record["names"], mattes, strict=True)),
            np.ones((40, 50)),
            spacing=(0.5, 0.25),
            unit="um",
            channel_names=["actin"],
        )
    )
    points = viewer.layers["centroids of alpha of cells"]
    assert_table(points.features, expected)
    assert points.data[:, 0].tolist() == [0, 1, 2]
    assert shown(widget)["object"] == ["cells 7", "cells 8", "mother"]
    assert execute(copied(widget.code))["table"] == expected

    widget.mattes.take.value = "this"
    run(qtbot, widget)
    assert "Measures plane 2 of 'alpha of cells'" in widget.notes.text()
    assert dict(zip(*shown(widget).values(), strict=True))["soft_area_um2"] == expected["soft_area_um2"][2]


def test_frames_of_a_series_are_measured_one_by_one(
    make_napari_viewer_proxy: Any,
    qtbot: Any,
    mattes: np.ndarray,
    rng: np.random.Generator,
    saved_to: Any,
    copied: Any,
    execute: Any,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer_proxy()
    mattes[1] = 0  # without an object, most of a row is undefined
    video = rng.random(mattes.shape)
    viewer.add_image(video, name="video", **_SERIES)
    viewer.add_image(mattes, name="alpha", metadata=with_provenance({}, kind="alpha"), **_SERIES)
    viewer.dims.set_current_step(0, 2)
    widget = open_measure(viewer)
    widget.image.value = unwrap(viewer.layers["video"])
    settle(qtbot, widget)
    scope = widget.scope
    assert scope.range.axis.native.isHidden()
    scope.extent.value = "planes"
    settle(qtbot, widget)
    assert not scope.range.axis.native.isHidden()
    assert widget.channels.native.isHidden()  # the only other axis is that of the frames
    run(qtbot, widget)
    assert "Measures planes 0-2 along t of 'alpha' in pixels of 0.5 × 0.25 µm." in widget.notes.text()
    found = [
        lsa.measure_matte(alpha, frame, spacing=(0.5, 0.25), unit="um", channel_names=["video"])[0]
        for alpha, frame in zip(mattes, video, strict=True)
    ]
    expected = to_columns(found, {"frame": [0, 1, 2], "t_s": [0.0, 0.3, 0.6]})
    assert_table(shown(widget), expected)
    points = viewer.layers["centroids of alpha"]
    assert points.data[:, 0].tolist() == [0, 2]
    assert_table(points.features.reset_index(drop=True), {k: [v[0], v[2]] for k, v in expected.items()})
    record = points.metadata[METADATA_KEY]
    assert (record["frames"], record["frames_along"]) == ([0, 1, 2], "t")
    assert "image_2_sha256" in record
    assert_table(execute(copied(widget.code))["table"], expected)
    assert_table(save(qtbot, widget, tmp_path / "series.csv", monkeypatch), expected)

    scope.range.this_button.click()
    run(qtbot, widget)
    found_now = dict(zip(*shown(widget).values(), strict=True))
    assert (found_now["frame"], found_now["t_s"]) == (2, 0.6)
    scope.range.first.value = 1
    run(qtbot, widget)
    assert shown(widget)["frame"] == [1, 2]
    scope.range.all_button.click()
    run(qtbot, widget)
    assert shown(widget)["frame"] == [0, 1, 2]
    scope.range.first.value, scope.range.last.value = 2, 1
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("The range ends at frame 1, before it begins at 2")


def test_labelled_objects_are_measured_in_every_frame_that_has_labels(
    make_napari_viewer_proxy: Any, qtbot: Any, mattes: np.ndarray
) -> None:
    viewer = make_napari_viewer_proxy()
    tracks = np.zeros(mattes.shape, np.uint8)
    tracks[0, :, :10], tracks[0, :, 10:] = 4, 2
    tracks[2, :, 10:] = 4
    viewer.add_image(mattes, name="alpha", metadata=with_provenance({}, kind="alpha"), **_SERIES)
    viewer.add_labels(tracks, name="tracks", **_SERIES)
    widget = open_measure(viewer)
    widget.labels.value = unwrap(viewer.layers["tracks"])
    widget.scope.extent.value = "planes"
    run(qtbot, widget)
    found = shown(widget)
    assert (found["frame"], found["object"]) == ([0, 0, 2], [2, 4, 4])
    assert found["soft_area_um2"] == pytest.approx(
        [0.125 * float(mattes[frame][tracks[frame] == label].sum()) for frame, label in ((0, 2), (0, 4), (2, 4))]
    )
    assert "Left out, without labels: frame 1." in widget.controls.outcome.text()
    assert "soft_area_um2" not in viewer.layers["tracks"].features  # which have one row a label
    points = viewer.layers["centroids of alpha"]
    assert list(points.features["frame"]) == [0, 0, 2]


def test_volumes_are_measured_at_every_time(
    make_napari_viewer_proxy: Any, qtbot: Any, rng: np.random.Generator
) -> None:
    viewer = make_napari_viewer_proxy()
    alpha = np.pad(rng.random((2, 3, 8, 12)), ((0, 0), (1, 1), (2, 2), (2, 2)))
    setting = {"scale": (10, 2, 0.5, 0.25), "units": ("s", "um", "um", "um"), "axis_labels": ("t", "z", "y", "x")}
    viewer.add_image(alpha, name="alpha", metadata=with_provenance({}, kind="alpha"), **setting)
    widget = open_measure(viewer)
    settle(qtbot, widget)
    assert widget.scope.extent.choices == ("plane", "planes", "volume", "volumes")
    widget.scope.extent.value = "volumes"
    run(qtbot, widget)
    assert widget.scope.range.axis.choices == (0,)
    found = [lsa.measure_matte(volume, spacing=(2, 0.5, 0.25), unit="um")[0] for volume in alpha]
    assert_table(shown(widget), to_columns(found, {"frame": [0, 1], "t_s": [0.0, 10.0]}))
    widget.scope.extent.value = "planes"
    run(qtbot, widget)
    assert widget.scope.range.axis.value == 1
    assert shown(widget)["z_um"] == [0.0, 2.0, 4.0, 6.0, 8.0]


def test_points_that_the_user_has_added_are_left_alone(
    make_napari_viewer_proxy: Any, qtbot: Any, mattes: np.ndarray
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(mattes, name="alpha", metadata=with_provenance({}, kind="alpha"), **_SERIES)
    widget = open_measure(viewer)
    widget.scope.extent.value = "planes"
    run(qtbot, widget)
    viewer.layers["centroids of alpha"].add((0, 1, 1))
    run(qtbot, widget)
    assert len(viewer.layers["centroids of alpha"].data) == 4
    assert len([layer for layer in viewer.layers if isinstance(unwrap(layer), Points)]) == 2
