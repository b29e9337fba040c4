"""A layer is closed to other edits while a step of its history is written."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QObject, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_lsa_matting import plane_writer
from napari_lsa_matting.layers import METADATA_KEY
from napari_lsa_matting.one_step import is_being_edited, one_step
from napari_lsa_matting.plane_writer import PlaneEdit, PlaneWriter, find_changes
from trimaps import open_trimap
from widgets import settle

Press = Callable[..., None]


@pytest.fixture
def press(scene_viewer: Any) -> Press:
    """Presses Ctrl+Z, or Ctrl+Shift+Z, on the canvas."""
    canvas = unwrap(scene_viewer).window._qt_viewer.canvas.native

    def press_keys(more: Any = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | more)

    return press_keys


def brush(viewer: Any) -> Any:
    """Take the trimap and its brush."""
    layer = unwrap(viewer.layers["trimap"])
    viewer.layers.selection.active = viewer.layers["trimap"]
    layer.mode, layer.selected_label, layer.brush_size = "paint", 1, 5
    return layer


def writer_of(layer: Any, owner: QObject) -> PlaneWriter:
    after = layer.data.copy()
    after[30:40] = 0
    return PlaneWriter(layer, [PlaneEdit((), find_changes(layer.data, after))], owner)


def test_neither_strokes_nor_keys_get_into_what_is_being_written(
    scene_viewer: Any, qtbot: Any, paint: Any, press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = brush(scene_viewer)
    controls = unwrap(scene_viewer).window._qt_viewer.controls.widgets[layer]
    original = layer.data.copy()
    paint(scene_viewer, (5, 5), (5, 50))
    stroke = layer.data.copy()
    press()
    np.testing.assert_array_equal(layer.data, original)
    press(Qt.KeyboardModifier.ShiftModifier)
    np.testing.assert_array_equal(layer.data, stroke)
    assert not np.array_equal(stroke, original)
    owner = QObject()
    writer = writer_of(layer, owner)
    with monkeypatch.context() as patch:
        patch.setattr(plane_writer, "_AT_ONCE", 5)
        patch.setattr(plane_writer, "_SECONDS_AT_ONCE", 1e-4)  # some bits each turn
        writer.start()
        while (layer.data == stroke).all():  # turn by turn: all of it takes no longer than a look of the bot's
            QApplication.processEvents()
        patch.setattr(plane_writer, "_SECONDS_AT_ONCE", 0)
        begun = layer.data.copy()
        assert not layer.editable
        assert not controls.paint_button.isEnabled()
        assert not scene_viewer.scene.camera.mouse_pan
        paint(scene_viewer, (20, 5), (20, 50))
        press()
        press(Qt.KeyboardModifier.ShiftModifier)
        scene_viewer.layers["trimap"].undo()
        layer.mode = "erase"
        paint(scene_viewer, (25, 5), (25, 50))
        np.testing.assert_array_equal(layer.data, begun)
    with qtbot.waitSignal(writer.finished):
        pass
    assert layer.editable
    assert controls.paint_button.isEnabled()
    assert layer.mode == "paint"
    assert not layer.data[30:40].any()
    written = layer.data.copy()
    press()
    np.testing.assert_array_equal(layer.data, stroke)
    press(Qt.KeyboardModifier.ShiftModifier)
    np.testing.assert_array_equal(layer.data, written)
    press()
    press()
    np.testing.assert_array_equal(layer.data, original)
    paint(scene_viewer, (20, 5), (20, 50))
    assert not np.array_equal(layer.data, original)


def test_who_moves_the_picture_can_do_so_while_something_is_written(scene_viewer: Any) -> None:
    layer = brush(scene_viewer)
    layer.mode = "pan_zoom"
    with one_step(layer):
        assert scene_viewer.scene.camera.mouse_pan
    assert (layer.mode, scene_viewer.scene.camera.mouse_pan) == ("pan_zoom", True)
    layer.mode = "paint"
    with one_step(layer):
        assert not scene_viewer.scene.camera.mouse_pan
    assert (layer.mode, scene_viewer.scene.camera.mouse_pan) == ("paint", False)


def test_a_stroke_that_has_begun_ends_before_anything_is_written(scene_viewer: Any, qtbot: Any) -> None:
    layer = brush(scene_viewer)
    original = layer.data.copy()
    canvas = unwrap(scene_viewer).window._qt_viewer.canvas
    events = canvas._scene_canvas.events
    size = canvas._scene_canvas.size
    place = (size[0] // 2, size[1] // 2)
    events.mouse_press(pos=place, modifiers=(), button=1)
    assert is_being_edited(layer)
    owner = QObject()
    writer = writer_of(layer, owner)
    writer.start()
    qtbot.wait(100)
    assert layer.data[30:40].any()
    events.mouse_move(pos=(place[0] + 30, place[1]), modifiers=(), button=1, press_event=None)
    events.mouse_release(pos=(place[0] + 30, place[1]), modifiers=(), button=1)
    stroke = layer.data.copy()
    assert not np.array_equal(stroke, original)
    with qtbot.waitSignal(writer.finished):
        pass
    assert not layer.data[30:40].any()
    layer.undo()
    np.testing.assert_array_equal(layer.data, stroke)
    layer.undo()
    np.testing.assert_array_equal(layer.data, original)


def test_two_writers_of_one_layer_make_a_step_each(qtbot: Any) -> None:
    layer = ViewerModel().add_labels(np.zeros((2, 40, 50), np.uint8))
    owner = QObject()
    changes = find_changes(layer.data[0], np.ones((40, 50), np.uint8))
    writers = [PlaneWriter(layer, [PlaneEdit((plane,), changes)], owner) for plane in range(2)]
    ended: list[int] = []
    for number, writer in enumerate(writers):
        writer.finished.connect(lambda number=number: ended.append(number))
        writer.start()
    qtbot.waitUntil(lambda: len(ended) == 2)
    assert (layer.data == 1).all()
    layer.undo()
    assert layer.data.any(axis=(1, 2)).tolist() == [True, False]
    layer.undo()
    assert not layer.data.any()


def test_a_layer_is_given_back_as_it_was_whatever_happens() -> None:
    layer = ViewerModel().add_labels(np.zeros((40, 50), np.uint8))
    layer.mode = "erase"
    layer.data_setitem((np.array([1]), np.array([1])), 1)
    layer.data_setitem((np.array([2]), np.array([2])), 1)
    layer.undo()
    with pytest.raises(RuntimeError, match="disk"), one_step(layer):
        raise RuntimeError("disk")
    assert (layer.editable, layer.mode, is_being_edited(layer)) == (True, "erase", False)
    layer.redo()
    assert layer.data[2, 2] == 1
    layer.undo()
    layer.undo()
    assert not layer.data.any()


def test_a_layer_that_was_not_editable_stays_so() -> None:
    layer = ViewerModel().add_labels(np.zeros((40, 50), np.uint8))
    layer.editable = False
    with one_step(layer):
        layer.data_setitem((np.array([1]), np.array([1])), 1)
    assert not layer.editable
    layer.undo()
    assert not layer.data.any()


def test_no_step_of_data_that_were_replaced_is_taken_back() -> None:
    layer = ViewerModel().add_labels(np.zeros((40, 50), np.uint8))
    layer.data_setitem((np.array([1]), np.array([1])), 1)
    with one_step(layer):
        layer.data_setitem((np.array([2]), np.array([2])), 1)
        layer.data = np.full((10, 10), 2, np.uint8)
    layer.undo()
    layer.undo()
    assert (layer.data == 2).all()
    assert layer.editable


def test_a_change_is_dropped_if_a_stroke_that_had_begun_goes_on_before_it_is_written(
    scene_viewer: Any, qtbot: Any
) -> None:
    layer = brush(scene_viewer)
    widget = open_trimap(scene_viewer)
    settle(qtbot, widget)
    before = layer.data.copy()
    with layer.block_history():  # as a stroke does
        widget.tools.buttons["widen"].click()
        qtbot.waitUntil(lambda: not widget.tool_controls.busy)
        qtbot.wait(100)
        np.testing.assert_array_equal(layer.data, before)
        layer.data_setitem((np.array([0]), np.array([0])), 1)
        stroke = layer.data.copy()
    settle(qtbot, widget)
    np.testing.assert_array_equal(layer.data, stroke)
    assert widget.tool_controls.outcome.text().startswith("The trimap was painted on meanwhile")
    assert "made" not in layer.metadata[METADATA_KEY]


def test_a_widget_that_is_closed_while_a_change_is_written_leaves_it_whole(
    scene_viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = brush(scene_viewer)
    widget = open_trimap(scene_viewer)
    settle(qtbot, widget)
    before = layer.data.copy()
    with monkeypatch.context() as patch:
        patch.setattr(plane_writer, "_SECONDS_AT_ONCE", 0)
        widget.tools.buttons["widen"].click()
        qtbot.waitUntil(lambda: not widget.tool_controls.busy)
        assert not layer.editable
    scene_viewer.window.remove_dock_widget(widget)
    assert layer.editable
    assert (layer.data == 0).sum() > (before == 0).sum() + 50
    layer.undo()
    np.testing.assert_array_equal(layer.data, before)


class OtherNapari:
    """A layer of which only the public things are known: another version of napari may keep its history elsewhere."""

    def __init__(self, layer: Any) -> None:
        self.__dict__["layer"] = layer

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.layer, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.layer, name, value)


def test_a_version_of_napari_with_another_history_makes_a_step_of_it_too(qtbot: Any) -> None:
    layer = ViewerModel().add_labels(np.zeros((40, 50), np.uint8))
    layer.data_setitem((np.array([1]), np.array([1])), 1)
    stroke = layer.data.copy()
    owner = QObject()
    changes = find_changes(layer.data, np.full((40, 50), 2, np.uint8))
    writer = PlaneWriter(OtherNapari(layer), [PlaneEdit((), changes)], owner)
    with qtbot.waitSignal(writer.finished):
        writer.start()
    assert (layer.data == 2).all()
    layer.undo()
    np.testing.assert_array_equal(layer.data, stroke)
    layer.undo()
    assert not layer.data.any()


def test_files_are_written_in_a_version_of_napari_with_another_history(
    qtbot: Any, caplog: pytest.LogCaptureFixture
) -> None:
    array = pytest.importorskip("zarr").array(np.zeros((40, 50), np.uint8))
    layer = ViewerModel().add_labels(array)
    owner = QObject()
    changes = find_changes(array[:], np.full((40, 50), 2, np.uint8))
    writer = PlaneWriter(OtherNapari(layer), [PlaneEdit((), changes)], owner)
    with qtbot.waitSignal(writer.finished):
        writer.start()
    assert (array[:] == 2).all()
    assert "cannot be undone" in caplog.text
