"""The Trimap widget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_lsa_matting.layers import METADATA_KEY, with_provenance
from napari_lsa_matting.trimap_code import trimap_path
from napari_lsa_matting.trimap_widget import TrimapWidget
from widgets import settle


@pytest.fixture
def open_widget(qtbot: Any) -> Callable[[Any], TrimapWidget]:
    def open_in(viewer: Any) -> TrimapWidget:
        widget = TrimapWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Trimap")
        return widget

    return open_in


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
    settle(qtbot, widget)
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


def test_a_segmentation_becomes_a_trimap_by_physical_distances(
    scene_viewer: Any, open_widget: Any, qtbot: Any, saved_to: Path, copied: Any, execute: Any
) -> None:
    scene_viewer.layers.remove("trimap")
    photo = scene_viewer.layers["photo"]
    cells = np.zeros((48, 64), np.int32)
    cells[8:40, 16:48] = 5
    scene_viewer.add_labels(cells, name="cells", scale=photo.scale, translate=photo.translate, units=photo.units)
    widget = open_widget(scene_viewer)
    # Five pixels of half a micrometre are proposed.
    assert widget.sources.inner.native.text() == "2.500 µm"
    widget.sources.inner.value, widget.sources.outer.value = 1.0, 3.0
    widget.controls.run_button.click()
    settle(qtbot, widget)
    trimap = scene_viewer.layers["trimap"]
    assert np.flatnonzero(trimap.data[24] == 1).tolist() == list(range(18, 46))
    assert np.flatnonzero(trimap.data[24] == 2).tolist() == [*range(10), *range(54, 64)]
    assert np.array_equal(trimap.scale, photo.scale)
    assert np.array_equal(trimap.translate, photo.translate)
    assert trimap.units == photo.units

    assert [step["inner"] for step in trimap.metadata[METADATA_KEY]["made"][""]] == [1.0]
    np.testing.assert_array_equal(execute(copied(widget.code))["trimap"].to_labels(), trimap.data)

    # Once more with another distance: the same layer, and one step of undo leads back.
    widget.sources.outer.value = 2.0
    widget.controls.run_button.click()
    settle(qtbot, widget)
    assert [layer.name for layer in scene_viewer.layers] == ["photo", "cells", "trimap"]
    assert int(trimap.data[24, 10]) == 2 and int(trimap.data[24, 11]) == 2
    assert [step["outer"] for step in trimap.metadata[METADATA_KEY]["made"][""]] == [3.0, 2.0]
    np.testing.assert_array_equal(execute(copied(widget.code))["trimap"].to_labels(), trimap.data)
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
    assert "'small' is 20 × 30 and 'trimap' 48 × 64 pixels" in widget.status.text()


@pytest.mark.parametrize("place", [{"scale": (1, 1)}, {"translate": (10, 30)}])
def test_a_trimap_that_does_not_lie_on_the_image_is_not_said_to_be_ready(
    scene_viewer: Any, open_widget: Any, qtbot: Any, place: dict[str, Any]
) -> None:
    widget = open_widget(scene_viewer)
    settle(qtbot, widget)
    assert widget.status.text().startswith("Ready to matte")
    for name, value in place.items():
        setattr(scene_viewer.layers["trimap"], name, value)
    settle(qtbot, widget)
    assert "'trimap' has another scale or position than 'photo'" in widget.status.text()
    assert "Ready" not in widget.status.text()


def test_a_file_becomes_a_trimap_on_the_image(
    scene_viewer: Any,
    open_widget: Any,
    scene: Any,
    tmp_path: Path,
    notifications: list[str],
    qtbot: Any,
    copied: Any,
    execute: Any,
) -> None:
    scene_viewer.layers.remove("trimap")
    widget = open_widget(scene_viewer)
    Image.fromarray(scene.trimap).save(tmp_path / "GT01.png")
    widget.open_file(tmp_path / "GT01.png")
    settle(qtbot, widget)
    layer = scene_viewer.layers["trimap"]
    assert np.array_equal(layer.data == 1, scene.trimap == 255)
    assert np.array_equal(layer.scale, scene_viewer.layers["photo"].scale)
    assert trimap_path(layer, ()) == str(tmp_path / "GT01.png")
    np.testing.assert_array_equal(execute(copied(widget.code))["trimap"].values, scene.trimap)

    Image.fromarray(scene.trimap[:20]).save(tmp_path / "GT02.png")
    widget.open_file(tmp_path / "GT02.png")
    settle(qtbot, widget)
    assert len(scene_viewer.layers) == 2
    assert notifications == [
        "GT02.png is 20 × 64 and 'photo' 48 × 64 pixels (height × width), but they must have the same size: "
        "choose the file of this image."
    ]


def test_strokes_on_a_picture_with_an_alpha_channel_tell_that_it_is_ignored(
    scene_viewer: Any, open_widget: Any, qtbot: Any
) -> None:
    widget = open_widget(scene_viewer)
    photo = scene_viewer.layers["photo"]
    pixels = np.concatenate([photo.data, np.full_like(photo.data[..., :1], 9)], axis=2)
    scene_viewer.add_image(pixels, name="sticker", rgb=True)
    widget.image.value = scene_viewer.layers["sticker"]
    settle(qtbot, widget)
    assert widget.sources.notes.isHidden()
    widget.sources.kind.value = "strokes"
    settle(qtbot, widget)
    assert widget.sources.notes.text() == "The alpha channel of 'sticker' is ignored."
    assert not widget.sources.notes.isHidden()
    widget.image.value = photo
    settle(qtbot, widget)
    assert widget.sources.notes.isHidden()


def test_strokes_of_the_mouse_are_checked_and_filled_in(
    scene_viewer: Any, open_widget: Any, qtbot: Any, paint: Any
) -> None:
    def brush(label: int, *points: tuple[float, float]) -> None:
        widget.paint_buttons[label].click()
        layer.brush_size = 3
        paint(scene_viewer, *points)

    scene_viewer.layers.remove("trimap")
    widget = open_widget(scene_viewer)
    widget.sources.kind.value = "strokes"
    widget.new_button.click()
    layer = scene_viewer.layers["trimap"]
    brush(1, (24, 26), (24, 36))
    settle(qtbot, widget)
    assert layer.data[24, 30] == 1
    assert widget.status.text().startswith("No background yet")
    assert widget.controls.reason.text() == widget.status.text()
    brush(2, (3, 5), (3, 58))
    brush(2, (44, 5), (44, 58))
    settle(qtbot, widget)
    assert widget.status.text().startswith("Ready to matte: ")
    strokes = layer.data.copy()
    widget.sources.least_width.value = 1.0
    widget.controls.run_button.click()
    settle(qtbot, widget)
    rows, columns = np.mgrid[:48, :64]
    radius = np.hypot(rows - 23.5, columns - 31.5)
    assert (layer.data[radius < 8] == 1).all()
    assert (layer.data[(radius > 22) & (np.abs(columns - 32) < 20)] == 2).all()
    assert ((layer.data == 0) & (np.abs(radius - 14) < 2)).sum() > 100
    layer.undo()
    np.testing.assert_array_equal(layer.data, strokes)


def test_an_alpha_becomes_a_trimap(scene_viewer: Any, open_widget: Any, scene: Any, qtbot: Any) -> None:
    scene_viewer.layers.remove("trimap")
    photo = scene_viewer.layers["photo"]
    scene_viewer.add_image(
        scene.alpha,
        name="alpha",
        scale=photo.scale,
        translate=photo.translate,
        units=photo.units,
        metadata=with_provenance({}, kind="alpha"),
    )
    widget = open_widget(scene_viewer)
    widget.sources.kind.value = "alpha"
    assert widget.sources.labels.native.isHidden()
    widget.sources.inner.value, widget.sources.outer.value = 1.0, 2.0
    widget.controls.run_button.click()
    settle(qtbot, widget)
    labels = scene_viewer.layers["trimap"].data
    assert (labels[(scene.alpha > 0) & (scene.alpha < 1)] == 0).all()
    rows, columns = np.mgrid[:48, :64]
    radius = np.hypot(rows - 23.5, columns - 31.5)
    # Alpha is 1 up to 11 and 0 from 17 pixels on; a pixel is half a micrometre.
    assert (labels[radius < 8] == 1).all()
    assert not (labels[radius > 9.5] == 1).any()
    assert (labels[radius > 22] == 2).all()
    assert not (labels[radius < 20] == 2).any()


def test_pixels_that_are_longer_than_wide_keep_distances(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    cells = np.zeros((40, 80), np.uint8)
    cells[10:30, 20:60] = 1
    viewer.add_labels(cells, name="cells", scale=(2.0, 0.5), units=("um", "um"))
    widget = open_widget(viewer)
    assert widget.sources.inner.value == 2.5
    widget.sources.inner.value, widget.sources.outer.value = 4.0, 2.0
    widget.controls.run_button.click()
    settle(qtbot, widget)
    labels = viewer.layers["trimap"].data
    assert np.flatnonzero(labels[20] == 1).tolist() == list(range(28, 52))
    assert np.flatnonzero(labels[:, 40] == 1).tolist() == list(range(12, 28))
    assert np.flatnonzero(labels[20] == 2).tolist() == [*range(16), *range(64, 80)]
    assert np.flatnonzero(labels[:, 40] == 2).tolist() == [*range(9), *range(31, 40)]


def test_every_tool_changes_the_trimap_in_one_step_that_can_be_undone(
    scene_viewer: Any, open_widget: Any, qtbot: Any
) -> None:
    widget = open_widget(scene_viewer)
    layer = scene_viewer.layers["trimap"]
    where = np.nonzero(np.pad(np.ones((2, 2)), ((4, 42), (5, 57))))
    layer.data_setitem(where, 1)  # an island
    layer.data_setitem(tuple(axis + 18 for axis in where), 0)  # a hole, at rows 22 and 23, columns 23 and 24
    layer.data_setitem((np.array([24, 24]), np.array([31, 32])), 0)
    settle(qtbot, widget)
    assert "There is a tiny island of foreground" in widget.status.text()
    widget.tools.distance.value, widget.tools.speck.value = 1.0, 2.0
    before = layer.data.copy()
    unknown = (before == 0).sum()
    for name, expected in (
        ("widen", lambda labels: (labels == 0).sum() > unknown + 100),
        ("narrow", lambda labels: (labels == 0).sum() < unknown - 100),
        ("smooth", lambda labels: labels[24, 31] == 1 and labels[5, 6] != 1),
        ("fill", lambda labels: labels[24, 31] == 1 and labels[5, 6] == 1),
        ("islands", lambda labels: labels[24, 31] == 0 and labels[5, 6] == 2),
    ):
        widget.tools.buttons[name].click()
        settle(qtbot, widget)
        assert expected(layer.data), name
        widget.undo_button.click()
        np.testing.assert_array_equal(layer.data, before, err_msg=name)
        layer.redo()
        assert expected(layer.data), name
        layer.undo()


def test_a_tool_leaves_other_planes_of_a_stack_alone(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.zeros((3, 40, 40), np.uint8), name="stack")
    widget = open_widget(viewer)
    widget.new_button.click()
    layer = viewer.layers["trimap"]
    layer.data[:, :15], layer.data[:, 25:] = 1, 2
    layer.refresh()
    viewer.dims.set_point(0, 2)
    settle(qtbot, widget)
    widget.tools.distance.value = 2
    widget.tools.buttons["widen"].click()
    settle(qtbot, widget)
    assert (layer.data == 0).sum(axis=(1, 2)).tolist() == [400, 400, 14 * 40]


def test_in_three_dimensions_the_widget_says_what_to_do(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any, notifications: list[str], tmp_path: Path
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.zeros((3, 40, 40), np.uint8), name="stack")
    widget = open_widget(viewer)
    widget.new_button.click()
    viewer.dims.ndisplay = 3
    settle(qtbot, widget)
    assert widget.status.text().endswith("switch it back to two dimensions.")
    assert not any(button.isEnabled() for button in widget.tools.buttons.values())
    widget.open_file(tmp_path / "any.png")
    assert notifications == [widget.status.text()]


def test_strokes_on_another_image_are_refused(scene_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(scene_viewer)
    scene_viewer.add_image(np.zeros((20, 30)), name="small")
    widget.image.value = widget.image.choices[0]
    widget.sources.kind.value = "strokes"
    settle(qtbot, widget)
    assert not widget.controls.run_button.isEnabled()
    assert widget.controls.reason.text().startswith("'small' is 20 × 30 and 'trimap' 48 × 64 pixels")
