"""The Trimap widget, when layers change and runs are stopped while it works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
from napari_lsa_matting import plane_writer
from napari_lsa_matting.trimap_layer import trimap_settings
from trimaps import open_trimap
from widgets import settle


def test_a_change_is_dropped_if_the_trimap_was_painted_on_meanwhile(scene_viewer: Any, qtbot: Any) -> None:
    widget = open_trimap(scene_viewer)
    layer = scene_viewer.layers["trimap"]
    settle(qtbot, widget)
    widget.tools.buttons["widen"].click()
    assert not widget.tools.buttons["narrow"].isEnabled()
    layer.data_setitem((np.array([0]), np.array([0])), 1)
    painted = layer.data.copy()
    settle(qtbot, widget)
    np.testing.assert_array_equal(layer.data, painted)
    assert widget.tool_controls.outcome.text().startswith("The trimap was painted on meanwhile")
    assert widget.tools.buttons["narrow"].isEnabled()


@pytest.mark.parametrize("lazy", [False, True])
def test_a_change_is_dropped_if_the_trimap_was_given_other_labels_meanwhile(
    lazy: bool, make_napari_viewer_proxy: Any, scene: Any, qtbot: Any
) -> None:
    zarr = pytest.importorskip("zarr")
    labels = np.stack([lsa.Trimap(scene.trimap).to_labels()] * 3)
    viewer = make_napari_viewer_proxy()
    layer = viewer.add_labels(zarr.array(labels) if lazy else labels.copy(), **trimap_settings())
    viewer.dims.set_current_step(0, 2)
    widget = open_trimap(viewer)
    settle(qtbot, widget)
    widget.tools.buttons["widen"].click()
    # On disk, others of the same size; in memory, a stack that ends before the plane at work.
    layer.data = zarr.array(np.ones_like(labels)) if lazy else np.ones_like(labels[:1])
    settle(qtbot, widget)
    assert (np.asarray(layer.data) == 1).all()
    assert widget.tool_controls.outcome.text() == (
        "'trimap' was removed or replaced meanwhile, so the change was dropped."
    )


def test_a_trimap_of_a_segmentation_that_was_replaced_meanwhile_is_dropped(
    make_napari_viewer_proxy: Any, qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    cells = np.zeros((3, 40, 40), np.uint16)
    cells[:, 10:30, 10:30] = 1
    layer = viewer.add_labels(cells, name="cells")
    viewer.dims.set_current_step(0, 2)
    widget = open_trimap(viewer)
    settle(qtbot, widget)
    widget.controls.run_button.click()
    layer.data = cells[:2]
    settle(qtbot, widget)
    assert [each.name for each in viewer.layers] == ["cells"]
    assert widget.controls.outcome.text() == "'cells' was removed or replaced meanwhile, so its trimap was dropped."
    assert not widget.code.button.isEnabled()


def test_a_trimap_renamed_and_a_viewer_in_3d_do_not_lose_a_change_under_way(scene_viewer: Any, qtbot: Any) -> None:
    widget = open_trimap(scene_viewer)
    layer = scene_viewer.layers["trimap"]
    before = layer.data.copy()
    settle(qtbot, widget)
    widget.tools.buttons["widen"].click()
    layer.name = "mine"
    scene_viewer.dims.ndisplay = 3
    settle(qtbot, widget)
    assert (layer.data == 0).sum() > (before == 0).sum() + 50
    assert "switch it back to two dimensions" in widget.status.text()
    assert not widget.tools.buttons["widen"].isEnabled()
    layer.undo()
    np.testing.assert_array_equal(layer.data, before)


def test_a_change_of_a_trimap_that_was_removed_meanwhile_is_dropped(scene_viewer: Any, qtbot: Any) -> None:
    widget = open_trimap(scene_viewer)
    settle(qtbot, widget)
    widget.tools.buttons["widen"].click()
    scene_viewer.layers.remove("trimap")
    settle(qtbot, widget)
    assert widget.tool_controls.outcome.text() == (
        "'trimap' was removed or replaced meanwhile, so the change was dropped."
    )
    assert [layer.name for layer in scene_viewer.layers] == ["photo"]


def test_buttons_pressed_right_after_their_layers_were_removed_do_nothing(
    scene_viewer: Any, qtbot: Any, tmp_path: Path, notifications: list[str]
) -> None:
    widget = open_trimap(scene_viewer)
    settle(qtbot, widget)
    buttons = [*widget.tools.buttons.values(), *widget.paint_buttons.values(), widget.undo_button, widget.new_button]
    scene_viewer.layers.clear()
    for button in buttons:
        button.click()
    assert notifications == []
    widget.open_file(tmp_path / "trimap.png")
    assert notifications == ["There is no image to put a trimap on: open one."]
    settle(qtbot, widget)
    assert not any(button.isEnabled() for button in buttons)


def test_nothing_can_be_taken_back_by_the_button_while_a_change_is_written(
    scene_viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = open_trimap(scene_viewer)
    layer = scene_viewer.layers["trimap"]
    original = layer.data.copy()
    layer.data_setitem(tuple(np.indices((9, 64)).reshape(2, -1)), 1)
    settle(qtbot, widget)
    edited = layer.data.copy()
    with monkeypatch.context() as patch:  # which ends before the widget is closed and waits for the writer
        patch.setattr(plane_writer, "_SECONDS_AT_ONCE", 0)  # nothing is written, however often it is its turn
        widget.tools.buttons["widen"].click()
        qtbot.waitUntil(lambda: not widget.tool_controls.busy)
        assert widget.working  # made, and being written
        widget.undo_button.click()
        np.testing.assert_array_equal(layer.data, edited)
        assert not any(button.isEnabled() for button in widget.paint_buttons.values())
    settle(qtbot, widget)
    assert all(button.isEnabled() for button in widget.paint_buttons.values())
    assert (layer.data == 0).sum() > (edited == 0).sum() + 50
    widget.undo_button.click()
    np.testing.assert_array_equal(layer.data, edited)
    widget.undo_button.click()
    np.testing.assert_array_equal(layer.data, original)


def test_after_a_trimap_is_removed_there_is_none_to_save_and_no_run_is_asked_for(scene_viewer: Any, qtbot: Any) -> None:
    widget = open_trimap(scene_viewer)
    settle(qtbot, widget)
    assert widget.save.button.isEnabled()
    scene_viewer.layers.remove("trimap")
    settle(qtbot, widget)
    assert not widget.save.button.isEnabled()
    assert widget.save.button.toolTip() == "There is no trimap to save yet."


def test_a_cancelled_tool_leaves_the_trimap_as_it_was(scene_viewer: Any, qtbot: Any) -> None:
    widget = open_trimap(scene_viewer)
    layer = scene_viewer.layers["trimap"]
    before = layer.data.copy()
    widget.tools.buttons["widen"].click()
    widget.tool_controls.cancel_button.click()
    settle(qtbot, widget)
    np.testing.assert_array_equal(layer.data, before)
    assert widget.tool_controls.outcome.text() == "Cancelled; the layers are as they were."
