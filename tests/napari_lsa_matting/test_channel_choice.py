"""Images with channels in the widgets: what is chosen, what is matted, and where the results lie."""

from __future__ import annotations

from inspect import unwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
from napari_lsa_matting.channels import Channels
from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.layers import METADATA_KEY, with_provenance
from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.training_pairs import TrainingPairs
from napari_lsa_matting.trimap_layer import add_trimap_layer
from widgets import run, settle

_MERGED = {"rgb": "all, in colours", "mean": "mean", 1: "channel 1"}


def stains(scene: Any) -> Any:
    """The scene's colours as three channels (C, H, W)."""
    return np.round(np.moveaxis(scene.image, -1, 0) * 3000 + 500).astype(np.uint16)


@pytest.fixture
def stained_viewer(make_napari_viewer_proxy: Any, scene: Any) -> Any:
    """A viewer with an image (C, Y, X) and a trimap that lies on all channels."""
    viewer = make_napari_viewer_proxy()
    viewer.add_image(
        stains(scene),
        name="cells",
        axis_labels=("c", "y", "x"),
        scale=(1, 0.5, 0.5),
        units=("pixel", "um", "um"),
        contrast_limits=(500, 3500),
    )
    add_trimap_layer(viewer, viewer.layers["cells"], {(0,): lsa.Trimap(scene.trimap).to_labels()})
    return viewer


def choose(qtbot: Any, widget: Any, use: int | str) -> None:
    widget.channels.box.value = Channels(0 if widget.image.layer.ndim == 3 else 1, use)
    settle(qtbot, widget)


@pytest.mark.parametrize("use", list(_MERGED))
def test_a_matte_of_channels_is_plain_stays_and_can_be_repeated(
    stained_viewer: Any,
    open_widget: Any,
    qtbot: Any,
    scene: Any,
    saved_to: Path,
    copied: Any,
    execute: Any,
    use: int | str,
) -> None:
    widget = open_widget(stained_viewer)
    assert widget.channels.box.native.isVisibleTo(widget)
    assert "The 3 channels of 'cells' are read as red, green and blue." in widget.notes.text()
    assert stained_viewer.layers["trimap"].data.shape == scene.trimap.shape
    choose(qtbot, widget, use)
    run(qtbot, widget)
    alpha = stained_viewer.layers["alpha"]
    assert alpha.data.shape == scene.trimap.shape
    assert alpha.metadata[METADATA_KEY]["channels"] == {"axis": 0, "use": use}
    picture = lsa.merge_channels(stains(scene), use) if isinstance(use, str) else stains(scene)[use]
    weights = widget.options.settings.weights
    expected = lsa.matte(picture, lsa.Trimap(scene.trimap), weights=weights, data_range=(500, 3500), device="cpu")
    np.testing.assert_allclose(alpha.data, expected.alpha, atol=1e-4)
    np.testing.assert_allclose(execute(copied(widget.code))["alpha"], alpha.data, atol=1e-4)
    # Another channel is seen: the run still updates the same layer.
    stained_viewer.dims.set_point(0, 2)
    run(qtbot, widget)
    assert [layer.name for layer in stained_viewer.layers] == ["cells", "alpha", "trimap"]


def test_live_mode_goes_on_when_the_channel_slider_moves_and_ends_with_another_reading(
    stained_viewer: Any, open_widget: Any, qtbot: Any
) -> None:
    widget = open_widget(stained_viewer)
    qtbot.waitUntil(lambda: widget.live_box.enabled)
    widget.live_box.value = True
    qtbot.waitUntil(lambda: not widget.live.busy)
    stained_viewer.dims.set_point(0, 2)
    settle(qtbot, widget)
    assert widget.live.on
    assert stained_viewer.layers["alpha"].data.ndim == 2
    choose(qtbot, widget, "mean")
    assert not widget.live.on
    assert widget.live_status.text() == "Live mode ended: the channels are read in another way."


def test_what_no_label_tells_the_user_says_once_for_all_widgets(
    stained_viewer: Any, open_widget: Any, qtbot: Any
) -> None:
    stained_viewer.layers["cells"].axis_labels = ("-3", "-2", "-1")
    widget, other = open_widget(stained_viewer), ForegroundWidget(stained_viewer)
    qtbot.addWidget(other)
    assert widget.channels.channels is None
    assert "If the 3 planes along axis 0 of 'cells' are channels, say under Channels" in widget.notes.text()
    choose(qtbot, widget, "maximum")
    assert widget.channels.channels == other.channels.channels == Channels(0, "maximum")
    assert other.channels.box.value == Channels(0, "maximum")
    stained_viewer.layers["cells"].axis_labels = ("t", "y", "x")
    settle(qtbot, widget)
    assert widget.channels.channels is None
    assert not widget.channels.box.native.isVisibleTo(widget)


def test_colours_of_channels_are_plain_and_can_be_repeated(
    stained_viewer: Any, qtbot: Any, scene: Any, saved_to: Path, copied: Any, execute: Any
) -> None:
    place: dict[str, Any] = {"scale": (0.5, 0.5), "units": ("um", "um")}
    stained_viewer.add_image(scene.alpha, name="alpha", metadata=with_provenance({}, kind="alpha"), **place)
    widget = ForegroundWidget(stained_viewer)
    stained_viewer.window.add_dock_widget(widget, name="Foreground")
    run(qtbot, widget)
    cutout = stained_viewer.layers["cut-out"]
    assert cutout.data.shape == (*scene.alpha.shape, 4)
    assert cutout.metadata[METADATA_KEY]["channels"] == {"axis": 0, "use": "rgb"}
    np.testing.assert_allclose(execute(copied(widget.code))["cutout"], cutout.data, atol=1e-5)


