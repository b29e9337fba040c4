"""What goes wrong around a run of the Matting widget, and what it says and leaves behind then."""

from __future__ import annotations

from inspect import unwrap
from typing import Any

import numpy as np

import lsa_engine as lsa
from napari_lsa_matting.layers import METADATA_KEY
from napari_lsa_matting.matting_widget import MattingWidget
from widgets import run, settle


def finish(qtbot: Any, widget: MattingWidget) -> None:
    qtbot.waitUntil(lambda: not widget.controls.busy)


def test_what_does_not_fit_is_said_before_the_run(scene_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(scene_viewer)
    settle(qtbot, widget)
    assert widget.controls.run_button.isEnabled()
    trimap = scene_viewer.layers["trimap"]
    trimap.data_setitem(np.nonzero(trimap.data == 2), 0)
    settle(qtbot, widget)
    assert not widget.controls.run_button.isEnabled()
    assert widget.controls.reason.text().startswith("No background yet")
    trimap.undo()
    trimap.scale = (3, 3)
    settle(qtbot, widget)
    assert "another scale or position" in widget.controls.reason.text()
    scene_viewer.layers.remove("trimap")
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("There is no trimap")
    scene_viewer.layers.clear()
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("There is no image layer")


def test_layers_of_other_types_are_not_offered_and_do_not_stand_in_for_what_is_missing(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_points(np.zeros((2, 2)))
    viewer.add_shapes(np.array([[0, 0], [0, 9], [9, 9]]), shape_type="polygon")
    widget = open_widget(viewer)
    settle(qtbot, widget)
    assert not widget.controls.run_button.isEnabled()
    assert widget.controls.reason.text().startswith("There is no image layer")
    viewer.add_image(np.zeros((8, 8)), name="photo")
    settle(qtbot, widget)
    assert not widget.controls.run_button.isEnabled()
    assert widget.controls.reason.text().startswith("There is no trimap")
    assert (len(widget.image.choices), widget.trimap.layer) == (1, None)


def test_cancel_leaves_the_layers_as_they_were(scene_viewer: Any, open_widget: Any, qtbot: Any, brake: Any) -> None:
    widget = open_widget(scene_viewer)
    brake.go_on.set()
    run(qtbot, widget)
    brake.go_on.clear()
    brake.begun.clear()
    alpha = scene_viewer.layers["alpha"]
    before, record = alpha.data, alpha.metadata
    trimap = scene_viewer.layers["trimap"]
    trimap.data_setitem((np.array([24]), np.array([14])), 1)
    settle(qtbot, widget)
    widget.controls.run_button.click()
    qtbot.waitUntil(brake.begun.is_set)
    widget.controls.cancel_button.click()
    finish(qtbot, widget)
    assert not brake.go_on.is_set()
    assert widget.controls.outcome.text() == "Cancelled; the layers are as they were."
    assert [layer.name for layer in scene_viewer.layers] == ["photo", "alpha", "trimap"]
    assert alpha.data is before
    assert alpha.metadata == record


def test_an_image_removed_during_the_run_drops_the_matte(
    scene_viewer: Any, open_widget: Any, qtbot: Any, brake: Any
) -> None:
    widget = open_widget(scene_viewer)
    settle(qtbot, widget)
    widget.controls.run_button.click()
    scene_viewer.layers.remove("photo")
    brake.go_on.set()
    finish(qtbot, widget)
    assert [layer.name for layer in scene_viewer.layers] == ["trimap"]
    assert widget.controls.outcome.text().startswith("The image was removed or replaced meanwhile")


def test_an_image_replaced_during_the_run_drops_the_matte(
    scene_viewer: Any, open_widget: Any, qtbot: Any, brake: Any
) -> None:
    widget = open_widget(scene_viewer)
    settle(qtbot, widget)
    widget.controls.run_button.click()
    photo = scene_viewer.layers["photo"]
    photo.data = photo.data[::-1].copy()
    brake.go_on.set()
    finish(qtbot, widget)
    assert "alpha" not in scene_viewer.layers
    assert widget.controls.outcome.text().startswith("The image was removed or replaced meanwhile")


def test_an_image_drawn_on_during_the_run_drops_the_matte(
    scene_viewer: Any, open_widget: Any, qtbot: Any, brake: Any, notifications: list[str]
) -> None:
    widget = open_widget(scene_viewer)
    settle(qtbot, widget)
    widget.controls.run_button.click()
    qtbot.waitUntil(brake.begun.is_set)
    photo = scene_viewer.layers["photo"]
    photo.data[3:5, 3:5] = 0
    photo.refresh()
    brake.go_on.set()
    finish(qtbot, widget)
    assert "alpha" not in scene_viewer.layers
    assert "were changed while it was matted, so its matte was dropped" in widget.controls.outcome.text()
    assert len(notifications) == 1


def test_layers_renamed_during_the_run_get_their_alpha(
    scene_viewer: Any, open_widget: Any, qtbot: Any, brake: Any
) -> None:
    widget = open_widget(scene_viewer)
    settle(qtbot, widget)
    widget.controls.run_button.click()
    scene_viewer.layers["photo"].name, scene_viewer.layers["trimap"].name = "bird", "scribbles"
    brake.go_on.set()
    finish(qtbot, widget)
    record = scene_viewer.layers["alpha"].metadata[METADATA_KEY]
    assert (record["image"], record["trimap"]) == ("bird", "scribbles")
    assert (widget.image.layer.name, widget.trimap.layer.name) == ("bird", "scribbles")


def test_a_trimap_or_an_alpha_deleted_during_the_run_does_not_lose_the_matte(
    scene_viewer: Any, open_widget: Any, qtbot: Any, brake: Any
) -> None:
    widget = open_widget(scene_viewer)
    brake.go_on.set()
    run(qtbot, widget)
    brake.go_on.clear()
    first = unwrap(scene_viewer.layers["alpha"])
    settle(qtbot, widget)
    widget.controls.run_button.click()
    scene_viewer.layers.remove("alpha")
    scene_viewer.layers.remove("trimap")
    brake.go_on.set()
    finish(qtbot, widget)
    assert [layer.name for layer in scene_viewer.layers] == ["photo", "alpha"]
    assert unwrap(scene_viewer.layers["alpha"]) is not first
    np.testing.assert_allclose(scene_viewer.layers["alpha"].data, first.data, atol=1e-4)


def test_three_dimensions_are_no_place_to_run_but_a_run_under_way_is_shown(
    scene_viewer: Any, open_widget: Any, qtbot: Any, brake: Any
) -> None:
    widget = open_widget(scene_viewer)
    settle(qtbot, widget)
    widget.controls.run_button.click()
    scene_viewer.dims.ndisplay = 3
    brake.go_on.set()
    finish(qtbot, widget)
    assert scene_viewer.layers["alpha"].data.shape == (48, 64)
    settle(qtbot, widget)
    assert not widget.controls.run_button.isEnabled()
    assert "switch it back to two dimensions" in widget.controls.reason.text()
    assert not widget.live_box.enabled
    scene_viewer.dims.ndisplay = 2
    settle(qtbot, widget)
    assert widget.controls.run_button.isEnabled()


def test_a_trimap_of_another_size_or_place_is_said_before_the_run(
    scene_viewer: Any, open_widget: Any, qtbot: Any
) -> None:
    widget = open_widget(scene_viewer)
    trimap = scene_viewer.layers["trimap"]
    trimap.translate = (10.5, 20)
    settle(qtbot, widget)
    assert not widget.controls.run_button.isEnabled()
    assert "'trimap' has another scale or position than 'photo'" in widget.controls.reason.text()
    trimap.translate = (10, 20)
    trimap.data = trimap.data[:-1].copy()
    settle(qtbot, widget)
    assert not widget.controls.run_button.isEnabled()
    assert "'photo' is 48 × 64 and 'trimap' 47 × 64 pixels" in widget.controls.reason.text()


def test_painting_during_the_run_does_not_change_it(
    scene_viewer: Any, open_widget: Any, qtbot: Any, scene: Any, random_weights: str, brake: Any
) -> None:
    widget = open_widget(scene_viewer)
    photo, trimap = scene_viewer.layers["photo"], scene_viewer.layers["trimap"]
    settle(qtbot, widget)
    widget.controls.run_button.click()
    trimap.data_setitem(np.nonzero(trimap.data == 0), 2)
    brake.go_on.set()
    finish(qtbot, widget)
    expected = lsa.matte(photo.data, scene.trimap, weights=random_weights, device="cpu")
    np.testing.assert_allclose(scene_viewer.layers["alpha"].data, expected.alpha, atol=1e-4)


def test_an_error_of_the_engine_is_its_sentence_in_a_notification(
    scene_viewer: Any, open_widget: Any, qtbot: Any, notifications: list[str]
) -> None:
    widget = open_widget(scene_viewer)
    photo = scene_viewer.layers["photo"]
    broken = photo.data.astype(np.float32) / 255
    broken[3, 4, 1] = np.nan
    photo.data = broken
    run(qtbot, widget)
    assert len(notifications) == 1
    assert "1 NaN and 0 infinite values" in notifications[0]
    assert widget.controls.outcome.text() == notifications[0]
    assert "alpha" not in scene_viewer.layers


def test_closing_the_viewer_ends_the_run(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any, scene: Any, brake: Any, notifications: list[str]
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(scene.image, name="photo")
    viewer.add_labels(lsa.Trimap(scene.trimap).to_labels(), name="trimap")
    widget = open_widget(viewer)
    settle(qtbot, widget)
    widget.controls.run_button.click()
    qtbot.waitUntil(brake.begun.is_set)
    viewer.close()
    qtbot.waitUntil(brake.ended.is_set)
    qtbot.wait(200)
    assert notifications == []


def test_closing_the_dock_ends_the_run(scene_viewer: Any, open_widget: Any, qtbot: Any, brake: Any) -> None:
    widget = open_widget(scene_viewer)
    settle(qtbot, widget)
    widget.controls.run_button.click()
    qtbot.waitUntil(brake.begun.is_set)
    scene_viewer.window.remove_dock_widget(widget)
    del widget
    qtbot.waitUntil(brake.ended.is_set)
    assert "alpha" not in scene_viewer.layers
