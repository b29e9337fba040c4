"""Results of later runs lie where their source lies now."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.layers import calibration, with_provenance
from napari_lsa_matting.measure_widget import MeasureWidget
from napari_lsa_matting.object_layers import with_axis_in_front
from napari_lsa_matting.placing import put_in_place
from napari_lsa_matting.trimap_widget import TrimapWidget

_TURN = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
_SOURCE: dict[str, Any] = {
    "scale": (0.5, 0.25),
    "translate": (3, -4),
    "rotate": _TURN,
    "shear": [0.2],
    "affine": np.array([[1, 0.1, 7], [0, 1.5, 0], [0, 0, 1]]),
    "units": ("um", "um"),
    "axis_labels": ("y", "x"),
}


@pytest.mark.parametrize("in_front", [False, True])
def test_a_layer_is_put_where_a_new_one_would_lie(in_front: bool) -> None:
    settings = calibration(Image(np.zeros((12, 16)), **_SOURCE))
    if in_front:
        settings = with_axis_in_front(settings)
    shape = (2, 12, 16) if in_front else (12, 16)
    expected, layer = Image(np.zeros(shape), **settings), Image(np.zeros(shape))
    put_in_place(layer, settings)
    for point in np.random.default_rng(0).uniform(0, 12, (5, len(shape))):
        np.testing.assert_allclose(layer.data_to_world(point), expected.data_to_world(point), atol=1e-9)
    assert (layer.units, layer.axis_labels) == (expected.units, expected.axis_labels)


def test_a_layer_that_lies_there_already_is_left_alone() -> None:
    source = Image(np.zeros((12, 16)), scale=(0.5, 0.25), translate=(1, 2), units=("um", "um"), axis_labels=("y", "x"))
    layer = Image(np.zeros((12, 16)), **calibration(source))
    moved: list[object] = []
    for name in ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels"):
        getattr(layer.events, name).connect(moved.append)
    put_in_place(layer, calibration(source))
    assert moved == []
    put_in_place(layer, {**calibration(source), "scale": np.array([0.5, 0.5])})
    assert len(moved) == 1


def calibrate(viewer: Any) -> None:
    """Say of all layers that are drawn on or looked at how large their pixels are."""
    for name in ("photo", "trimap"):
        layer = viewer.layers[name]
        layer.scale, layer.units, layer.translate = (2, 3), ("mm", "mm"), (5, 6)


def run(qtbot: Any, widget: Any) -> None:
    qtbot.waitUntil(lambda: not widget.settling)
    assert widget.controls.run_button.isEnabled(), widget.controls.reason.text()
    widget.controls.run_button.click()
    qtbot.waitUntil(lambda: not widget.controls.busy)


def assert_lies_on(layer: Any, source: Any) -> None:
    np.testing.assert_allclose(layer.scale, source.scale)
    np.testing.assert_allclose(layer.translate, source.translate)
    assert layer.units == source.units


def test_an_alpha_and_its_maps_follow_an_image_that_is_calibrated_after_the_first_run(
    scene_viewer: Any, open_widget: Any, qtbot: Any
) -> None:
    widget = open_widget(scene_viewer)
    run(qtbot, widget)
    widget.view.boxes["violation"].value = True
    alpha = scene_viewer.layers["alpha"]
    alpha.opacity = 0.3
    calibrate(scene_viewer)
    run(qtbot, widget)
    assert scene_viewer.layers["alpha"].opacity == 0.3  # the same layer
    for name in ("alpha", "violation"):
        assert_lies_on(scene_viewer.layers[name], scene_viewer.layers["photo"])
    assert len(scene_viewer.layers) == 4


def test_colours_follow_an_image_that_is_calibrated_after_the_first_run(
    scene_viewer: Any, scene: Any, qtbot: Any
) -> None:
    photo = scene_viewer.layers["photo"]
    alpha = scene_viewer.add_image(
        scene.alpha, name="alpha", metadata=with_provenance({}, kind="alpha"), **calibration(photo)
    )
    widget = ForegroundWidget(scene_viewer)
    scene_viewer.window.add_dock_widget(widget, name="Foreground")
    run(qtbot, widget)
    calibrate(scene_viewer)
    alpha.scale, alpha.units, alpha.translate = photo.scale, photo.units, photo.translate
    run(qtbot, widget)
    assert_lies_on(scene_viewer.layers["cut-out"], photo)


def test_centroids_follow_an_alpha_that_is_calibrated_after_the_first_run(
    scene_viewer: Any, scene: Any, qtbot: Any
) -> None:
    alpha = scene_viewer.add_image(scene.alpha, name="alpha", metadata=with_provenance({}, kind="alpha"))
    widget = MeasureWidget(scene_viewer)
    scene_viewer.window.add_dock_widget(widget, name="Measure")
    run(qtbot, widget)
    points = scene_viewer.layers["centroid of alpha"]
    alpha.scale, alpha.units, alpha.translate = (2, 3), ("mm", "mm"), (5, 6)
    run(qtbot, widget)
    assert_lies_on(points, alpha)
    assert "soft_area_mm2" in points.features


def test_a_trimap_made_again_lies_on_a_segmentation_that_was_calibrated_meanwhile(
    scene_viewer: Any, scene: Any, qtbot: Any
) -> None:
    scene_viewer.layers.remove("trimap")
    cells = scene_viewer.add_labels((scene.alpha > 0.5).astype(np.uint8), name="cells")
    widget = TrimapWidget(scene_viewer)
    scene_viewer.window.add_dock_widget(widget, name="Trimap")
    run(qtbot, widget)
    qtbot.waitUntil(lambda: not widget.working)
    widget.sources.inner.value = 3
    run(qtbot, widget)
    qtbot.waitUntil(lambda: not widget.working)
    (first,) = [layer for layer in scene_viewer.layers if layer.name.startswith("trimap")]  # changed in place
    assert_lies_on(first, cells)
    cells.scale, cells.units, cells.translate = (2, 3), ("mm", "mm"), (5, 6)
    run(qtbot, widget)
    qtbot.waitUntil(lambda: not widget.working)
    trimaps = [layer for layer in scene_viewer.layers if layer.name.startswith("trimap")]
    assert len(trimaps) == 2
    assert_lies_on(trimaps[1], cells)
