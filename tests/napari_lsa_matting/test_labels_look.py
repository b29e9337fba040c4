"""What planes of Labels layers hold, without holding up the event loop where they are lazy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pytest
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from event_loop import Gaps, longest
from napari_lsa_matting.labels_look import LabelsLook
from napari_lsa_matting.layers import calibration
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.trimap_layer import trimap_settings

_SECONDS = 0.5
_MOST_MS = 250.0  # far from what a chunk takes, and from what other programs may add


class Slow:
    """Labels whose chunk takes half a second, which notes the threads that read it."""

    def __init__(self, labels: NDArray[Any]) -> None:
        self.readers: list[threading.Thread] = []
        self.fails = False
        self.data = da.from_array(labels, chunks=labels.shape).map_blocks(self._read, dtype=labels.dtype)

    def _read(self, block: NDArray[Any]) -> NDArray[Any]:
        if self.fails:
            raise OSError("the server is gone")
        self.readers.append(threading.current_thread())
        time.sleep(_SECONDS)
        return block


def ask(qtbot: Any, work: Callable[[], object], until: Callable[[], bool]) -> float:
    """Do something, and return the longest gap of the event loop until something is so, in milliseconds."""
    gaps = Gaps()
    work()
    qtbot.waitUntil(until)
    return longest(gaps.stop()).clock


def test_a_slow_trimap_is_checked_beside_the_event_loop(
    scene_viewer: Any, open_widget: Callable[[Any], MattingWidget], qtbot: Any
) -> None:
    layer = scene_viewer.layers["trimap"]
    labels = layer.data.copy()
    labels[labels == 2] = 0
    widget = open_widget(scene_viewer)
    slow = Slow(labels)
    layer.data = slow.data
    qtbot.waitUntil(lambda: not widget.settling)
    assert widget.controls.reason.text().startswith("No background yet")
    widget.look.note_edit()
    slow.readers.clear()
    assert ask(qtbot, widget.refresh, lambda: len(slow.readers) > 0 and not widget.look.busy) < _MOST_MS
    assert threading.main_thread() not in slow.readers
    assert widget.controls.reason.text().startswith("No background yet")

    # Another layer is chosen: its plane is not known yet, and is said to be looked at.
    other = Slow(np.where(labels == 0, 2, labels))
    scene_viewer.add_labels(other.data, **{**trimap_settings(), **calibration(layer), "name": "other"})
    widget.trimap.value = layer

    def choose() -> None:
        widget.trimap.value = scene_viewer.layers["other"]
        widget.refresh()
        assert widget.controls.reason.text() == "Looking at the labels …"

    assert ask(qtbot, choose, lambda: not widget.settling) < _MOST_MS
    assert not widget.controls.reason.text()


def test_slow_labels_are_taken_for_objects_once_they_are_read_and_matted(
    scene_viewer: Any, open_widget: Callable[[Any], MattingWidget], qtbot: Any
) -> None:
    scene_viewer.layers.remove("trimap")
    widget = open_widget(scene_viewer)
    photo = scene_viewer.layers["photo"]
    cells = np.zeros((48, 64), np.int32)
    cells[10:38, 16:48] = 7
    slow = Slow(cells)
    scene_viewer.add_labels(slow.data, name="cells", **calibration(photo))
    qtbot.waitUntil(lambda: widget.objects.wanted and not widget.settling)
    assert widget.controls.reason.text() == ""
    slow.readers.clear()
    widget.controls.run_button.click()
    qtbot.waitUntil(lambda: not widget.controls.busy)
    assert widget.controls.outcome.text().startswith("Mattes of 1 object.")
    assert slow.readers and threading.main_thread() not in slow.readers


def test_labels_that_cannot_be_read_are_said(
    qapp: Any, qtbot: Any, notifications: list[str], viewer_model: Any
) -> None:
    owner = QObject()
    look = LabelsLook(owner)
    slow = Slow(viewer_model.layers["trimap"].data)
    layer = viewer_model.layers["trimap"]
    layer.data = slow.data
    slow.fails = True
    assert look.findings(layer, ()) is None
    qtbot.waitUntil(lambda: not look.busy)
    (finding,) = look.findings(layer, ()) or ()
    assert finding.blocks
    assert finding.text == "The labels cannot be read: the server is gone"
    assert notifications == ["the server is gone"]


@pytest.mark.parametrize("edited", [False, True])
def test_a_plane_in_memory_is_told_of_at_once(edited: bool, qapp: Any, viewer_model: Any) -> None:
    look = LabelsLook(QObject())
    layer = viewer_model.layers["trimap"]
    if edited:
        layer.data[layer.data == 2] = 0
    assert look.highest(layer, ()) == (1 if edited else 2)
    assert len(look.findings(layer, ()) or ()) == int(edited)
