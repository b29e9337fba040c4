"""The Stack widget in a real viewer: key frames, proposals, mattes of frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import unwrap
from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
from napari_lsa_matting.layers import METADATA_KEY
from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.trimap_layer import trimap_settings
from stacks import FRAMES, disc, labels_of, movie, open_stack, press, trimap_of
from widgets import settle


@pytest.fixture
def open_widget(qtbot: Any, random_weights: str) -> Callable[[Any], StackWidget]:
    return partial(open_stack, qtbot, random_weights)


def test_proposals_lie_between_key_frames_are_told_apart_and_undone_in_one_step(
    stack_viewer: Any, open_widget: Any, qtbot: Any
) -> None:
    widget = open_widget(stack_viewer)
    trimap = stack_viewer.layers["trimap"]
    assert widget.method.value == "distance"
    assert widget.status.text().splitlines() == [
        "Key frames: 0, 4; without trimap: 1-3, 5-6.",
        "Frame 2 has no trimap: paint one, or propose trimaps.",
    ]
    press(qtbot, widget, widget.proposing)
    assert widget.proposing.outcome.text().startswith("Proposed frames 1-3 from key frames 0, 4")
    assert widget.status.text().splitlines() == [
        "Key frames: 0, 4; proposals: 1-3; without trimap: 5-6.",
        "Frame 2 is a proposal: correct it where it is wrong.",
    ]
    expected = lsa.propose_trimaps(
        [None] * FRAMES,
        {key: lsa.Trimap.from_labels(trimap_of(key)) for key in (0, 4)},
        spacing=(0.5, 0.5),
    )
    for frame in (1, 2, 3):
        np.testing.assert_array_equal(trimap.data[frame], expected[frame].to_labels())
    assert not trimap.data[5:].any()
    assert trimap.metadata[METADATA_KEY]["kind"] == "trimap"
    trimap.undo()
    np.testing.assert_array_equal(trimap.data, labels_of(0, 4))
    settle(qtbot, widget)
    assert widget.status.text().startswith("Key frames: 0, 4; without trimap: 1-3, 5-6.")
    trimap.redo()
    settle(qtbot, widget)
    assert "proposals: 1-3" in widget.status.text()


def test_a_proposal_that_is_painted_on_becomes_a_key_frame_and_stays(
    stack_viewer: Any, open_widget: Any, qtbot: Any
) -> None:
    widget = open_widget(stack_viewer)
    trimap = stack_viewer.layers["trimap"]
    press(qtbot, widget, widget.proposing)
    trimap.selected_label = 2
    trimap.brush_size = 9
    trimap.paint((2, 32, 32), 2)
    settle(qtbot, widget)
    assert widget.status.text().splitlines() == [
        "Key frames: 0, 2, 4; proposals: 1, 3; without trimap: 5-6.",
        "Frame 2 is a key frame.",
    ]
    painted, beside = trimap.data[2].copy(), trimap.data[1].copy()
    press(qtbot, widget, widget.proposing)
    np.testing.assert_array_equal(trimap.data[2], painted)
    assert not np.array_equal(trimap.data[1], beside)
    assert widget.proposing.outcome.text().startswith("Proposed frames 1, 3 from key frames 0, 2, 4")


def test_frames_that_are_begun_are_left_alone_and_named(stack_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(stack_viewer)
    trimap = stack_viewer.layers["trimap"]
    trimap.paint((3, 32, 32), 1)
    begun = trimap.data[3].copy()
    settle(qtbot, widget)
    assert "begun, without foreground or background: 3" in widget.status.text()
    press(qtbot, widget, widget.proposing)
    np.testing.assert_array_equal(trimap.data[3], begun)
    assert "Begun, so left alone: frame 3." in widget.proposing.outcome.text()


def test_along_time_the_trimap_moves_with_the_picture(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(movie(np.uint16), name="film", contrast_limits=(0, 250), axis_labels=("t", "y", "x"))
    viewer.add_labels(labels_of(0), **trimap_settings())
    widget = open_widget(viewer)
    assert widget.method.value == "flow"
    widget.last.value = 3
    press(qtbot, widget, widget.proposing)
    labels = viewer.layers["trimap"].data
    assert not labels[4:].any()
    found, true = np.nonzero(labels[3] == 1)[1].mean(), np.nonzero(disc(3, 12))[1].mean()
    assert abs(found - true) < 2 < abs(found - np.nonzero(disc(0, 12))[1].mean())
    # Margins are given up on the way.
    assert 0 < np.count_nonzero(labels[3] == 1) < np.count_nonzero(labels[0] == 1)


def test_the_frames_of_the_range_are_matted_into_one_layer_over_the_stack(
    stack_viewer: Any, open_widget: Any, qtbot: Any, random_weights: str
) -> None:
    widget = open_widget(stack_viewer)
    stack, trimap = stack_viewer.layers["stack"], stack_viewer.layers["trimap"]
    press(qtbot, widget, widget.controls)
    alpha = unwrap(stack_viewer.layers["alpha of stack"])
    assert (alpha.data.shape, alpha.data.dtype) == (stack.data.shape, np.float32)
    for frame in (0, 4):
        expected = lsa.matte(
            stack.data[frame],
            lsa.Trimap.from_labels(trimap_of(frame)),
            weights=random_weights,
            device="cpu",
            data_range=(0, 250),
        )
        np.testing.assert_allclose(alpha.data[frame], expected.alpha, atol=1e-4)
    assert not alpha.data[[1, 2, 3, 5, 6]].any()
    np.testing.assert_array_equal(alpha.scale, stack.scale)
    np.testing.assert_array_equal(alpha.translate, stack.translate)
    assert (alpha.units, alpha.axis_labels) == (stack.units, stack.axis_labels)
    outcome = widget.controls.outcome.text()
    assert outcome.startswith("Matted frames 0, 4: random-lite on cpu")
    assert "Left out, without a usable trimap: frames 1-3, 5-6." in outcome
    record = alpha.metadata[METADATA_KEY]
    assert (record["kind"], record["image"], record["axis"]) == ("alpha", "stack", "z")
    assert [frame["plane"] for frame in record["frames"]] == [[0], [4]]
    assert record["frames"][1]["report"]["weights_sha256"] == expected.report.weights_sha256

    # Later, another frame: the same layer, whose other frames stay.
    before, alpha.colormap = alpha.data.copy(), "viridis"
    trimap.data[2] = trimap_of(2)
    trimap.refresh()
    settle(qtbot, widget)
    widget.this_button.click()
    assert (widget.first.value, widget.last.value) == (2, 2)
    press(qtbot, widget, widget.controls)
    assert [layer.name for layer in stack_viewer.layers] == ["stack", "alpha of stack", "trimap"]
    np.testing.assert_array_equal(alpha.data[[0, 4]], before[[0, 4]])
    assert alpha.data[2].max() == 1.0
    assert alpha.colormap.name == "viridis"
    assert [frame["plane"] for frame in alpha.metadata[METADATA_KEY]["frames"]] == [[0], [2], [4]]

    # Other pixels: what was found on those of before is of no use.
    stack.data = stack.data[:, ::-1].copy()
    settle(qtbot, widget)
    press(qtbot, widget, widget.controls)
    assert not alpha.data[[0, 4]].any() and alpha.data[2].any()
    assert [frame["plane"] for frame in alpha.metadata[METADATA_KEY]["frames"]] == [[2]]


def test_proposals_and_mattes_can_be_copied_as_code(
    stack_viewer: Any, open_widget: Any, qtbot: Any, saved_to: Any, copied: Any, execute: Any
) -> None:
    widget = open_widget(stack_viewer)
    assert not widget.code.button.isEnabled() and not widget.proposals_code.button.isEnabled()
    press(qtbot, widget, widget.proposing)
    trimaps = execute(copied(widget.proposals_code))["trimaps"]
    proposed = stack_viewer.layers["trimap"].data.copy()
    for frame in (1, 2, 3):
        np.testing.assert_array_equal(trimaps[frame].to_labels(), proposed[frame])
    widget.first.value, widget.last.value = 2, 4
    settle(qtbot, widget)
    press(qtbot, widget, widget.controls)
    stack_viewer.layers["trimap"].data[3] = 0  # corrected since
    names = execute(copied(widget.code))
    assert names["frames"] == [2, 3, 4]
    np.testing.assert_allclose(names["alphas"], stack_viewer.layers["alpha of stack"].data[2:5], atol=1e-4)
    stack_viewer.layers["stack"].data[4, 0, 0] += 1
    assert copied(widget.code) == ""
    assert widget.code.status.text().startswith("The pixels of frame 4 of 'stack' were changed since the run")


@pytest.mark.parametrize("kind", ["dask", "zarr", "rgb", "multiscale"])
def test_lazy_coloured_and_multiscale_stacks_are_matted_frame_by_frame(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any, random_weights: str, kind: str
) -> None:
    viewer = make_napari_viewer_proxy()
    gray = movie()
    colours = np.stack([gray, gray // 2, 250 - gray], axis=-1)
    if kind == "dask":
        array = pytest.importorskip("dask.array")
        viewer.add_image(array.from_array(gray, chunks=(1, 64, 80)), name="stack", contrast_limits=(0, 255))
    elif kind == "zarr":
        array = pytest.importorskip("zarr").array(gray, chunks=(1, 64, 80))
        viewer.add_image(array, name="stack", contrast_limits=(0, 255))
    elif kind == "rgb":
        viewer.add_image(colours, name="stack", rgb=True)
    else:
        viewer.add_image([gray, gray[:, ::2, ::2]], name="stack", multiscale=True, contrast_limits=(0, 255))
    viewer.add_labels(labels_of(2), **trimap_settings())
    widget = open_widget(viewer)
    press(qtbot, widget, widget.controls)
    picture = colours[2] if kind == "rgb" else gray[2]
    trimap = lsa.Trimap.from_labels(trimap_of(2))
    expected = lsa.matte(picture, trimap, weights=random_weights, device="cpu")
    alpha = viewer.layers["alpha of stack"].data
    assert alpha.shape == gray.shape
    np.testing.assert_allclose(alpha[2], expected.alpha, atol=1e-4)


def test_in_four_dimensions_the_frames_lie_along_the_axis_that_is_chosen(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    film = np.stack([movie(), movie()[::-1], movie()])
    labels = np.zeros(film.shape, np.uint8)
    labels[0, 1], labels[2, 1] = trimap_of(1), trimap_of(1)
    place: dict[str, Any] = {"axis_labels": ("t", "z", "y", "x"), "scale": (1, 4, 1, 1)}
    viewer.add_image(film, name="film", contrast_limits=(0, 250), **place)
    viewer.add_labels(labels, **trimap_settings(), **place)
    viewer.dims.set_point(0, 2)
    viewer.dims.set_point(1, 4)
    widget = open_widget(viewer)
    assert widget.axis.value == 1
    assert widget.status.text().startswith("Key frames: 1; without trimap: 0, 2-6.")
    widget.axis.value = 0
    settle(qtbot, widget)
    assert (widget.first.value, widget.last.value, widget.method.value) == (0, 2, "flow")
    assert widget.status.text().startswith("Key frames: 0, 2; without trimap: 1.")
    widget.method.value = "distance"
    press(qtbot, widget, widget.proposing)
    np.testing.assert_array_equal(viewer.layers["trimap"].data[1, 1], trimap_of(1))
    assert not viewer.layers["trimap"].data[:, 0].any()
    press(qtbot, widget, widget.controls)
    alpha = viewer.layers["alpha of film"]
    assert alpha.data[:, 1].any(axis=(1, 2)).all()
    assert not alpha.data[:, 0].any() and not alpha.data[:, 2:].any()
    assert [frame["plane"] for frame in alpha.metadata[METADATA_KEY]["frames"]] == [[0, 1], [1, 1], [2, 1]]


def test_what_stands_against_a_run_is_said_before(make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer_proxy()
    widget = open_widget(viewer)
    assert widget.controls.reason.text().startswith("There is no image layer")
    viewer.add_image(movie()[0], name="picture")
    settle(qtbot, widget)
    assert "use the Matting widget" in widget.controls.reason.text()
    viewer.add_image(movie(), name="stack")
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("There is no trimap")
    viewer.add_labels(labels_of(), **trimap_settings())
    settle(qtbot, widget)
    assert widget.proposing.reason.text().startswith("There is no key frame yet")
    assert widget.controls.reason.text().startswith("There is no key frame yet")
    viewer.layers["trimap"].data = labels_of(2)
    settle(qtbot, widget)
    assert widget.controls.run_button.isEnabled()
    press(qtbot, widget, widget.proposing)
    assert widget.proposing.outcome.text().startswith("Outlines are interpolated between two key frames")
    widget.first.value = 4
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("No trimap with foreground and background on frames 4-6")
    widget.last.value = 3
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("The range ends at frame 3, before it begins at 4")
    widget.all_button.click()
    settle(qtbot, widget)
    assert widget.controls.run_button.isEnabled()
    viewer.dims.ndisplay = 3
    settle(qtbot, widget)
    assert widget.controls.run_button.isEnabled() and not widget.this_button.isEnabled()
    viewer.dims.ndisplay = 2
    viewer.layers["stack"].data = movie()[:5]
    settle(qtbot, widget)
    assert "must have the same size" in widget.controls.reason.text()
    viewer.layers["trimap"].data = labels_of(2)[:5]
    settle(qtbot, widget)
    assert widget.last.value == 4


def test_a_lazy_trimap_can_be_matted_with_but_not_proposed_into(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any
) -> None:
    array = pytest.importorskip("dask.array")
    viewer = make_napari_viewer_proxy()
    viewer.add_image(movie(), name="stack")
    viewer.add_labels(array.from_array(labels_of(0, 2), chunks=(1, 64, 80)), name="painted")
    widget = open_widget(viewer)
    assert "lazy array" in widget.proposing.reason.text()
    press(qtbot, widget, widget.controls)
    assert widget.controls.outcome.text().startswith("Matted frames 0, 2: ")
