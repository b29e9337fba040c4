"""What is seen of a matte: before and after refinement, maps over it, a preview."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import Any

import numpy as np
import pytest
from qtpy.QtGui import QColor

import lsa_engine as lsa
from lsa_engine.compositing import checkerboard
from napari_lsa_matting.layers import METADATA_KEY
from napari_lsa_matting.matting_widget import MattingWidget
from widgets import run


@pytest.fixture
def run_with(scene_viewer: Any, open_widget: Any, qtbot: Any) -> Callable[..., MattingWidget]:
    """Open a widget, and run it with some settings as often as wanted."""
    widget = open_widget(scene_viewer)

    def run_settings(**settings: Any) -> MattingWidget:
        for name, value in settings.items():
            getattr(widget.options, name).value = value
        run(qtbot, widget)
        return widget

    return run_settings


def wait_for_preview(qtbot: Any, widget: MattingWidget) -> None:
    qtbot.waitUntil(lambda: not widget.view.busy)


def test_the_slider_blends_the_matte_before_refinement_over_the_one_after(
    scene_viewer: Any, run_with: Any, scene: Any, random_weights: str
) -> None:
    widget = run_with(refinement="fast", iterations=3)
    assert widget.view.slider.isEnabled()
    alpha = scene_viewer.layers["alpha"]
    after = alpha.data.copy()
    widget.view.slider.setValue(25)
    before = scene_viewer.layers["alpha before refinement"]
    photo = scene_viewer.layers["photo"].data
    expected = lsa.matte(photo, scene.trimap, weights=random_weights, device="cpu")
    np.testing.assert_allclose(before.data, expected.alpha, atol=1e-4)
    assert before.visible
    assert before.opacity == pytest.approx(0.75)
    names = [layer.name for layer in scene_viewer.layers]
    assert names.index("alpha before refinement") == names.index("alpha") + 1
    # The alpha itself, which may be measured or saved meanwhile, is not touched.
    np.testing.assert_array_equal(alpha.data, after)
    widget.view.slider.setValue(100)
    assert not before.visible


def test_moving_the_slider_copies_no_pixels(scene_viewer: Any, run_with: Any) -> None:
    widget = run_with(refinement="fast", iterations=2)
    widget.view.slider.setValue(50)
    before = scene_viewer.layers["alpha before refinement"]
    pixels = before.data
    for value in range(0, 100, 9):
        widget.view.slider.setValue(value)
    assert scene_viewer.layers["alpha before refinement"].data is pixels


def test_without_refinement_there_is_nothing_to_compare(scene_viewer: Any, run_with: Any) -> None:
    widget = run_with()
    assert not widget.view.slider.isEnabled()
    assert "not refined" in widget.view.slider.toolTip()


def test_maps_lie_on_the_image_and_follow_later_runs(scene_viewer: Any, run_with: Any, qtbot: Any) -> None:
    widget = run_with(tta=8)
    violation, uncertainty = widget.view.boxes["violation"], widget.view.boxes["uncertainty"]
    assert len(scene_viewer.layers) == 3  # nobody has asked for them yet
    violation.value = uncertainty.value = True
    photo = scene_viewer.layers["photo"]
    first = {}
    for name in ("violation", "uncertainty"):
        layer = unwrap(scene_viewer.layers[name])
        first[name] = (layer, layer.data)
        assert layer.data.shape == photo.data.shape[:2]
        assert layer.data.max() > 0
        assert layer.colormap.name.startswith(name)
        assert layer.colormap.map(np.zeros(1))[0, 3] == 0
        np.testing.assert_array_equal(layer.translate, photo.translate)
        assert (layer.units, layer.metadata[METADATA_KEY]["kind"]) == (photo.units, name)
    trimap = scene_viewer.layers["trimap"]
    trimap.data_setitem(np.nonzero(trimap.data[:8] == 2), 0)
    run_with()
    for name in first:
        layer, before = first[name]
        assert layer is unwrap(scene_viewer.layers[name])
        assert not np.array_equal(layer.data, before)
    assert len(scene_viewer.layers) == 5


def test_an_uncertainty_that_the_last_run_has_not_is_not_shown(scene_viewer: Any, run_with: Any) -> None:
    widget = run_with(tta=8)
    widget.view.boxes["uncertainty"].value = True
    assert scene_viewer.layers["uncertainty"].visible
    run_with(tta=0)
    assert not scene_viewer.layers["uncertainty"].visible
    assert not widget.view.boxes["uncertainty"].enabled
    assert "average over copies" in widget.view.boxes["uncertainty"].tooltip
    assert widget.view.boxes["violation"].enabled


def test_boxes_follow_the_eyes_in_the_layer_list(scene_viewer: Any, run_with: Any, qtbot: Any) -> None:
    widget = run_with(tta=8)
    box = widget.view.boxes["violation"]
    box.value = True
    scene_viewer.layers["violation"].visible = False
    assert not box.value
    box.value = True
    assert scene_viewer.layers["violation"].visible
    scene_viewer.layers.remove("violation")
    qtbot.waitUntil(lambda: not box.value)
    box.value = True
    assert "violation" in scene_viewer.layers


def test_a_preview_lies_over_a_colour_a_checkerboard_or_a_layer(
    scene_viewer: Any, run_with: Any, qtbot: Any, rng: np.random.Generator
) -> None:
    photo = scene_viewer.layers["photo"]
    other = rng.integers(0, 256, photo.data.shape, np.uint8)
    scene_viewer.add_image(other, name="sky", rgb=True, scale=photo.scale, translate=photo.translate, units=photo.units)
    widget = run_with(method="closed-form")
    alpha = scene_viewer.layers["alpha"].data
    foreground, _ = lsa.estimate_foreground(photo.data, alpha)
    widget.view.colour = QColor(255, 0, 51)
    widget.view.behind.value = next(layer for layer in widget.view.behind.choices if layer.name == "sky")
    backgrounds = {
        "colour": np.float32([1, 0, 0.2]),
        "checkerboard": checkerboard(alpha.shape, 1),
        "layer": other,
    }
    for kind, background in backgrounds.items():
        widget.view.preview.value = kind
        wait_for_preview(qtbot, widget)
        preview = scene_viewer.layers["preview"]
        np.testing.assert_allclose(preview.data / 255, lsa.composite(foreground, background, alpha), atol=0.003)
        assert preview.visible
        assert scene_viewer.layers[-1].name == "preview"
    widget.view.preview.value = "off"
    assert not scene_viewer.layers["preview"].visible


def test_the_preview_follows_later_runs_in_place(scene_viewer: Any, run_with: Any, qtbot: Any) -> None:
    widget = run_with()
    widget.view.use_colour(QColor(0, 0, 255))
    widget.view.preview.value = "colour"
    wait_for_preview(qtbot, widget)
    preview = unwrap(scene_viewer.layers["preview"])
    trimap = scene_viewer.layers["trimap"]
    trimap.data_setitem((np.full(20, 24), np.arange(20)), 2)
    run_with()
    assert unwrap(scene_viewer.layers["preview"]) is preview
    np.testing.assert_array_equal(preview.data[24, :20], np.tile(np.uint8([0, 0, 255]), (20, 1)))


def test_a_layer_of_another_size_cannot_lie_behind(scene_viewer: Any, run_with: Any, qtbot: Any) -> None:
    scene_viewer.add_image(np.zeros((5, 6, 3), np.uint8), name="stamp", rgb=True)
    widget = run_with()
    widget.view.behind.value = next(layer for layer in widget.view.behind.choices if layer.name == "stamp")
    widget.view.preview.value = "layer"
    wait_for_preview(qtbot, widget)
    assert "must have the same size" in widget.view.status.text()
    assert "preview" not in scene_viewer.layers


def test_a_preview_before_any_run_says_what_to_do(scene_viewer: Any, qtbot: Any) -> None:
    widget = MattingWidget(scene_viewer)
    scene_viewer.window.add_dock_widget(widget, name="Matting")
    widget.view.preview.value = "checkerboard"
    assert widget.view.status.text() == "There is no matte to preview yet: run first."


def test_a_map_has_a_legend_while_it_is_seen(scene_viewer: Any, run_with: Any, qtbot: Any) -> None:
    widget = run_with()
    legend, box = widget.view.legends["violation"], widget.view.boxes["violation"]
    assert legend.isHidden()
    box.value = True
    assert not legend.isHidden()
    assert legend.ends == ("0", "0.5 or more")
    assert widget.view.legends["uncertainty"].isHidden()
    scene_viewer.layers["violation"].contrast_limits = (0.1, 0.3)
    assert legend.ends == ("0.1", "0.3 or more")
    scene_viewer.layers["violation"].visible = False
    assert legend.isHidden()


def test_a_map_that_another_widget_has_made_is_followed(
    scene_viewer: Any, run_with: Any, open_widget: Any, qtbot: Any
) -> None:
    first = run_with()
    first.view.boxes["violation"].value = True
    scene_viewer.window.remove_dock_widget(first)
    second = open_widget(scene_viewer)
    run(qtbot, second)
    box, legend = second.view.boxes["violation"], second.view.legends["violation"]
    assert box.value
    scene_viewer.layers["violation"].contrast_limits = (0.1, 0.3)
    assert legend.ends == ("0.1", "0.3 or more")
    scene_viewer.layers["violation"].visible = False
    assert not box.value
    assert legend.isHidden()