@pytest.mark.parametrize("order", ["czyx", "zcyx"])
def test_the_frames_of_a_stack_of_channels_are_matted_on_all_of_them(
    make_napari_viewer_proxy: Any,
    random_weights: str,
    qtbot: Any,
    scene: Any,
    saved_to: Path,
    copied: Any,
    execute: Any,
    order: str,
) -> None:
    viewer = make_napari_viewer_proxy()
    axis = order.index("c")
    data = np.stack([stains(scene), stains(scene)[::-1]], axis=1 - axis)
    viewer.add_image(data, name="cells", axis_labels=tuple(order), contrast_limits=(500, 3500))
    labels = lsa.Trimap(scene.trimap).to_labels()
    keys = [(0, frame) if axis == 0 else (frame, 0) for frame in range(2)]
    add_trimap_layer(viewer, viewer.layers["cells"], dict.fromkeys(keys, labels))
    widget = StackWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Stack")
    qtbot.waitUntil(lambda: widget.options.facilities is not None)
    widget.options.weights.value, widget.options.device.value = random_weights, "cpu"
    assert len(widget.range.axis.choices) == 1  # channels are no frames
    run(qtbot, widget)
    alpha = viewer.layers["alpha of cells"]
    assert alpha.data.shape == ((2, *labels.shape) if axis == 0 else (2, 1, *labels.shape))
    alphas = alpha.data.reshape(2, *labels.shape)
    picture = np.moveaxis(stains(scene)[::-1], 0, -1)
    expected = lsa.matte(
        picture, lsa.Trimap(scene.trimap), weights=random_weights, data_range=(500, 3500), device="cpu"
    )
    np.testing.assert_allclose(alphas[1], expected.alpha, atol=1e-4)
    np.testing.assert_allclose(execute(copied(widget.code))["alphas"], alphas, atol=1e-4)
    assert [frame["plane"] for frame in alpha.metadata[METADATA_KEY]["frames"]] == [[0], [1]]
    run(qtbot, widget)  # in place
    assert len(viewer.layers) == 3


def test_objects_in_a_stack_keep_the_axis_of_channels_between(
    stained_viewer: Any, open_widget: Any, qtbot: Any, scene: Any
) -> None:
    stained_viewer.layers.remove("trimap")
    stained_viewer.add_labels((scene.trimap == 255).astype(np.uint8) * 7, name="nuclei", scale=(0.5, 0.5))
    widget = open_widget(stained_viewer)
    widget.objects.reading.value = "objects"
    widget.objects.stacked.value = True
    run(qtbot, widget)
    assert stained_viewer.layers["alpha of nuclei"].data.shape == (1, 1, *scene.trimap.shape)
    assert stained_viewer.layers["alpha of nuclei"].axis_labels == ("object", "c", "y", "x")


def test_a_preview_lies_over_all_channels_of_a_layer(
    stained_viewer: Any, open_widget: Any, qtbot: Any, scene: Any
) -> None:
    widget = open_widget(stained_viewer)
    widget.options.method.value = "closed-form"
    run(qtbot, widget)
    view, cells = widget.view, stained_viewer.layers["cells"]
    place = {name: getattr(cells, name) for name in ("scale", "units", "axis_labels")}
    backdrop = stains(scene)[:, ::-1]
    stained_viewer.add_image(backdrop, name="others", contrast_limits=(500, 3500), **place)
    view.behind.value = unwrap(stained_viewer.layers["others"])
    assert not view.behind_channels.box.native.isVisibleTo(widget)
    view.preview.value = "layer"
    assert view.behind_channels.box.native.isVisibleTo(widget)
    photo, alpha = scene.image, stained_viewer.layers["alpha"].data
    foreground, _ = lsa.estimate_foreground(photo, alpha)
    for use, picture in (("rgb", scene.image[::-1]), (1, np.repeat(scene.image[::-1, :, 1:2], 3, axis=2))):
        view.behind_channels.box.value = Channels(0, use)
        qtbot.waitUntil(lambda: not view.busy)
        shown = stained_viewer.layers["preview"].data / 255
        np.testing.assert_allclose(shown, lsa.composite(foreground, picture.astype(np.float32), alpha), atol=0.01)


def test_all_channels_of_a_layer_are_trained_on_as_the_user_reads_them(
    stained_viewer: Any, open_widget: Any, qtbot: Any, scene: Any
) -> None:
    widget = open_widget(stained_viewer)
    widget.options.method.value = "closed-form"
    run(qtbot, widget)
    stained_viewer.layers["cells"].name = "stains"  # the alpha is known by the run that made it, not by the name
    pairs = TrainingPairs(stained_viewer)
    qtbot.addWidget(pairs)
    row = next(row for row in pairs.rows if row.image.name == "stains")
    assert row.box.isChecked()
    assert row.alpha is not None
    assert row.alpha.layer is unwrap(stained_viewer.layers["alpha"])
    assert pairs.problem is None
    assert row.box.toolTip().endswith("The 3 channels of 'stains' are read as red, green and blue.")
    (picture,) = pairs.take()
    np.testing.assert_array_equal(picture.image.colours(), lsa.merge_channels(stains(scene), "rgb"))
    choose(qtbot, widget, 2)
    assert row.box.toolTip().endswith("Channel 2 of the 3 of 'stains' is read.")
    stained_viewer.dims.set_point(0, 1)  # what is seen does not count
    (picture,) = pairs.take()
    np.testing.assert_array_equal(picture.image.colours(), stains(scene)[2])
    pairs.let_go()
