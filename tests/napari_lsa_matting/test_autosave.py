"""Trimaps saved for the case of a crash."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_lsa_matting.autosave import autosave_of
from napari_lsa_matting.layers import METADATA_KEY, calibration
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.measure_widget import MeasureWidget
from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.trimap_store import load_trimap
from napari_lsa_matting.trimap_widget import TrimapWidget
from widgets import settle

Open = Callable[[Any], TrimapWidget]


@pytest.fixture
def open_widget(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the widget in a viewer; trimaps are saved a second after an edit."""
    from napari_lsa_matting import settings

    monkeypatch.setattr("napari_lsa_matting.autosave.read_settings", lambda: settings.Settings(autosave=1))

    def open_in(viewer: Any) -> TrimapWidget:
        widget = TrimapWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Trimap")
        settle(qtbot, widget)
        return widget

    return open_in


@pytest.fixture
def left_behind(scene_viewer: Any, open_widget: Open, qtbot: Any, user_folders: Path) -> Path:
    """Where a trimap of the scene's photo was saved after an edit."""
    open_widget(scene_viewer)
    edit(scene_viewer.layers["trimap"])
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 1)
    return saved(user_folders)[0]


def saved(folder: Path) -> list[Path]:
    return sorted(path.parent for path in (folder / "cache" / "trimaps").glob("*/trimap.json"))


def labels_of(place: Path) -> Any:
    return load_trimap(place, None, None)


def edit(layer: Any) -> None:
    layer.data_setitem((np.array([0, 1]), np.array([0, 1])), 1)


def test_an_edited_trimap_is_saved_and_restored_in_another_viewer(
    scene_viewer: Any, make_napari_viewer_proxy: Any, open_widget: Open, qtbot: Any, user_folders: Path, scene: Any
) -> None:
    widget = open_widget(scene_viewer)
    assert widget.offer.isHidden()
    layer = scene_viewer.layers["trimap"]
    edit(layer)
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 1)
    (place,) = saved(user_folders)
    np.testing.assert_array_equal(labels_of(place), layer.data)
    assert sum(path.stat().st_size for path in place.iterdir()) < 2000

    # The program dies; the image is opened again.
    viewer = make_napari_viewer_proxy()
    photo = scene_viewer.layers["photo"]
    viewer.add_image(photo.data.copy(), name="photo", rgb=True, scale=photo.scale, units=photo.units)
    again = open_widget(viewer)
    assert not again.offer.isHidden()
    assert again.offer.text.text().startswith("An earlier session has left a trimap of 'photo'")
    again.offer.restore_button.click()
    qtbot.waitUntil(lambda: "trimap" in viewer.layers)
    np.testing.assert_array_equal(viewer.layers["trimap"].data, layer.data)
    np.testing.assert_array_equal(viewer.layers["trimap"].scale, photo.scale)
    assert viewer.layers["trimap"].metadata[METADATA_KEY]["made"][""][0]["from"] == "autosave"
    assert again.offer.isHidden()


def test_undo_is_saved_too_and_an_untouched_trimap_is_not(
    scene_viewer: Any, open_widget: Open, qtbot: Any, user_folders: Path
) -> None:
    open_widget(scene_viewer)
    layer = scene_viewer.layers["trimap"]
    layer.refresh()
    qtbot.wait(1500)
    assert saved(user_folders) == []
    edit(layer)
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 1)
    assert labels_of(saved(user_folders)[0])[0, 0] == 1
    layer.undo()
    qtbot.waitUntil(lambda: labels_of(saved(user_folders)[0])[0, 0] == 2)


def test_another_image_of_that_name_and_shape_is_offered_nothing(
    scene_viewer: Any, make_napari_viewer_proxy: Any, open_widget: Open, left_behind: Path
) -> None:
    viewer = make_napari_viewer_proxy()
    other = scene_viewer.layers["photo"].data.copy()
    other[0, 0] += 1
    viewer.add_image(other, name="photo", rgb=True)
    assert open_widget(viewer).offer.isHidden()


