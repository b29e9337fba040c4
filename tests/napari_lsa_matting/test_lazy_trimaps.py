"""The Trimap widget on layers that are no arrays in memory: nothing is read by the thread of the window."""

from __future__ import annotations

import threading
from inspect import unwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
from lsa_engine.progress import CancelToken
from lsa_engine.trimap_editing import widen_unknown
from napari_lsa_matting import block_writing
from napari_lsa_matting.dock_room import dock_of
from napari_lsa_matting.layers import METADATA_KEY, plane_at, with_provenance
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.trimap_requests import MakeRequest, ToolRequest
from napari_lsa_matting.trimap_widget import TrimapWidget
from trimaps import open_trimap
from widgets import settle

zarr = pytest.importorskip("zarr")

_SECONDS = 0.4


class SlowReading:
    """Makes zarr slow at reading the plane of an index; who reads is noted, and the beats meanwhile."""

    def __init__(self, patch: pytest.MonkeyPatch, heart: Any) -> None:
        self.readers: list[threading.Thread] = []
        self.beats: list[int] = []
        self.seconds = 0.0
        get = zarr.Array.__getitem__

        def read(array: Any, index: Any) -> Any:
            if isinstance(index, tuple) and all(isinstance(step, int) for step in index):
                self.readers.append(threading.current_thread())
                self.beats.append(heart.sleep(self.seconds))
            return get(array, index)

        patch.setattr(zarr.Array, "__getitem__", read)


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch, heart: Any) -> SlowReading:
    return SlowReading(monkeypatch, heart)


def press(qtbot: Any, widget: TrimapWidget, button: Any, reading: SlowReading) -> None:
    """Press a button, and see that its run reads beside the event loop."""
    settle(qtbot, widget)
    reading.readers.clear()
    reading.beats.clear()
    reading.seconds = _SECONDS
    button.click()
    qtbot.waitUntil(lambda: not (widget.controls.busy or widget.tool_controls.busy))
    assert reading.readers and threading.main_thread() not in reading.readers
    assert min(reading.beats) > 5  # a reading that holds the event loop up lets none through
    reading.seconds = 0.0
    settle(qtbot, widget)


def test_a_tool_changes_a_trimap_on_disk(
    make_napari_viewer_proxy: Any,
    scene: Any,
    qtbot: Any,
    reading: SlowReading,
    tmp_path: Path,
    saved_to: Path,
    copied: Any,
    execute: Any,
) -> None:
    before = np.stack([lsa.Trimap(scene.trimap).to_labels()] * 3)
    array = zarr.create_array(tmp_path / "trimap.zarr", data=before, chunks=(1, 48, 64))
    viewer = make_napari_viewer_proxy()
    layer = viewer.add_labels(array, **trimap_settings())
    viewer.dims.set_current_step(0, 1)
    widget = open_trimap(viewer)
    widget.tools.distance.value = 2
    press(qtbot, widget, widget.tools.buttons["widen"], reading)
    want = before.copy()
    want[1] = widen_unknown(lsa.Trimap.from_labels(before[1]), 2.0, (1.0, 1.0)).to_labels()
    assert not np.array_equal(want, before)
    np.testing.assert_array_equal(array[:], want)
    np.testing.assert_array_equal(execute(copied(widget.code))["trimap"].to_labels(), want[1])
    layer.undo()
    np.testing.assert_array_equal(array[:], before)


@pytest.mark.parametrize("painted", [False, True])
def test_it_is_noticed_whether_a_plane_on_disk_is_painted_on_while_it_is_changed(painted: bool, scene: Any) -> None:
    array = zarr.array(np.stack([lsa.Trimap(scene.trimap).to_labels()] * 2))
    plane = plane_at(array, (1,))

    def widen(*given: Any) -> lsa.Trimap:
        if painted:
            array[1, 0, 0] = 1
        return widen_unknown(*given)

    made = MakeRequest(ToolRequest(widen, plane, 2.0, (1.0, 1.0)), plane).run(lambda _: None, CancelToken())
    assert made.stale == painted
    np.testing.assert_array_equal(made.before, array[0])
    assert made.changes is not None and made.changes.values.size > 100
    array[:] = 0
    np.testing.assert_array_equal(made.request.given()["labels"], made.before)  # for the code, what it was given


