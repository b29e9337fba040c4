"""The Matting widget, up to the whole way from painting with the mouse to the pixels of the alpha."""

from __future__ import annotations

from inspect import unwrap
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

import lsa_engine as lsa
from napari_lsa_matting.layers import METADATA_KEY
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.trimap_widget import TrimapWidget
from widgets import run, settle


def finish(qtbot: Any, widget: MattingWidget) -> None:
    qtbot.waitUntil(lambda: not widget.controls.busy)


def test_the_alpha_is_the_engine_s_and_lies_on_the_image(
    scene_viewer: Any, open_widget: Any, qtbot: Any, scene: Any, random_weights: str
) -> None:
    widget = open_widget(scene_viewer)
    run(qtbot, widget)
    photo, alpha = scene_viewer.layers["photo"], scene_viewer.layers["alpha"]
    expected = lsa.matte(photo.data, scene.trimap, weights=random_weights, device="cpu")
    np.testing.assert_allclose(alpha.data, expected.alpha, atol=1e-4)
    assert tuple(alpha.contrast_limits) == (0.0, 1.0)
    for name in ("scale", "translate", "rotate", "shear"):
        np.testing.assert_array_equal(getattr(alpha, name), getattr(photo, name))
    assert (alpha.units, alpha.axis_labels) == (photo.units, photo.axis_labels)
    record = alpha.metadata[METADATA_KEY]
    assert (record["kind"], record["image"], record["trimap"]) == ("alpha", "photo", "trimap")
    assert record["report"]["weights_sha256"] == expected.report.weights_sha256
    assert widget.controls.outcome.text().startswith("random-lite on cpu (")