def test_a_discarded_trimap_is_gone(
    scene_viewer: Any, make_napari_viewer_proxy: Any, open_widget: Open, user_folders: Path, left_behind: Path
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(scene_viewer.layers["photo"].data.copy(), name="photo", rgb=True)
    widget = open_widget(viewer)
    widget.offer.discard_button.click()
    assert saved(user_folders) == []
    assert widget.offer.isHidden()


def test_a_trimap_from_a_newer_file_is_not_put_in_question(
    scene_viewer: Any, make_napari_viewer_proxy: Any, open_widget: Open, left_behind: Path, tmp_path: Path
) -> None:
    os.utime(left_behind / "trimap.json", (time.time() - 60,) * 2)
    Image.fromarray(np.full((48, 64), 128, np.uint8)).save(tmp_path / "my_trimap.png")
    viewer = make_napari_viewer_proxy()
    viewer.add_image(scene_viewer.layers["photo"].data.copy(), name="photo", rgb=True)
    viewer.open(tmp_path / "my_trimap.png", plugin="napari-lsa-matting")
    assert open_widget(viewer).offer.isHidden()


def test_the_trimap_of_a_stack_comes_back_with_all_its_planes(
    make_napari_viewer_proxy: Any, open_widget: Open, qtbot: Any, user_folders: Path
) -> None:
    stack = np.random.default_rng(0).integers(0, 255, (3, 20, 30), np.uint8)
    first = make_napari_viewer_proxy()
    first.add_image(stack, name="stack")
    widget = open_widget(first)
    widget.new_button.click()
    settle(qtbot, widget)
    layer = first.layers["trimap"]
    layer.data_setitem((np.array([2]), np.array([5]), np.array([6])), 2)
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 1)
    second = make_napari_viewer_proxy()
    second.add_image(stack.copy(), name="stack")
    open_widget(second).offer.restore_button.click()
    qtbot.waitUntil(lambda: "trimap" in second.layers)
    np.testing.assert_array_equal(second.layers["trimap"].data, layer.data)


def test_painting_is_saved_while_another_widget_is_open_and_after_it_was_closed(
    scene_viewer: Any, open_widget: Open, qtbot: Any, user_folders: Path
) -> None:
    widget = MeasureWidget(scene_viewer)
    scene_viewer.window.add_dock_widget(widget)
    layer = scene_viewer.layers["trimap"]
    edit(layer)
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 1)
    scene_viewer.window.remove_dock_widget(widget)
    layer.data_setitem((np.array([7]), np.array([8])), 1)
    qtbot.waitUntil(lambda: labels_of(saved(user_folders)[0])[7, 8] == 1)


def test_any_widget_offers_to_restore_and_all_take_the_offer_back(
    scene_viewer: Any, make_napari_viewer_proxy: Any, qtbot: Any, left_behind: Path
) -> None:
    viewer = make_napari_viewer_proxy()
    measure, trimap = MeasureWidget(viewer), TrimapWidget(viewer)
    for widget in (measure, trimap):
        viewer.window.add_dock_widget(widget)
    assert measure.offer.isHidden()
    # The image is opened after the widgets.
    viewer.add_image(scene_viewer.layers["photo"].data.copy(), name="photo", rgb=True)
    qtbot.waitUntil(lambda: not measure.offer.isHidden() and not trimap.offer.isHidden())
    measure.offer.restore_button.click()
    qtbot.waitUntil(lambda: measure.offer.isHidden() and trimap.offer.isHidden())
    np.testing.assert_array_equal(viewer.layers["trimap"].data, scene_viewer.layers["trimap"].data)


def test_what_was_painted_last_is_saved_when_the_viewer_closes(
    make_napari_viewer_proxy: Any, open_widget: Open, qtbot: Any, user_folders: Path, scene: Any
) -> None:
    by_code, by_mouse = make_napari_viewer_proxy(), make_napari_viewer_proxy()
    for number, viewer in enumerate((by_code, by_mouse)):
        viewer.add_image(scene.image, name=f"photo {number}", rgb=True)
        viewer.add_labels(np.zeros(scene.trimap.shape, np.uint8), **trimap_settings())
        open_widget(viewer)
    # Both at once, and only now: a viewer may take longer to open than an edit waits before it is saved.
    for viewer in (by_code, by_mouse):
        edit(viewer.layers["trimap"])
    assert saved(user_folders) == []
    by_code.close()
    window = by_mouse.window.file_menu.parent()
    assert autosave_of(by_mouse).parent() is window
    window.close()  # as its button does
    for thread in threading.enumerate():
        if thread.name == "autosave":
            thread.join(60)
    assert len(saved(user_folders)) == 2


