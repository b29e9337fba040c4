"""Trimaps saved for the case of a crash."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lsa_engine.progress import CancelToken
from napari_lsa_matting.autosave import Sought
from napari_lsa_matting.trimap_widget import TrimapWidget

Open = Callable[[Any], TrimapWidget]


@pytest.fixture
def open_widget(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the widget in a viewer; trimaps are saved a second after an edit."""
    from napari_lsa_matting import settings

    monkeypatch.setattr("napari_lsa_matting.autosave.read_settings", lambda: settings.Settings(autosave=1))

    def open_in(viewer: Any) -> TrimapWidget:
        widget = TrimapWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Trimap")
        qtbot.wait(100)
        qtbot.waitUntil(lambda: not widget.busy)
        return widget

    return open_in


def saved(folder: Path) -> list[Path]:
    # A file that is being written has a name with a dot in front.
    return sorted((folder / "cache" / "trimaps").glob("[!.]*.png"))


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
    (path,) = saved(user_folders)
    with Image.open(path) as picture:
        assert picture.mode == "L"
        assert picture.getpixel((0, 0)) == 255
        assert picture.getpixel((5, 0)) == 0
    assert path.stat().st_size < 2000

    # The program dies; the image is opened again.
    viewer = make_napari_viewer_proxy()
    photo = scene_viewer.layers["photo"]
    viewer.add_image(photo.data.copy(), name="photo", rgb=True, scale=photo.scale, units=photo.units)
    again = open_widget(viewer)
    assert not again.offer.isHidden()
    assert again.offer_text.text().startswith("An earlier session has left a trimap")
    again.restore_button.click()
    qtbot.waitUntil(lambda: "trimap" in viewer.layers)
    np.testing.assert_array_equal(viewer.layers["trimap"].data, layer.data)
    np.testing.assert_array_equal(viewer.layers["trimap"].scale, photo.scale)
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
    layer.undo()

    def corner() -> int:
        with Image.open(saved(user_folders)[0]) as picture:
            return int(picture.getpixel((0, 0)))  # type: ignore[arg-type]

    qtbot.waitUntil(lambda: corner() == 0)


def test_another_image_of_that_name_and_shape_is_offered_nothing(
    scene_viewer: Any, make_napari_viewer_proxy: Any, open_widget: Open, qtbot: Any, user_folders: Path
) -> None:
    open_widget(scene_viewer)
    edit(scene_viewer.layers["trimap"])
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 1)
    viewer = make_napari_viewer_proxy()
    other = scene_viewer.layers["photo"].data.copy()
    other[0, 0] += 1
    viewer.add_image(other, name="photo", rgb=True)
    assert open_widget(viewer).offer.isHidden()


def test_a_discarded_trimap_is_gone(
    scene_viewer: Any, make_napari_viewer_proxy: Any, open_widget: Open, qtbot: Any, user_folders: Path
) -> None:
    open_widget(scene_viewer)
    edit(scene_viewer.layers["trimap"])
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 1)
    viewer = make_napari_viewer_proxy()
    viewer.add_image(scene_viewer.layers["photo"].data.copy(), name="photo", rgb=True)
    widget = open_widget(viewer)
    widget.discard_button.click()
    assert saved(user_folders) == []
    assert widget.offer.isHidden()


def test_a_trimap_from_a_newer_file_is_not_put_in_question(
    scene_viewer: Any, make_napari_viewer_proxy: Any, open_widget: Open, qtbot: Any, user_folders: Path, tmp_path: Path
) -> None:
    open_widget(scene_viewer)
    edit(scene_viewer.layers["trimap"])
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 1)
    os.utime(saved(user_folders)[0], (time.time() - 60,) * 2)
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
    qtbot.wait(300)
    layer = first.layers["trimap"]
    layer.data_setitem((np.array([2]), np.array([5]), np.array([6])), 2)
    qtbot.waitUntil(lambda: len(saved(user_folders)) == 1)
    second = make_napari_viewer_proxy()
    second.add_image(stack.copy(), name="stack")
    open_widget(second).restore_button.click()
    qtbot.waitUntil(lambda: "trimap" in second.layers)
    np.testing.assert_array_equal(second.layers["trimap"].data, layer.data)


def test_files_of_last_month_are_forgotten(tmp_path: Path) -> None:
    old, new = tmp_path / "old.png", tmp_path / "new.png"
    for path in (old, new):
        path.write_bytes(b"")
    os.utime(old, (time.time() - 40 * 86400,) * 2)
    path = Sought(np.zeros((4, 5)), "image", tmp_path).run(lambda _: None, CancelToken())
    assert path.parent == tmp_path
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("shape", [(40, 50), (2000, 30), (40, 50, 3), (7, 40, 50), (30, 2, 40, 50, 4)])
def test_images_are_told_apart_by_what_is_in_them(shape: tuple[int, ...], tmp_path: Path) -> None:
    def place(data: Any, name: str = "image") -> Path:
        return Sought(data, name, tmp_path).run(lambda _: None, CancelToken())

    data = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    assert place(data) == place(data.copy())
    assert place(data) != place(data, "other")
    assert place(data) != place(255 - data)
    assert place(data) != place(data.astype(np.uint16))
