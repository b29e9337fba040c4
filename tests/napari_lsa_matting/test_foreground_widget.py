"""The Foreground widget."""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import unwrap
from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.layers import METADATA_KEY, fingerprint, with_provenance
from widgets import run, settle


@pytest.fixture
def open_widget(qtbot: Any) -> Callable[[Any], ForegroundWidget]:
    def open_in(viewer: Any) -> ForegroundWidget:
        widget = ForegroundWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Foreground")
        return widget

    return open_in


@pytest.fixture
def matted_viewer(scene_viewer: Any, scene: Any) -> Any:
    """The viewer with the scene's true alpha, as the Matting widget would add it."""
    photo = scene_viewer.layers["photo"]
    place = {name: getattr(photo, name) for name in ("scale", "translate", "units", "axis_labels")}
    scene_viewer.add_image(scene.alpha.copy(), name="alpha", metadata=with_provenance({}, kind="alpha"), **place)
    return scene_viewer


def test_a_cut_out_has_the_engine_s_colours_and_the_alpha(
    matted_viewer: Any, open_widget: Any, qtbot: Any, scene: Any, saved_to: Any, copied: Any, execute: Any
) -> None:
    widget = open_widget(matted_viewer)
    assert not widget.code.button.isEnabled()
    run(qtbot, widget)
    photo, layer = matted_viewer.layers["photo"], matted_viewer.layers["cut-out"]
    foreground, _ = lsa.estimate_foreground(photo.data, scene.alpha)
    np.testing.assert_allclose(layer.data, lsa.cutout(foreground, scene.alpha), atol=1e-4)
    assert layer.rgb
    assert layer.blending == "translucent_no_depth"
    assert layer.units == photo.units
    np.testing.assert_array_equal(layer.translate, photo.translate)
    record = layer.metadata[METADATA_KEY]
    assert (record["kind"], record["image"], record["alpha"], record["method"]) == (
        *("cut-out", "photo", "alpha"),
        "lsa",
    )
    assert record["alpha_sha256"] == fingerprint(scene.alpha) and "lsa_engine" in record["versions"]
    np.testing.assert_allclose(execute(copied(widget.code))["cutout"], layer.data, atol=1e-5)


