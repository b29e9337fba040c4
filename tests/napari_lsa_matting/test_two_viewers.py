"""Two viewers in one program: neither takes part in what the other one does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
from napari_lsa_matting.trimap_layer import trimap_settings
from widgets import settle


@pytest.fixture
def two_viewers(make_napari_viewer_proxy: Callable[..., Any], scene: Any) -> list[Any]:
    """Two viewers with a scene each, one mirrored; the window of the second one is the active one."""
    viewers = []
    for flipped in (False, True):
        viewer = make_napari_viewer_proxy()
        image, trimap = (array[:, ::-1].copy() if flipped else array for array in (scene.image, scene.trimap))
        viewer.add_image(image, name="photo", rgb=True)
        viewer.add_labels(lsa.Trimap(trimap).to_labels(), **trimap_settings())
        viewers.append(viewer)
    return viewers


def alpha_of(viewer: Any, weights: str) -> Any:
    photo, trimap = viewer.layers["photo"].data, lsa.Trimap.from_labels(viewer.layers["trimap"].data)
    return lsa.matte(photo, trimap, weights=weights, device="cpu").alpha


def test_two_viewers_matte_at_once_and_each_gets_its_own_alpha(
    two_viewers: list[Any], open_widget: Any, qtbot: Any, random_weights: str
) -> None:
    widgets = [open_widget(viewer) for viewer in two_viewers]
    for widget in widgets:
        settle(qtbot, widget)
    for widget in widgets:
        widget.controls.run_button.click()
    assert all(widget.controls.busy for widget in widgets)
    qtbot.waitUntil(lambda: not any(widget.controls.busy for widget in widgets))
    for viewer in two_viewers:
        assert [layer.name for layer in viewer.layers] == ["photo", "alpha", "trimap"]
        np.testing.assert_allclose(viewer.layers["alpha"].data, alpha_of(viewer, random_weights), atol=1e-4)


def test_live_mode_in_two_viewers_answers_each_stroke_where_it_was_painted(
    two_viewers: list[Any], open_widget: Any, qtbot: Any
) -> None:
    widgets = [open_widget(viewer) for viewer in two_viewers]
    for widget in widgets:
        settle(qtbot, widget)

    def answered() -> bool:
        return not any(widget.live.busy for widget in widgets)

    for widget in widgets:
        widget.live_box.value = True
    qtbot.waitUntil(answered)
    # Both are foreground in both trimaps, and become background in one each.
    spots = [(23, 30), (24, 33)]
    for viewer, spot in zip(two_viewers, spots, strict=True):
        viewer.layers["trimap"].data_setitem(tuple(np.array([place]) for place in spot), 2)
    qtbot.waitUntil(answered)
    alphas = [[viewer.layers["alpha"].data[spot] for spot in spots] for viewer in two_viewers]
    assert alphas == [[0, 1], [1, 0]]
    widgets[0].live_box.value = False
    assert widgets[1].live.on


@pytest.mark.parametrize("closed", [0, 1])
def test_closing_one_viewer_leaves_the_run_of_the_other_one_alone(
    two_viewers: list[Any], open_widget: Any, qtbot: Any, brake: Any, notifications: list[str], closed: int
) -> None:
    widgets = [open_widget(viewer) for viewer in two_viewers]
    for widget in widgets:
        settle(qtbot, widget)
    for widget in widgets:
        widget.controls.run_button.click()
    qtbot.waitUntil(brake.begun.is_set)
    two_viewers[closed].close()
    qtbot.wait(200)
    other = widgets[1 - closed]
    assert other.controls.busy
    brake.go_on.set()
    qtbot.waitUntil(lambda: not other.controls.busy)
    assert "alpha" in two_viewers[1 - closed].layers, other.controls.outcome.text()
    assert notifications == []
