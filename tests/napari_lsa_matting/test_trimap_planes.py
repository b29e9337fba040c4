"""Trimaps of several planes: made in one run, undone in one step, copied as code."""

from __future__ import annotations

import gc
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

import lsa_engine as lsa
from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, Progress
from napari_lsa_matting import panel
from napari_lsa_matting.layers import METADATA_KEY, fingerprint, with_provenance
from napari_lsa_matting.plane_writer import PlaneEdit
from napari_lsa_matting.stack_frames import Frames
from napari_lsa_matting.trimap_layer import add_trimap_layer, trimap_settings
from napari_lsa_matting.trimap_planes import LayerPlanes, MadePlanes, PlanesRequest
from napari_lsa_matting.trimap_requests import AlphaRequest, SegmentationRequest
from napari_lsa_matting.trimap_widget import TrimapWidget
from trimaps import open_trimap
from widgets import run, settle

_PLACE: dict[str, Any] = {"scale": (3.0, 2.0, 0.5), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
_SPACING = (2.0, 0.5)


def choose(widget: TrimapWidget, first: int, last: int) -> None:
    """Choose a range of planes."""
    widget.sources.planes.extent.value = "several"
    widget.sources.planes.range.first.value, widget.sources.planes.range.last.value = first, last


def growing_cells(count: int = 6) -> NDArray[np.uint16]:
    """A rectangle that grows from plane to plane; the first plane is empty."""
    cells = np.zeros((count, 40, 80), np.uint16)
    for plane in range(1, count):
        cells[plane, 12 - plane : 28 + plane, 24 - plane : 56 + plane] = 7
    return cells


def open_on_slow_cells(viewer: Any, slow: Any, first: int, last: int) -> tuple[TrimapWidget, Any]:
    """Open the widget for a range of planes of labels that can be read slowly, and return both."""
    waited = slow(growing_cells(), 0.0)
    viewer.add_labels(waited.data, name="cells", **_PLACE)
    widget = open_trimap(viewer)
    choose(widget, first, last)
    return widget, waited


def expected(cells: NDArray[Any], inner: float, outer: float) -> NDArray[np.uint8]:
    """The trimap of one plane, by the engine."""
    return lsa.Trimap.from_mask(cells > 0, inner=inner, outer=outer, spacing=_SPACING).to_labels()


def made_in(layer: Any) -> dict[str, Any]:
    """How the planes of a trimap layer were made."""
    return dict(layer.metadata[METADATA_KEY]["made"])


def test_planes_of_a_segmentation_become_trimaps_and_one_undo_takes_them_back(
    make_napari_viewer_proxy: Any, qtbot: Any, saved_to: Path, copied: Any, execute: Any
) -> None:
    viewer, cells = make_napari_viewer_proxy(), growing_cells()
    viewer.add_labels(cells, name="cells", **_PLACE)
    widget = open_trimap(viewer)
    choose(widget, 2, 4)
    widget.sources.inner.value, widget.sources.outer.value = 4.0, 2.0
    settle(qtbot, widget)
    assert widget.sources.planes.note.text() == "Planes 2 to 4 of 6 along z."
    run(qtbot, widget)
    layer = viewer.layers["trimap"]
    for plane in range(6):
        want = expected(cells[plane], 4.0, 2.0) if plane in (2, 3, 4) else np.zeros((40, 80), np.uint8)
        np.testing.assert_array_equal(layer.data[plane], want)
    assert np.flatnonzero(layer.data[2, 20] == 1).tolist() == list(range(30, 50))  # 22 to 57, 8 pixels of 0.5 µm less
    assert np.array_equal(layer.scale, _PLACE["scale"])
    assert widget.controls.outcome.text() == "Made planes 2-4."

    first = layer.data.copy()
    widget.sources.outer.value = 6.0
    widget.sources.planes.range.all_button.click()
    run(qtbot, widget)
    assert [each.name for each in viewer.layers] == ["cells", "trimap"]
    for plane in range(1, 6):
        np.testing.assert_array_equal(layer.data[plane], expected(cells[plane], 4.0, 6.0))
    assert widget.controls.outcome.text() == "Made planes 1-5.\nLeft as they were, without labels: plane 0."
    steps = made_in(layer)
    assert sorted(steps) == ["1", "2", "3", "4", "5"]
    assert [step["outer"] for step in steps["3"]] == [2.0, 6.0]
    assert steps["3"][-1]["sha256"] == fingerprint(layer.data[3])
    assert steps["3"][-1]["labels_sha256"] == fingerprint(cells[3])
    trimaps = execute(copied(widget.code))["trimaps"]
    assert list(trimaps) == [1, 2, 3, 4, 5]
    for plane, trimap in trimaps.items():
        np.testing.assert_array_equal(trimap.to_labels(), layer.data[plane])
    layer.undo()
    np.testing.assert_array_equal(layer.data, first)


def test_an_alpha_of_a_series_becomes_trimaps_where_it_is_known(
    make_napari_viewer_proxy: Any, scene: Any, qtbot: Any, saved_to: Path, copied: Any, execute: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    alphas = np.zeros((2, 4, 48, 64), np.float32)
    alphas[1, 1], alphas[1, 3] = scene.alpha, np.roll(scene.alpha, 5, axis=1)
    place = {"scale": (1, 3, 0.5, 0.25), "axis_labels": ("t", "z", "y", "x")}
    viewer.add_image(alphas, name="alpha", metadata=with_provenance({}, kind="alpha"), **place)
    viewer.dims.set_current_step(0, 1)
    widget = open_trimap(viewer)
    widget.sources.kind.value = "alpha"
    widget.sources.planes.extent.value = "several"
    settle(qtbot, widget)
    assert widget.sources.planes.note.text() == "Planes 0 to 3 of 4 along z, 1 of 2 along t."
    widget.sources.inner.value, widget.sources.outer.value = 0.5, 1.0
    run(qtbot, widget)
    layer = viewer.layers["trimap"]
    want = np.zeros(alphas.shape, np.uint8)
    for plane in (1, 3):
        want[1, plane] = lsa.Trimap.from_alpha(alphas[1, plane], 0.5, 1.0, spacing=(0.5, 0.25)).to_labels()
    np.testing.assert_array_equal(layer.data, want)
    assert widget.controls.outcome.text().endswith("Left as they were, without values above 0: planes 0, 2.")
    assert sorted(made_in(layer)) == ["1,1", "1,3"]
    trimaps = execute(copied(widget.code))["trimaps"]
    assert all(np.array_equal(trimaps[plane].to_labels(), want[1, plane]) for plane in (1, 3))

    widget.sources.planes.range.axis.value = 0  # of the series, at the slice that is seen
    viewer.dims.set_current_step(1, 3)
    settle(qtbot, widget)
    assert widget.sources.planes.note.text() == "Planes 0 to 1 of 2 along t, 3 of 4 along z."


def test_strokes_of_planes_are_filled_in_and_come_back_by_one_undo(
    make_napari_viewer_proxy: Any,
    scene: Any,
    qtbot: Any,
    tmp_path: Path,
    saved_to: Path,
    copied: Any,
    execute: Any,
) -> None:
    viewer = make_napari_viewer_proxy()
    gray = np.round(255 * scene.image.mean(axis=2)).astype(np.uint8)
    stack = np.stack([np.roll(gray, shift, axis=1) for shift in (0, 2, 4, 6)])
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, photometric="minisblack")
    viewer.open(path, plugin="napari", name="stack", scale=_PLACE["scale"], units=_PLACE["units"])
    viewer.layers["stack"].contrast_limits = (0, 255)
    strokes = np.zeros(stack.shape, np.uint8)
    for plane in (0, 1, 3):
        strokes[plane, 21:27, 30 + 2 * plane : 34 + 2 * plane] = 1
    strokes[[0, 3], 2:5] = 2  # plane 1 has no background
    layer = viewer.add_labels(strokes.copy(), **trimap_settings(), scale=_PLACE["scale"], units=_PLACE["units"])
    widget = open_trimap(viewer)
    widget.sources.kind.value = "strokes"
    viewer.dims.set_current_step(0, 2)  # of which nothing is asked in a range
    widget.sources.planes.extent.value = "several"
    widget.sources.least_width.value = 1.0
    run(qtbot, widget)
    assert widget.controls.outcome.text() == (
        "Made planes 0, 3.\nLeft as they were, without strokes of foreground and of background: planes 1-2."
    )
    for plane in (0, 3):
        want = lsa_scribbles(stack[plane], strokes[plane])
        np.testing.assert_array_equal(layer.data[plane], want)
    np.testing.assert_array_equal(layer.data[1:3], strokes[1:3])
    assert made_in(layer)["3"][-1]["image_sha256"] == fingerprint(stack[3])
    filled = layer.data.copy()
    layer.undo()
    np.testing.assert_array_equal(layer.data, strokes)
    layer.redo()
    code = copied(widget.code)
    assert f"read_stack({str(path)!r})" in code
    trimaps = execute(code)["trimaps"]
    assert list(trimaps) == [0, 3]
    assert all(np.array_equal(trimaps[plane].to_labels(), filled[plane]) for plane in (0, 3))


def lsa_scribbles(image: NDArray[Any], strokes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from lsa_engine.scribbles import trimap_from_scribbles

    seeds = lsa.Trimap.from_labels(strokes)
    return trimap_from_scribbles(
        image, seeds, certainty=0.8, width=1.0, spacing=_SPACING, data_range=(0, 255)
    ).to_labels()


def test_slow_labels_are_read_plane_by_plane_beside_the_event_loop(
    make_napari_viewer_proxy: Any, qtbot: Any, slow: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    widget, waited = open_on_slow_cells(viewer, slow, 1, 3)
    settle(qtbot, widget)
    waited.forget()
    waited.seconds = 0.4
    widget.controls.run_button.click()
    qtbot.waitUntil(lambda: len(waited.beats) >= 3)
    assert min(waited.beats) > 5  # a reading that holds the event loop up lets none through
    assert threading.main_thread() not in waited.readers
    assert set(waited.sizes) == {1}
    waited.seconds = 0.0
    settle(qtbot, widget)
    band = widget.sources.inner.value
    np.testing.assert_array_equal(viewer.layers["trimap"].data[2], expected(growing_cells()[2], band, band))


def test_cancelling_acts_within_a_second_and_leaves_the_layer_as_it_was(
    make_napari_viewer_proxy: Any, qtbot: Any, slow: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    widget, waited = open_on_slow_cells(viewer, slow, 1, 5)
    run(qtbot, widget)
    layer = viewer.layers["trimap"]
    before, noted = layer.data.copy(), made_in(layer)
    widget.sources.outer.value += 2
    settle(qtbot, widget)
    waited.hold(1)
    widget.controls.run_button.click()
    qtbot.waitUntil(lambda: len(waited.readers) == 1)
    widget.controls.cancel_button.click()
    assert panel._PATIENCE_MS < 1000
    qtbot.waitUntil(lambda: not widget.controls.busy)
    assert not waited.beats  # what could not be stopped goes on
    waited.let_go()
    settle(qtbot, widget)
    np.testing.assert_array_equal(layer.data, before)
    assert made_in(layer) == noted
    assert widget.controls.outcome.text() == "Cancelled; the layers are as they were."


def test_a_plane_that_is_painted_on_meanwhile_is_left_alone(
    make_napari_viewer_proxy: Any, qtbot: Any, saved_to: Path, copied: Any, execute: Any, slow: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    widget, waited = open_on_slow_cells(viewer, slow, 1, 3)
    run(qtbot, widget)
    layer = viewer.layers["trimap"]
    widget.sources.outer.value += 2
    settle(qtbot, widget)
    waited.hold(3)
    widget.controls.run_button.click()
    qtbot.waitUntil(lambda: len(waited.readers) == 3)  # the first plane is made, and waits for the others
    layer.data_setitem((np.array([1]), np.array([0]), np.array([0])), 1)
    painted = layer.data[1].copy()
    waited.let_go()
    settle(qtbot, widget)
    np.testing.assert_array_equal(layer.data[1], painted)
    assert widget.controls.outcome.text() == "Made planes 2-3.\nPainted on meanwhile, so left alone: plane 1."
    assert [len(made_in(layer)[name]) for name in "123"] == [1, 2, 2]
    trimaps = execute(copied(widget.code))["trimaps"]
    assert list(trimaps) == [2, 3]
    assert all(np.array_equal(trimaps[plane].to_labels(), layer.data[plane]) for plane in (2, 3))


def test_after_a_run_no_copy_of_the_planes_is_kept_for_its_code(
    make_napari_viewer_proxy: Any, qtbot: Any, saved_to: Path, copied: Any, execute: Any
) -> None:
    viewer, cells = make_napari_viewer_proxy(), growing_cells()
    viewer.add_labels(cells, name="cells", **_PLACE)
    widget = open_trimap(viewer)
    choose(widget, 1, 5)
    run(qtbot, widget)
    widget.sources.outer.value += 2
    run(qtbot, widget)
    assert widget.controls.outcome.text() == "Made planes 1-5."
    qtbot.waitUntil(lambda: not any(isinstance(each, PlaneEdit) for each in gc.get_objects()))
    assert list(execute(copied(widget.code))["trimaps"]) == [1, 2, 3, 4, 5]


def test_a_range_without_planes_is_said_before_the_run(make_napari_viewer_proxy: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_labels(growing_cells(), name="cells", **_PLACE)
    viewer.dims.set_current_step(0, 4)
    widget = open_trimap(viewer)
    settle(qtbot, widget)
    assert widget.sources.planes.note.text() == "Plane 4 of 6 along z."
    choose(widget, 3, 2)
    settle(qtbot, widget)
    assert not widget.controls.run_button.isEnabled()
    assert widget.controls.reason.text().startswith("The range ends at plane 2, before it begins at 3")
    assert widget.sources.planes.note.isHidden()
    widget.sources.planes.range.this_button.click()
    settle(qtbot, widget)
    assert widget.sources.planes.note.text() == "Plane 4 of 6 along z."
    assert widget.controls.run_button.isEnabled()
    # In one plane there is nothing to choose.
    viewer.layers.remove("cells")
    viewer.add_labels(growing_cells()[2], name="one plane")
    settle(qtbot, widget)
    assert widget.sources.planes.extent.native.isHidden()
    assert widget.sources.planes.range.first.native.isHidden()
    run(qtbot, widget)
    assert viewer.layers["trimap"].data.shape == (40, 80)


def test_channels_that_are_read_as_one_picture_are_no_planes(make_napari_viewer_proxy: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer_proxy()
    image = viewer.add_image(np.zeros((4, 3, 40, 50), np.uint8), name="stains", axis_labels=("z", "c", "y", "x"))
    add_trimap_layer(viewer, image, {})
    viewer.dims.set_current_step(0, 1)
    widget = open_trimap(viewer)
    widget.sources.kind.value = "strokes"
    settle(qtbot, widget)
    assert widget.sources.planes.note.text() == "Plane 1 of 4 along z."
    widget.sources.planes.extent.value = "several"
    settle(qtbot, widget)
    assert widget.sources.planes.note.text() == "Planes 0 to 3 of 4 along z."


def make(request: PlanesRequest, seen: list[Progress] | None = None) -> MadePlanes:
    return request.run((seen if seen is not None else []).append, CancelToken())


def request_of(data: Any, wanted: range, kind: Any = SegmentationRequest) -> PlanesRequest:
    frames = Frames(0, (0,))
    settings = {"inner": 1.0, "outer": 1.0, "spacing": _SPACING}
    source = LayerPlanes(data, frames, partial(kind, **settings), "cells", "labels")
    return PlanesRequest(source, wanted, frames, data.shape, None)


def test_planes_without_anything_are_refused_by_their_numbers() -> None:
    with pytest.raises(InputError, match=r"There are no labels in planes 1-3: choose planes that have some\."):
        make(request_of(np.zeros((5, 9, 9), np.uint8), range(1, 4)))


def test_an_error_names_its_plane() -> None:
    alphas = np.full((3, 9, 9), 0.5, np.float32)
    alphas[2, 4, 4] = 1.5
    with pytest.raises(InputError, match=r"^Plane 2: .*1\.5"):
        make(request_of(alphas, range(3), AlphaRequest))


def test_progress_counts_planes_and_names_the_one_at_work() -> None:
    seen: list[Progress] = []
    made = make(request_of(growing_cells(), range(2, 5)), seen)
    assert list(made.planes) == [2, 3, 4]
    assert {(step.done, step.total) for step in seen} == {(0, 3), (1, 3), (2, 3)}
    assert {step.message.split(":")[0] for step in seen} == {"plane 2", "plane 3", "plane 4"}
