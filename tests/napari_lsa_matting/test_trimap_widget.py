"""The Trimap widget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_lsa_matting.trimap_widget import TrimapWidget


@pytest.fixture
def open_widget(qtbot: Any) -> Callable[[Any], TrimapWidget]:
    def open_in(viewer: Any) -> TrimapWidget:
        widget = TrimapWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Trimap")
        return widget

    return open_in


def settle(qtbot: Any, widget: TrimapWidget) -> None:
    """Wait until the widget has taken note of the last change."""
    qtbot.waitUntil(lambda: not widget.controls.busy, timeout=10000)
    qtbot.wait(200)


def test_without_layers_the_widget_says_what_to_do(make_napari_viewer_proxy: Any, open_widget: Any) -> None:
    widget = open_widget(make_napari_viewer_proxy())
    assert not widget.new_button.isEnabled()
    assert not any(button.isEnabled() for button in widget.paint_buttons.values())
    assert widget.status.text().startswith("There is no trimap yet")
    assert widget.controls.reason.text().startswith("There is no Labels layer with a segmentation")


def test_a_new_trimap_is_ready_to_be_painted(scene_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    scene_viewer.layers.remove("trimap")
    widget = open_widget(scene_viewer)
    widget.new_button.click()
    layer = scene_viewer.layers["trimap"]
    assert scene_viewer.layers.selection.active == layer
    assert layer.mode == "paint"
    assert layer.selected_label == 1
    assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
    settle(qtbot, widget)
    assert widget.status.text().splitlines()[0].startswith("No foreground yet")
    assert widget.status.text().splitlines()[1].startswith("No background yet")


def test_the_checks_follow_the_brush_and_undo(scene_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(scene_viewer)
    layer = scene_viewer.layers["trimap"]
    assert widget.status.text().startswith("Ready to matte: ")
    layer.data_setitem(np.nonzero(layer.data == 1), 0)
    settle(qtbot, widget)
    assert widget.status.text().startswith("No foreground yet")
    layer.undo()
    settle(qtbot, widget)
    assert widget.status.text().startswith("Ready to matte: ")


def test_the_buttons_take_up_the_brush_of_each_label(scene_viewer: Any, open_widget: Any) -> None:
    widget = open_widget(scene_viewer)
    layer = scene_viewer.layers["trimap"]
    scene_viewer.layers.selection.active = scene_viewer.layers["photo"]
    widget.paint_buttons[2].click()
    assert (layer.mode, layer.selected_label) == ("paint", 2)
    assert scene_viewer.layers.selection.active == layer
    widget.paint_buttons[0].click()
    assert layer.mode == "erase"
    widget.paint_buttons[1].click()
    assert (layer.mode, layer.selected_label) == ("paint", 1)
    assert [button.text() for button in widget.paint_buttons.values()] == ["1 foreground", "2 background", "0 unknown"]


def test_a_segmentation_becomes_a_trimap_by_physical_distances(scene_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    scene_viewer.layers.remove("trimap")
    photo = scene_viewer.layers["photo"]
    cells = np.zeros((48, 64), np.int32)
    cells[8:40, 16:48] = 5
    scene_viewer.add_labels(cells, name="cells", scale=photo.scale, translate=photo.translate, units=photo.units)
    widget = open_widget(scene_viewer)
    # Five pixels of half a micrometre are proposed.
    assert widget.inner.native.text() == "2.500 µm"
    widget.inner.value, widget.outer.value = 1.0, 3.0
    widget.controls.run_button.click()
    settle(qtbot, widget)
    trimap = scene_viewer.layers["trimap"]
    assert np.flatnonzero(trimap.data[24] == 1).tolist() == list(range(18, 46))
    assert np.flatnonzero(trimap.data[24] == 2).tolist() == [*range(10), *range(54, 64)]
    assert np.array_equal(trimap.scale, photo.scale)
    assert np.array_equal(trimap.translate, photo.translate)
    assert trimap.units == photo.units

    # Once more with another distance: the same layer, and one step of undo leads back.
    widget.outer.value = 2.0
    widget.controls.run_button.click()
    settle(qtbot, widget)
    assert [layer.name for layer in scene_viewer.layers] == ["photo", "cells", "trimap"]
    assert int(trimap.data[24, 10]) == 2 and int(trimap.data[24, 11]) == 2
    trimap.undo()
    assert int(trimap.data[24, 11]) == 0


def test_a_segmentation_of_a_stack_is_done_in_the_plane_that_is_seen(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    cells = np.zeros((3, 40, 40), np.uint16)
    cells[:, 10:30, 10:30] = 1
    viewer.add_labels(cells, name="cells")
    viewer.dims.set_point(0, 1)
    widget = open_widget(viewer)
    widget.controls.run_button.click()
    settle(qtbot, widget)
    trimap = viewer.layers["trimap"]
    assert trimap.data.shape == (3, 40, 40)
    assert (trimap.data[1] == 1).sum() == 100
    assert not trimap.data[[0, 2]].any()


def test_an_unlabelled_plane_is_refused_before_the_run(scene_viewer: Any, open_widget: Any) -> None:
    scene_viewer.add_labels(np.zeros((48, 64), np.uint8), name="cells")
    widget = open_widget(scene_viewer)
    assert not widget.controls.run_button.isEnabled()
    assert widget.controls.reason.text() == "'cells' has no labels in this plane: label the object first."


def test_a_size_that_does_not_fit_the_image_is_said(scene_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(scene_viewer)
    scene_viewer.add_image(np.zeros((20, 30)), name="small")
    widget.image.value = widget.image.choices[0]
    settle(qtbot, widget)
    assert "The trimap is 48 × 64, but 'small' 20 × 30 pixels" in widget.status.text()


def test_a_file_becomes_a_trimap_on_the_image(
    scene_viewer: Any, open_widget: Any, scene: Any, tmp_path: Path, notifications: list[str]
) -> None:
    scene_viewer.layers.remove("trimap")
    widget = open_widget(scene_viewer)
    Image.fromarray(scene.trimap).save(tmp_path / "GT01.png")
    widget.open_file(tmp_path / "GT01.png")
    layer = scene_viewer.layers["trimap"]
    assert np.array_equal(layer.data == 1, scene.trimap == 255)
    assert np.array_equal(layer.scale, scene_viewer.layers["photo"].scale)

    Image.fromarray(scene.trimap[:20]).save(tmp_path / "GT02.png")
    widget.open_file(tmp_path / "GT02.png")
    assert len(scene_viewer.layers) == 2
    assert notifications == [
        "GT02.png is 20 × 64 and 'photo' 48 × 64 pixels (height × width), but they must have the same size: "
        "choose the file of this image."
    ]