def test_the_cut_out_can_be_seen_and_what_covers_it_is_hidden(matted_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(matted_viewer)
    widget.make_foreground.value = True
    run(qtbot, widget)
    visible = {layer.name for layer in matted_viewer.layers if layer.visible}
    assert visible == {"cut-out"}
    assert matted_viewer.layers[-1].name == "cut-out"
    assert widget.controls.outcome.text().startswith("Made: cut-out, foreground.")
    # What the user shows again stays shown after a second run.
    matted_viewer.layers["photo"].visible = True
    run(qtbot, widget)
    assert matted_viewer.layers["photo"].visible
    assert len(matted_viewer.layers) == 5


def test_closed_form_and_background_can_be_chosen(matted_viewer: Any, open_widget: Any, qtbot: Any, scene: Any) -> None:
    widget = open_widget(matted_viewer)
    widget.method.value = "closed-form"
    widget.make_cutout.value, widget.make_background.value = False, True
    run(qtbot, widget)
    assert "cut-out" not in matted_viewer.layers
    _, background = lsa.estimate_foreground(matted_viewer.layers["photo"].data, scene.alpha, method="closed-form")
    np.testing.assert_allclose(matted_viewer.layers["background"].data, background, atol=1e-4)


def test_what_is_missing_is_said_before_the_run(scene_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(scene_viewer)
    assert widget.controls.reason.text().startswith("There is no alpha")
    scene_viewer.add_image(np.zeros((20, 30)), name="alpha")
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("'photo' is 48 × 64 and 'alpha' 20 × 30 pixels")
    scene_viewer.layers.remove("alpha")
    scene_viewer.layers.clear()
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("There is no image layer")


@pytest.mark.parametrize("place", [{"scale": (1, 1)}, {"translate": (10, 30)}])
def test_an_alpha_that_lies_elsewhere_is_said_before_the_run(
    matted_viewer: Any, open_widget: Any, qtbot: Any, place: dict[str, Any]
) -> None:
    widget = open_widget(matted_viewer)
    settle(qtbot, widget)
    assert widget.controls.run_button.isEnabled()
    for name, value in place.items():
        setattr(matted_viewer.layers["alpha"], name, value)
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("'alpha' has another scale or position than 'photo'")


@pytest.mark.parametrize("name", ["photo", "alpha"])
@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_layers_that_go_during_the_run_drop_its_colours(
    matted_viewer: Any, open_widget: Any, qtbot: Any, notifications: list[str], name: str, change: str
) -> None:
    widget = open_widget(matted_viewer)
    settle(qtbot, widget)
    widget.controls.run_button.click()
    layer = matted_viewer.layers[name]
    if change == "removed":
        matted_viewer.layers.remove(name)
    else:
        layer.data = layer.data[::-1].copy()
    left = [layer.name for layer in matted_viewer.layers]
    qtbot.waitUntil(lambda: not widget.controls.busy)
    assert widget.controls.outcome.text() == (
        f"{name!r} was removed or replaced meanwhile, so its colours were dropped: run once more."
    )
    assert [layer.name for layer in matted_viewer.layers] == left
    assert all(layer.visible for layer in matted_viewer.layers)
    assert notifications == []


def test_layers_renamed_and_a_viewer_in_3d_do_not_lose_the_colours_of_a_run_under_way(
    matted_viewer: Any, open_widget: Any, qtbot: Any
) -> None:
    widget = open_widget(matted_viewer)
    settle(qtbot, widget)
    widget.controls.run_button.click()
    matted_viewer.layers["photo"].name = "bird"
    matted_viewer.dims.ndisplay = 3
    qtbot.waitUntil(lambda: not widget.controls.busy)
    assert matted_viewer.layers["cut-out"].data.shape == (48, 64, 4)
    settle(qtbot, widget)
    assert not widget.controls.run_button.isEnabled()
    assert "switch it back to two dimensions" in widget.controls.reason.text()


def test_cancel_leaves_the_layers_as_they_were(matted_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(matted_viewer)
    settle(qtbot, widget)
    widget.controls.run_button.click()
    widget.controls.cancel_button.click()
    qtbot.waitUntil(lambda: not widget.controls.busy)
    assert widget.controls.outcome.text() == "Cancelled; the layers are as they were."
    assert [layer.name for layer in matted_viewer.layers] == ["photo", "trimap", "alpha"]


def test_at_least_one_result_must_be_chosen(matted_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(matted_viewer)
    widget.make_cutout.value = False
    settle(qtbot, widget)
    assert widget.controls.reason.text() == "No result is chosen: tick at least one."


def test_the_alpha_that_a_run_made_is_preferred_and_a_gray_image_can_be_chosen(
    matted_viewer: Any, open_widget: Any
) -> None:
    gray = unwrap(matted_viewer.add_image(np.zeros((48, 64)), name="gray"))
    widget = open_widget(matted_viewer)
    assert widget.alpha.layer is unwrap(matted_viewer.layers["alpha"])
    assert gray in widget.alpha.choices


def test_an_image_is_not_its_own_alpha(make_napari_viewer_proxy: Any, open_widget: Any) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.zeros((48, 64)), name="gray")
    widget = open_widget(viewer)
    assert widget.controls.reason.text() == "'gray' is chosen as image and as alpha: choose its matte as alpha."


def refining(widget: ForegroundWidget) -> ForegroundWidget:
    widget.task.value = "refine"
    return widget


def test_a_foreground_is_refined_as_the_engine_does_and_its_costs_are_told(
    matted_viewer: Any, open_widget: Any, qtbot: Any, scene: Any
) -> None:
    widget = refining(open_widget(matted_viewer))
    widget.kappa.value = 0.5
    run(qtbot, widget)
    photo, layer = matted_viewer.layers["photo"], matted_viewer.layers["refined foreground"]
    given = photo.data / np.float32(255)
    np.testing.assert_allclose(layer.data, lsa.refine_foreground(given, scene.alpha, kappa=0.5), atol=1e-4)
    record = layer.metadata[METADATA_KEY]
    assert (record["method"], record["kappa"]) == ("multigrid", 0.5)
    said = widget.controls.outcome.text()
    before = lsa.energy(given, given, scene.alpha, 0.5)
    assert f"Cost {before:.4g} before" in said
    assert "above the least there is" in said


def test_algorithm_2_can_be_chosen(matted_viewer: Any, open_widget: Any, qtbot: Any, scene: Any) -> None:
    widget = refining(open_widget(matted_viewer))
    widget.method.value = "paper"
    run(qtbot, widget)
    given = matted_viewer.layers["photo"].data / np.float32(255)
    expected = lsa.refine_foreground(given, scene.alpha, method="paper")
    np.testing.assert_allclose(matted_viewer.layers["refined foreground"].data, expected, atol=1e-4)


def test_each_task_shows_its_own_controls(matted_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(matted_viewer)
    boxes = (widget.make_cutout, widget.make_foreground, widget.make_background)
    assert not any(box.native.isHidden() for box in boxes)
    assert widget.kappa.native.isHidden()
    refining(widget)
    assert not widget.kappa.native.isHidden()
    assert all(box.native.isHidden() for box in boxes)
    widget.make_cutout.value = False
    settle(qtbot, widget)
    assert widget.controls.run_button.isEnabled()  # what is cut out does not matter here
    widget.task.value = "estimate"
    assert widget.method.value == "lsa"
    assert widget.kappa.native.isHidden()


@pytest.mark.parametrize("task", ["estimate", "refine", "folder"])
def test_the_device_is_said_whatever_the_task(matted_viewer: Any, open_widget: Any, task: str) -> None:
    widget = open_widget(matted_viewer)
    widget.task.value = task
    assert widget.device_line.text() == "Computes on the processor (cpu)."
    assert not widget.device_line.isHidden()


def test_the_profile_is_shown_after_a_run_and_fits_the_dock(matted_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = refining(open_widget(matted_viewer))
    assert widget.profile.isHidden()
    run(qtbot, widget)
    assert not widget.profile.isHidden()
    widget.window().show()  # what is hidden is not laid out
    picture = widget.profile.pixmap()
    proportion = pytest.approx(picture.height() / picture.width(), abs=0.02)
    qtbot.waitUntil(lambda: widget.profile.height() / widget.profile.width() == proportion)


def test_the_figure_is_saved(matted_viewer: Any, open_widget: Any, qtbot: Any, tmp_path: Any) -> None:
    widget = refining(open_widget(matted_viewer))
    assert widget.figure_button.isHidden()
    run(qtbot, widget)
    assert not widget.figure_button.isHidden()
    widget.save_figure(tmp_path / "figure.png")
    qtbot.waitUntil(lambda: not widget.controls.busy)
    assert widget.controls.outcome.text() == f"Saved {tmp_path / 'figure.png'}."
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_where_no_plot_can_be_drawn_it_is_said_why(
    matted_viewer: Any, open_widget: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = open_widget(matted_viewer)
    with monkeypatch.context() as patch:
        for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
            patch.setitem(sys.modules, name, None)  # importing it fails, as if it were not installed
        run(qtbot, widget)
    assert "cut-out" in matted_viewer.layers
    assert widget.no_profile.text() == (
        "Drawing needs matplotlib, which is not installed: pip install 'napari-lsa-matting[plots]'."
    )
    assert not widget.no_profile.isHidden()
    assert widget.profile.isHidden() and widget.figure_button.isHidden()
    run(qtbot, widget)
    assert widget.no_profile.isHidden()
    assert not widget.profile.isHidden()