def test_two_trimaps_of_two_images_are_both_saved(
    make_napari_viewer_proxy: Any, open_widget: Open, qtbot: Any, user_folders: Path, scene: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    for number in range(2):
        viewer.add_image(scene.image[number:], name=f"photo {number}", rgb=True)
        viewer.add_labels(np.zeros(scene.trimap[number:].shape, np.uint8), **trimap_settings())
    open_widget(viewer)
    for layer in viewer.layers:
        if layer.name.startswith("trimap"):
            edit(layer)
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 2)


def test_a_folder_that_cannot_be_written_is_told_of_once(
    scene_viewer: Any, open_widget: Open, qtbot: Any, user_folders: Path, notifications: list[str]
) -> None:
    open_widget(scene_viewer)
    (user_folders / "cache").mkdir()
    (user_folders / "cache" / "trimaps").write_text("")
    layer = scene_viewer.layers["trimap"]
    edit(layer)
    qtbot.waitUntil(lambda: len(notifications) == 1)
    assert "choose another cache folder" in notifications[0]
    layer.data_setitem((np.array([7]), np.array([8])), 1)
    qtbot.wait(1500)
    assert len(notifications) == 1


def test_labels_that_the_matting_widget_uses_as_a_trimap_are_saved_too(
    scene_viewer: Any, open_widget: Open, qtbot: Any, user_folders: Path
) -> None:
    scene_viewer.layers.remove("trimap")
    photo = scene_viewer.layers["photo"]
    widget = MattingWidget(scene_viewer)
    scene_viewer.window.add_dock_widget(widget)
    labels = scene_viewer.add_labels(np.zeros((48, 64), np.uint8), name="mine", **calibration(photo))
    settle(qtbot, widget)
    edit(labels)
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 1)


def test_proposals_in_labels_that_the_stack_widget_uses_are_saved_and_come_back(
    make_napari_viewer_proxy: Any, open_widget: Open, qtbot: Any, user_folders: Path
) -> None:
    stacks = np.random.default_rng(0).integers(0, 255, (2, 5, 32, 40), np.uint8)
    first, second = make_napari_viewer_proxy(), make_napari_viewer_proxy()
    first.add_image(stacks[0], name="stack")
    labels = first.add_labels(np.zeros(stacks[0].shape, np.uint8), name="mine")
    labels.data[[0, 4]] = 2
    labels.data[[0, 4], 8:24, 8:24] = 0
    labels.data[[0, 4], 12:20, 12:20] = 1
    widget = StackWidget(first)
    first.window.add_dock_widget(widget)
    chosen = widget.image.layer
    first.add_image(stacks[1], name="topmost")  # of the same shape, so that the labels could be this image's
    widget.image.value = chosen
    qtbot.waitUntil(lambda: widget.proposing.run_button.isEnabled())
    widget.proposing.run_button.click()
    qtbot.waitUntil(lambda: not widget.busy)
    assert labels.data[2].any()
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 1)
    second.add_image(stacks[0].copy(), name="stack")
    open_widget(second).offer.restore_button.click()
    qtbot.waitUntil(lambda: "trimap" in second.layers)
    np.testing.assert_array_equal(second.layers["trimap"].data, labels.data)


@pytest.mark.parametrize("axes", [("c", "y", "x"), ("z", "c", "y", "x")])
def test_a_trimap_on_all_channels_is_saved_and_comes_back_as_it_was(
    axes: tuple[str, ...], make_napari_viewer_proxy: Any, open_widget: Open, qtbot: Any, user_folders: Path
) -> None:
    shape = (3, 2, 20, 30)[-len(axes) :]
    data = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    first, second = make_napari_viewer_proxy(), make_napari_viewer_proxy()
    first.add_image(data, name="cells", axis_labels=axes, scale=(2.0,) * len(axes))
    widget = open_widget(first)
    widget.new_button.click()
    layer = first.layers["trimap"]
    assert layer.data.size == data.size // 2
    layer.data_setitem(tuple(np.array([step - 1]) for step in layer.data.shape), 2)
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 1)
    second.add_image(data.copy(), name="cells", axis_labels=axes, scale=(2.0,) * len(axes))
    open_widget(second).offer.restore_button.click()
    qtbot.waitUntil(lambda: "trimap" in second.layers)
    restored = second.layers["trimap"]
    np.testing.assert_array_equal(restored.data, layer.data)
    np.testing.assert_array_equal(restored.extent.world, layer.extent.world)