def test_strokes_and_alphas_on_disk_are_read_by_the_run(
    make_napari_viewer_proxy: Any,
    scene: Any,
    qtbot: Any,
    reading: SlowReading,
    saved_to: Path,
    copied: Any,
    execute: Any,
) -> None:
    viewer = make_napari_viewer_proxy()
    alphas = zarr.array(np.stack([scene.alpha, scene.alpha]), chunks=(1, 48, 64))
    viewer.add_image(alphas, name="alpha", contrast_limits=(0, 1), metadata=with_provenance({}, kind="alpha"))
    widget = open_trimap(viewer)
    widget.sources.kind.value = "alpha"
    widget.sources.inner.value = widget.sources.outer.value = 2.0
    press(qtbot, widget, widget.controls.run_button, reading)
    layer = viewer.layers["trimap"]
    seen = viewer.dims.current_step[0]
    want = lsa.Trimap.from_alpha(scene.alpha, 2.0, 2.0).to_labels()
    np.testing.assert_array_equal(layer.data[seen], want)
    np.testing.assert_array_equal(execute(copied(widget.code))["trimap"].to_labels(), want)

    pictures = zarr.array(np.stack([scene.image.mean(axis=2)] * 2), chunks=(1, 48, 64))
    viewer.add_image(pictures, name="pictures", contrast_limits=(0, 1))
    strokes = np.zeros((48, 64), np.uint8)
    strokes[20:28, 28:36], strokes[2:5] = 1, 2
    layer.data_setitem(tuple(np.indices(layer.data.shape)[:, seen].reshape(3, -1)), strokes.ravel())
    widget.sources.kind.value = "strokes"
    press(qtbot, widget, widget.controls.run_button, reading)
    filled = layer.data[seen].copy()
    assert (filled == 1).sum() > 200
    assert layer.metadata[METADATA_KEY]["made"][str(seen)][-1]["from"] == "strokes"
    np.testing.assert_array_equal(execute(copied(widget.code))["trimap"].to_labels(), filled)


def test_a_trimap_that_cannot_be_written_is_said_and_not_offered_to_tools(
    make_napari_viewer_proxy: Any, scene: Any, qtbot: Any, slow: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.zeros(scene.trimap.shape, np.uint8), name="photo")
    labels = lsa.Trimap(scene.trimap).to_labels()
    viewer.add_labels(slow(labels, 0.0).data, **trimap_settings())
    widget = open_trimap(viewer)
    settle(qtbot, widget)
    assert "The trimap 'trimap' is a lazy array, which cannot be painted on" in widget.status.text()
    assert not any(button.isEnabled() for button in widget.tools.buttons.values())
    widget.sources.kind.value = "strokes"
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("The trimap 'trimap' is a lazy array")


@pytest.mark.parametrize("floating", [False, True])
def test_a_viewer_that_is_closed_while_a_trimap_on_disk_is_written_waits_until_it_is_whole(
    floating: bool, make_napari_viewer_proxy: Any, scene: Any, qtbot: Any, tmp_path: Path, heart: Any
) -> None:
    before = lsa.Trimap(scene.trimap).to_labels()
    array = zarr.create_array(tmp_path / "trimap.zarr", data=before, chunks=(16, 16))
    viewer = make_napari_viewer_proxy()
    layer = unwrap(viewer.add_labels(array, **trimap_settings()))
    widget = open_trimap(viewer)
    dock_of(widget).setFloating(floating)
    settle(qtbot, widget)
    put, written = zarr.Array.__setitem__, []

    def write_slowly(array: Any, where: Any, values: Any) -> None:
        heart.sleep(0.1)
        put(array, where, values)
        written.append(where)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_writing, "_PART", 16)
        patch.setattr(zarr.Array, "__setitem__", write_slowly)
        widget.tools.distance.value = 2
        widget.tools.buttons["widen"].click()
        qtbot.waitUntil(lambda: bool(written))
        viewer.close()
    want = widen_unknown(lsa.Trimap.from_labels(before), 2.0, (1.0, 1.0)).to_labels()
    assert len(written) > 4
    np.testing.assert_array_equal(array[:], want)
    assert layer.editable
