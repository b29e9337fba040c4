"""Edits of a Labels layer that can be undone in one step."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import QObject, QTimer

from napari_lsa_matting.plane_writer import PlaneEdit, PlaneWriter, find_changes


def write(qtbot: Any, layer: Any, index: tuple[int, ...], after: Any) -> None:
    owner = QObject()
    changes = find_changes(layer.data[index], after)
    writer = PlaneWriter(layer, [PlaneEdit(index, changes)], owner)
    with qtbot.waitSignal(writer.finished):
        writer.start()


def test_a_plane_is_replaced_in_one_step_that_can_be_undone_and_redone(qtbot: Any) -> None:
    rng = np.random.default_rng(0)
    before, after = rng.integers(0, 3, (2, 400, 500), np.uint8)
    layer = ViewerModel().add_labels(np.stack([before, before]))
    write(qtbot, layer, (1,), after)
    np.testing.assert_array_equal(layer.data, [before, after])
    layer.undo()
    np.testing.assert_array_equal(layer.data, [before, before])
    layer.redo()
    np.testing.assert_array_equal(layer.data, [before, after])


def test_a_writer_that_is_hurried_leaves_nothing_out(qtbot: Any) -> None:
    layer = ViewerModel().add_labels(np.zeros((700, 900), np.uint8))
    owner = QObject()
    changes = find_changes(layer.data, np.full((700, 900), 2, np.uint8))
    writer = PlaneWriter(layer, [PlaneEdit((), changes)], owner)
    writer.start()
    writer.finish()
    assert (layer.data == 2).all()
    layer.undo()
    assert not layer.data.any()


def test_nothing_more_is_written_to_a_layer_that_was_given_other_data(qtbot: Any) -> None:
    layer = ViewerModel().add_labels(np.zeros((3, 40, 50), np.uint8))
    owner = QObject()
    before, after = np.zeros((40, 50), np.uint8), np.full((40, 50), 2, np.uint8)
    edits = [PlaneEdit((plane,), find_changes(before, after), before) for plane in (1, 2)]
    writer = PlaneWriter(layer, edits, owner)
    writer.start()
    layer.data = np.ones((1, 40, 50), np.uint8)  # which has no such planes
    with qtbot.waitSignal(writer.finished):
        pass
    assert writer.left_alone == [(1,), (2,)]
    assert (layer.data == 1).all()


def test_an_error_of_the_data_ends_the_writing_and_is_told_once(qtbot: Any, notifications: list[str]) -> None:
    labels = np.zeros((3, 40, 50), np.uint8)
    layer = ViewerModel().add_labels(labels)
    owner = QObject()
    after = np.full((40, 50), 2, np.uint8)
    edits = [PlaneEdit((plane,), find_changes(labels[plane], after)) for plane in (1, 2)]
    writer = PlaneWriter(layer, edits, owner)
    writer.start()
    labels.flags.writeable = False  # as a file that can no longer be written
    with qtbot.waitSignal(writer.finished):
        pass
    assert writer.left_alone == [(1,), (2,)]
    assert notifications == ["assignment destination is read-only"]


def test_the_history_keeps_four_bytes_for_a_place_in_a_usual_plane() -> None:
    changes = find_changes(np.zeros((300, 400), np.uint8), np.ones((300, 400), np.uint8))
    assert changes.rows.dtype == changes.columns.dtype == np.uint16
    np.testing.assert_array_equal(changes.rows.reshape(300, 400)[:, 0], np.arange(300))


def test_twelve_megapixels_are_written_and_undone_while_the_window_answers(qtbot: Any) -> None:
    layer = ViewerModel().add_labels(np.zeros((3000, 4000), np.uint8))
    after = np.ones((3000, 4000), np.uint8)
    after[1000:2000] = 0
    layer.data_setitem((np.array([0]), np.array([0])), 2)  # whatever is compiled at first is compiled now
    gaps: list[float] = []
    last = 0.0

    def tick() -> None:  # in time of this thread: other programs on the machine do not count
        nonlocal last
        now = time.thread_time()
        gaps.append(now - last)
        last = now

    timer = QTimer()
    timer.timeout.connect(tick)
    changes = find_changes(layer.data, after)
    assert changes.values.size == 8_000_000
    owner = QObject()
    writer = PlaneWriter(layer, [PlaneEdit((), changes)], owner)
    timer.start(0)
    last = time.thread_time()
    with qtbot.waitSignal(writer.finished):
        writer.start()
    timer.stop()
    np.testing.assert_array_equal(layer.data, after)
    assert np.quantile(gaps, 0.9) < 0.05
    layer.undo()
    assert np.count_nonzero(layer.data) == 1
