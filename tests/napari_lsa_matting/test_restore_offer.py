"""The offer of a trimap that an earlier session has left: it comes back as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_lsa_matting.autosave import autosave_of
from napari_lsa_matting.layers import calibration
from napari_lsa_matting.settings import Settings
from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.trimap_widget import TrimapWidget
from widgets import settle


@pytest.fixture(autouse=True)
def saved_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trimaps are saved a second after an edit."""
    monkeypatch.setattr("napari_lsa_matting.autosave.read_settings", lambda: Settings(autosave=1))


def count_saved(folder: Path) -> int:
    return len(list((folder / "cache" / "trimaps").glob("*/trimap.json")))


def stack_widget(viewer: Any) -> StackWidget:
    widget = StackWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Stack")
    return widget


def restore(qtbot: Any, viewer: Any, widget: Any) -> Any:
    """Press Restore, and return the trimap that comes."""
    qtbot.waitUntil(lambda: not widget.offer.isHidden())
    widget.offer.restore_button.click()
    qtbot.waitUntil(lambda: "trimap" in viewer.layers)
    return viewer.layers["trimap"]


def test_proposals_come_back_as_proposals_and_key_frames_as_key_frames(
    make_napari_viewer_proxy: Any, qtbot: Any, user_folders: Path
) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (5, 32, 40), np.uint8)
    first, second = make_napari_viewer_proxy(), make_napari_viewer_proxy()
    first.add_image(pictures, name="stack")
    labels = np.zeros(pictures.shape, np.uint8)
    labels[[0, 4]] = 2
    labels[[0, 4], 8:24, 8:24] = 0
    labels[[0, 4], 12:20, 12:20] = 1
    trimap = first.add_labels(labels, **trimap_settings())
    widget = stack_widget(first)
    qtbot.waitUntil(lambda: widget.proposing.run_button.isEnabled())
    widget.proposing.run_button.click()
    qtbot.waitUntil(lambda: not widget.busy and "proposals: 1-3" in widget.status.text())
    trimap.data_setitem((np.array([2]), np.array([0]), np.array([0])), 0)  # which makes a key frame of a proposal
    kinds = "Key frames: 0, 2, 4; proposals: 1, 3."
    qtbot.waitUntil(lambda: kinds in widget.status.text())
    qtbot.waitUntil(lambda: count_saved(user_folders) == 1)

    second.add_image(pictures.copy(), name="stack")
    again = stack_widget(second)
    restored = restore(qtbot, second, again)
    np.testing.assert_array_equal(restored.data, trimap.data)
    qtbot.waitUntil(lambda: kinds in again.status.text())
    again.proposing.run_button.click()  # proposals are replaced, and what was painted is not
    qtbot.waitUntil(lambda: not again.busy and again.proposing.outcome.text().startswith("Proposed frames 1, 3"))
    np.testing.assert_array_equal(restored.data[2], trimap.data[2])


def test_a_trimap_of_a_volume_is_saved_for_a_series_of_volumes_and_lies_over_all_of_it_again(
    make_napari_viewer_proxy: Any, qtbot: Any, user_folders: Path
) -> None:
    series = np.random.default_rng(0).integers(0, 255, (2, 3, 20, 30), np.uint8)
    place: dict[str, Any] = {
        "axis_labels": ("t", "z", "y", "x"),
        "scale": (5.0, 2.0, 0.5, 0.5),
        "translate": (10.0, 4.0, 3.0, 2.0),
        "units": ("s", "um", "um", "um"),
    }
    first, second = make_napari_viewer_proxy(), make_napari_viewer_proxy()
    first.add_image(series, name="series", **place)
    of_volume = {name: value[1:] for name, value in place.items()}
    trimap = first.add_labels(np.zeros((3, 20, 30), np.uint8), **trimap_settings(), **of_volume)
    first.window.add_dock_widget(TrimapWidget(first))
    trimap.data_setitem((np.array([1, 2]), np.array([5, 6]), np.array([7, 8])), np.array([1, 2]))
    qtbot.waitUntil(lambda: count_saved(user_folders) == 1)

    second.add_image(series.copy(), name="series", **place)
    widget = TrimapWidget(second)
    second.window.add_dock_widget(widget)
    restored = restore(qtbot, second, widget)
    np.testing.assert_array_equal(restored.data, trimap.data)
    np.testing.assert_array_equal(restored.extent.world, trimap.extent.world)
    assert restored.units == trimap.units
    assert restored.axis_labels == ("z", "y", "x")
    # What is painted from here on is saved again.
    restored.data_setitem((np.array([0]), np.array([0]), np.array([0])), 1)
    index = next((user_folders / "cache" / "trimaps").glob("*/trimap.json"))
    before = index.read_text()
    qtbot.waitUntil(lambda: index.read_text() != before)


def test_a_trimap_belongs_to_an_image_of_its_own_axes_rather_than_to_a_stack_above_it(viewer_model: Any) -> None:
    trimap, photo = viewer_model.layers["trimap"], viewer_model.layers["photo"]
    above = {name: value for name, value in calibration(photo).items() if name in ("scale", "translate")}
    stack = viewer_model.add_image(
        np.zeros((2, *trimap.data.shape)),
        name="stack",
        **{name: (1.0, *value) if name == "scale" else (0.0, *value) for name, value in above.items()},
    )
    autosave = autosave_of(viewer_model)
    assert autosave._image_of(trimap) is photo
    viewer_model.layers.remove(photo)
    assert autosave._image_of(trimap) is stack


def test_a_trimap_does_not_come_back_onto_an_image_that_is_replaced_while_it_is_read(
    scene_viewer: Any, make_napari_viewer_proxy: Any, qtbot: Any, user_folders: Path
) -> None:
    photo = scene_viewer.layers["photo"].data
    scene_viewer.window.add_dock_widget(TrimapWidget(scene_viewer))
    scene_viewer.layers["trimap"].data_setitem((np.array([0]), np.array([0])), 1)
    qtbot.waitUntil(lambda: count_saved(user_folders) == 1)
    viewer = make_napari_viewer_proxy()
    layer = viewer.add_image(photo.copy(), name="photo", rgb=True)
    widget = TrimapWidget(viewer)
    viewer.window.add_dock_widget(widget)
    qtbot.waitUntil(lambda: not widget.offer.isHidden())
    widget.offer.restore_button.click()
    layer.data = 255 - photo
    settle(qtbot, widget)
    assert "trimap" not in viewer.layers
    assert widget.offer.isHidden()
    layer.data = photo.copy()  # the trimap is still there for the image that it was painted on
    restored = restore(qtbot, viewer, widget)
    np.testing.assert_array_equal(restored.data, scene_viewer.layers["trimap"].data)