def test_a_later_run_updates_the_same_layer(scene_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(scene_viewer)
    run(qtbot, widget)
    alpha = unwrap(scene_viewer.layers["alpha"])
    before = alpha.data.copy()
    alpha.colormap, alpha.name = "viridis", "my alpha"
    trimap = scene_viewer.layers["trimap"]
    trimap.data_setitem((np.array([24]), np.array([14])), 1)
    run(qtbot, widget)
    assert len(scene_viewer.layers) == 3
    assert alpha.data[24, 14] == 1.0 != before[24, 14]
    assert (alpha.colormap.name, alpha.name) == ("viridis", "my alpha")


def test_refinement_reports_what_it_did_to_the_cost(scene_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(scene_viewer)
    assert not widget.options.iterations.enabled
    widget.options.refinement.value = "paper"
    assert (widget.options.iterations.value, widget.options.learning_rate.value) == (100, 20)
    widget.options.refinement.value = "fast"
    assert (widget.options.iterations.value, widget.options.learning_rate.value) == (15, 0.1)
    assert widget.options.settings.refinement == {"method": "fast"}
    widget.options.iterations.value = 4
    settle(qtbot, widget)
    assert widget.options.iterations.enabled
    run(qtbot, widget)
    report = scene_viewer.layers["alpha"].metadata[METADATA_KEY]["report"]
    assert (report["method"], report["iterations"]) == ("fast", 4)
    assert "refinement cost" in widget.controls.outcome.text()


def test_the_plane_of_a_stack_gets_its_own_alpha(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any, scene: Any, random_weights: str
) -> None:
    viewer = make_napari_viewer_proxy()
    gray = (scene.image.mean(axis=2) * 3000 + 500).astype(np.uint16)
    stack = viewer.add_image(
        np.stack([gray * 0, gray, gray]), name="stack", contrast_limits=(500, 3500), scale=(3, 1, 1)
    )
    labels = np.stack([lsa.Trimap(scene.trimap).to_labels()] * 3)
    viewer.add_labels(labels, name="painted", scale=(3, 1, 1))
    viewer.dims.set_point(0, 3)
    widget = open_widget(viewer)
    run(qtbot, widget)
    alpha = viewer.layers["alpha"]
    expected = lsa.matte(gray, scene.trimap, weights=random_weights, device="cpu", data_range=(500, 3500))
    np.testing.assert_allclose(alpha.data, expected.alpha[None], atol=1e-4)
    np.testing.assert_allclose(alpha.data_to_world((0, 5, 6)), stack.data_to_world((1, 5, 6)))
    assert alpha.metadata[METADATA_KEY]["plane"] == [1]


def test_without_weights_run_is_disabled_until_a_file_is_chosen(
    scene_viewer: Any, qtbot: Any, random_weights_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsa_engine.weights.registry.available_weights", list)
    widget = MattingWidget(scene_viewer)
    scene_viewer.window.add_dock_widget(widget, name="Matting")
    assert widget.controls.reason.text() == "Looking for weights and devices …"
    qtbot.waitUntil(lambda: widget.options.facilities is not None)
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("No weights are installed")
    widget.use_weights(random_weights_file)
    run(qtbot, widget)
    assert "alpha" in scene_viewer.layers


def test_notes_tell_what_is_ignored_and_that_nothing_is_unknown(
    scene_viewer: Any, open_widget: Any, qtbot: Any
) -> None:
    widget = open_widget(scene_viewer)
    photo, trimap = scene_viewer.layers["photo"], scene_viewer.layers["trimap"]
    rgba = np.concatenate([photo.data, np.full((48, 64, 1), 255, np.uint8)], axis=2)
    scene_viewer.add_image(rgba, name="rgba", scale=photo.scale, translate=photo.translate, units=photo.units)
    widget.image.value = widget.image.choices[0]
    trimap.data_setitem(np.nonzero(trimap.data == 0), 1)
    settle(qtbot, widget)
    assert "The alpha channel of 'rgba' is ignored." in widget.notes.text()
    assert "Nothing is unknown" in widget.notes.text()
    run(qtbot, widget)
    alpha = scene_viewer.layers["alpha"]
    np.testing.assert_array_equal(alpha.data, trimap.data == 1)
    assert "nothing was computed" in widget.controls.outcome.text()


class Mouse:
    """A mouse on the canvas, as Qt would tell of it; pixels are rows and columns of a layer.

    Each pixel is looked up on the canvas when it is gone to, because the docks may still make room for their texts.
    """

    def __init__(self, viewer: Any, layer: Any) -> None:
        self._viewer = viewer
        self._layer = layer
        self._canvas = unwrap(viewer).window._qt_viewer.canvas.native

    def drag(self, *pixels: tuple[float, float]) -> None:
        """Press the left button on the first pixel, go through all others, and let go."""
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        self._send(QEvent.Type.MouseMove, pixels[0], none, none)
        self._send(QEvent.Type.MouseButtonPress, pixels[0], left, left)
        for pixel in pixels[1:]:
            self._send(QEvent.Type.MouseMove, pixel, none, left)
        self._send(QEvent.Type.MouseButtonRelease, pixels[-1], left, none)

    def _send(
        self, kind: QEvent.Type, pixel: tuple[float, float], button: Qt.MouseButton, held: Qt.MouseButton
    ) -> None:
        camera, canvas = self._viewer.scene.camera, self._canvas
        y, x = np.asarray(self._layer.data_to_world(pixel)) - np.asarray(camera.center)[-2:]
        place = QPointF(canvas.width() / 2 + x * camera.zoom, canvas.height() / 2 + y * camera.zoom)
        on_screen = QPointF(canvas.mapToGlobal(place.toPoint()))
        event = QMouseEvent(kind, place, on_screen, button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(canvas, event)
        QTest.qWait(30)  # vispy and napari pass over moves that come faster than a hand can


@pytest.mark.parametrize("weights", ["random-lite", "lsa-lite"])
def test_from_the_brush_to_the_alpha(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any, scene: Any, weights: str
) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(1000, 800)
    photo = viewer.add_image(scene.image, name="photo", rgb=True, scale=(0.5, 0.5), units=("um", "um"))
    painting = TrimapWidget(viewer)
    viewer.window.add_dock_widget(painting, name="Trimap")
    matting = open_widget(viewer)
    matting.options.weights.value = weights
    viewer.reset_view()
    mouse = Mouse(viewer, photo)

    painting.new_button.click()
    trimap = viewer.layers["trimap"]
    trimap.brush_size = 6
    settle(qtbot, matting)
    mouse.drag(*((23, column) for column in range(24, 41, 2)))
    painting.paint_buttons[2].click()
    mouse.drag(*((2, column) for column in range(3, 62, 2)))
    mouse.drag(*((45, column) for column in range(3, 62, 2)))
    labels = trimap.data.copy()
    assert labels[23, 24:41].tolist() == [1] * 17
    assert labels[2, 3:61].tolist() == [2] * 58
    assert labels[12, 30] == 0

    run(qtbot, matting)
    alpha = viewer.layers["alpha"].data
    expected = lsa.matte(scene.image, lsa.Trimap.from_labels(labels), weights=weights, device="cpu")
    np.testing.assert_allclose(alpha, expected.alpha, atol=1e-4)
    assert (alpha[labels == 1] == 1).all()
    assert (alpha[labels == 2] == 0).all()
    assert np.ptp(alpha[labels == 0]) > 0
    # Painting can go on at once: the brush is still in hand.
    assert viewer.layers.selection.active == trimap
    assert trimap.mode == "paint"
