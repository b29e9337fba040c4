"""What planes of Labels layers hold, without holding up the event loop where they are lazy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QObject

from napari_lsa_matting.labels_look import LabelsLook, frozen_plane
from napari_lsa_matting.layers import calibration
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.trimap_layer import trimap_settings

_FEW = 5  # beats: a reading that holds the event loop up lets none through


def test_a_slow_trimap_is_checked_beside_the_event_loop(
    scene_viewer: Any, open_widget: Callable[[Any], MattingWidget], qtbot: Any, slow: Any
) -> None:
    layer = scene_viewer.layers["trimap"]
    labels = layer.data.copy()
    labels[labels == 2] = 0
    widget = open_widget(scene_viewer)
    waited = slow(labels)
    layer.data = waited.data
    qtbot.waitUntil(lambda: not widget.settling)
    assert widget.controls.reason.text().startswith("No background yet")
    widget.look.note_edit()
    waited.forget()
    widget.refresh()
    qtbot.waitUntil(lambda: len(waited.beats) > 0 and not widget.look.busy)
    assert min(waited.beats) > _FEW
    assert threading.main_thread() not in waited.readers
    assert widget.controls.reason.text().startswith("No background yet")

    # Another layer is chosen: its plane is not known yet, and is said to be looked at.
    other = slow(np.where(labels == 0, 2, labels))
    scene_viewer.add_labels(other.data, **{**trimap_settings(), **calibration(layer), "name": "other"})
    widget.trimap.value = layer

    other.forget()
    widget.trimap.value = scene_viewer.layers["other"]
    widget.refresh()
    assert widget.controls.reason.text() == "Looking at the labels …"
    qtbot.waitUntil(lambda: not widget.settling and len(other.beats) > 0)
    assert min(other.beats) > _FEW
    qtbot.waitUntil(lambda: not widget.look.busy)
    assert not widget.controls.reason.text()


def test_slow_labels_are_taken_for_objects_once_they_are_read_and_matted(
    scene_viewer: Any, open_widget: Callable[[Any], MattingWidget], qtbot: Any, slow: Any
) -> None:
    scene_viewer.layers.remove("trimap")
    widget = open_widget(scene_viewer)
    photo = scene_viewer.layers["photo"]
    cells = np.zeros((48, 64), np.int32)
    cells[10:38, 16:48] = 7
    waited = slow(cells)
    scene_viewer.add_labels(waited.data, name="cells", **calibration(photo))
    qtbot.waitUntil(lambda: widget.objects.wanted and not widget.settling)
    assert widget.controls.reason.text() == ""
    waited.readers.clear()
    widget.controls.run_button.click()
    qtbot.waitUntil(lambda: not widget.controls.busy)
    assert widget.controls.outcome.text().startswith("Mattes of 1 object.")
    assert waited.readers and threading.main_thread() not in waited.readers


def test_live_mode_reads_slow_layers_beside_the_event_loop(
    scene_viewer: Any, open_widget: Callable[[Any], MattingWidget], qtbot: Any, slow: Any
) -> None:
    widget = open_widget(scene_viewer)
    trimap, photo = scene_viewer.layers["trimap"], scene_viewer.layers["photo"]
    labels, picture = slow(trimap.data, 0.0), slow(photo.data, 0.0)
    trimap.data, photo.data = labels.data, picture.data
    qtbot.waitUntil(lambda: not (widget.settling or widget.look.busy))
    labels.forget()
    picture.forget()
    widget.live_box.value = True
    qtbot.waitUntil(lambda: not widget.live.busy)
    alpha = scene_viewer.layers["alpha"].data.copy()
    assert labels.readers and picture.readers
    assert threading.main_thread() not in [*labels.readers, *picture.readers]

    edited = trimap.data.compute()
    edited[:14] = 2
    other = slow(edited, 0.0)
    trimap.data = other.data
    qtbot.waitUntil(lambda: not (widget.live.busy or widget.settling or widget.look.busy))
    assert not np.array_equal(scene_viewer.layers["alpha"].data, alpha)
    other.forget()
    other.seconds = 0.5
    widget.live.note_edit()
    qtbot.waitUntil(lambda: not widget.live.busy)
    assert min(other.beats) > _FEW
    assert threading.main_thread() not in other.readers


def test_a_copy_of_a_plane_does_not_follow_the_brush(viewer_model: Any) -> None:
    layer = viewer_model.layers["trimap"]
    copy = frozen_plane(layer, ())
    layer.data_setitem((np.array([2]), np.array([3])), 1)
    assert layer.data[2, 3] == 1
    assert copy[2, 3] == 2


def test_labels_that_cannot_be_read_are_said(
    qapp: Any, qtbot: Any, notifications: list[str], viewer_model: Any, slow: Any
) -> None:
    owner = QObject()
    look = LabelsLook(owner)
    waited = slow(viewer_model.layers["trimap"].data)
    layer = viewer_model.layers["trimap"]
    layer.data = waited.data
    waited.fails = True
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
