"""Edits of a trimap that is kept in a file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QObject

from lsa_engine.errors import Cancelled
from lsa_engine.progress import CancelToken
from napari_lsa_matting.block_writing import BlockWriting
from napari_lsa_matting.plane_writer import PlaneEdit, PlaneWriter, find_changes

zarr = pytest.importorskip("zarr")

_SHAPE = (3, 1500, 2100)


@pytest.fixture
def array(tmp_path: Path) -> Any:
    """Labels in a file: unknown all over."""
    return zarr.create_array(tmp_path / "trimap.zarr", shape=_SHAPE, chunks=(1, 400, 512), dtype="u1")


@pytest.fixture
def after() -> Any:
    """A plane that is to come, which differs from the first in some of the chunks."""
    plane = np.zeros(_SHAPE[1:], np.uint8)
    plane[100:900, 10:700] = 1
    plane[1499, 2099] = 2
    return plane


class Writes:
    """Notes what is written to zarr arrays, by which thread, and the beats of the event loop meanwhile."""

    def __init__(self, patch: pytest.MonkeyPatch, heart: Any) -> None:
        self.places: list[Any] = []
        self.threads: set[threading.Thread] = set()
        self.beats: list[int] = []
        put = zarr.Array.__setitem__

        def write(array: Any, where: Any, values: Any) -> None:
            self.places.append(where)
            self.threads.add(threading.current_thread())
            self.beats.append(heart.sleep(0.3))
            put(array, where, values)

        patch.setattr(zarr.Array, "__setitem__", write)


def edit_of(plane: int, after: Any) -> PlaneEdit:
    before = np.zeros(_SHAPE[1:], np.uint8)
    return PlaneEdit((plane,), find_changes(before, after), before)


def test_files_are_written_beside_the_event_loop_along_their_chunks_and_only_where_they_change(
    array: Any, after: Any, qtbot: Any, heart: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = ViewerModel().add_labels(array)
    layer.mode = "paint"
    owner = QObject()
    writer = PlaneWriter(layer, [edit_of(1, after)], owner)
    with monkeypatch.context() as patch:
        writes = Writes(patch, heart)
        with qtbot.waitSignal(writer.finished):
            writer.start()
            assert not layer.editable
    assert threading.main_thread() not in writes.threads
    assert min(writes.beats) > 5  # what holds the event loop up lets none through
    assert writes.places == [
        (1, slice(0, 800), slice(0, 1024)),
        (1, slice(800, 1500), slice(0, 1024)),
        (1, slice(800, 1500), slice(2048, 2100)),
    ]
    assert layer.mode == "paint"
    np.testing.assert_array_equal(array[1], after)
    assert not array[0].any()
    layer.undo()
    assert not array[:].any()
    layer.redo()
    np.testing.assert_array_equal(array[1], after)
    assert not array[2].any()


def test_what_is_written_is_seen(array: Any, after: Any, qtbot: Any) -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(array)
    viewer.dims.set_current_step(0, 1)
    owner = QObject()
    writer = PlaneWriter(layer, [edit_of(1, after)], owner)
    with qtbot.waitSignal(writer.finished):
        writer.start()
    seen = [layer.get_value((1, *place)) for place in ((100, 10), (899, 699), (900, 700), (1499, 2099))]
    assert seen == [1, 1, 0, 2]


def test_a_plane_that_was_painted_on_meanwhile_is_left_alone(array: Any, after: Any, qtbot: Any) -> None:
    layer = ViewerModel().add_labels(array)
    array[1, 0, 0] = 2
    owner = QObject()
    writer = PlaneWriter(layer, [edit_of(1, after), edit_of(2, after)], owner)
    with qtbot.waitSignal(writer.finished):
        writer.start()
    assert writer.left_alone == [(1,)]
    assert np.count_nonzero(array[1]) == 1
    np.testing.assert_array_equal(array[2], after)


def test_a_writer_that_is_hurried_goes_on_where_its_worker_was(
    array: Any, after: Any, qtbot: Any, heart: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = ViewerModel().add_labels(array)
    owner = QObject()
    writer = PlaneWriter(layer, [edit_of(plane, after) for plane in range(3)], owner)
    ended: list[bool] = []
    writer.finished.connect(lambda: ended.append(True))
    with monkeypatch.context() as patch:
        writes = Writes(patch, heart)
        writer.start()
        qtbot.waitUntil(lambda: len(writes.places) >= 2)
        writer.finish()
    assert len(writes.places) == len(set(map(str, writes.places))) == 9
    assert ended == [True]
    assert writer.left_alone == []
    np.testing.assert_array_equal(array[:], [after] * 3)
    qtbot.wait(300)
    assert ended == [True]
    layer.undo()
    assert not array[:].any()


def test_what_a_full_disk_has_taken_can_be_undone(
    array: Any, after: Any, qtbot: Any, notifications: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = ViewerModel().add_labels(array)
    owner = QObject()
    writer = PlaneWriter(layer, [edit_of(0, after), edit_of(1, after)], owner)
    put, count = zarr.Array.__setitem__, iter(range(99))

    def fail_at_last(array: Any, where: Any, values: Any) -> None:
        if next(count) == 4:
            raise OSError("no space left on device")
        put(array, where, values)

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Array, "__setitem__", fail_at_last)
        with qtbot.waitSignal(writer.finished):
            writer.start()
    assert writer.left_alone == [(1,)]
    assert notifications == ["no space left on device"]
    assert array[1].any() and not np.array_equal(array[1], after)
    assert layer.editable
    layer.undo()
    assert not array[:].any()


def test_a_layer_that_is_given_other_data_is_written_to_no_more(
    array: Any, after: Any, qtbot: Any, heart: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = ViewerModel().add_labels(array)
    owner = QObject()
    writer = PlaneWriter(layer, [edit_of(0, after), edit_of(1, after)], owner)
    with monkeypatch.context() as patch:
        writes = Writes(patch, heart)
        writer.start()
        qtbot.waitUntil(lambda: len(writes.places) == 1)
        layer.data = np.ones((40, 50), np.uint8)
        with qtbot.waitSignal(writer.finished):
            pass
        qtbot.wait(500)
        assert len(writes.places) < 4
    assert writer.left_alone == [(0,), (1,)]
    assert layer.editable
    layer.undo()
    assert (layer.data == 1).all()


def test_a_cancelled_run_is_gone_on_with_by_the_next(array: Any, after: Any) -> None:
    writing = BlockWriting(array, [edit_of(0, after)])
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        writing.run(None, cancel)
    assert not array[:].any()
    writing.run(None, None)
    np.testing.assert_array_equal(array[0], after)
    assert writing.waiting == []


@pytest.mark.parametrize("chunks", [(3, 1500, 2100), (1, 7, 2100), (2, 1499, 3)])
def test_chunks_of_any_size_are_written(chunks: tuple[int, ...], tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "odd.zarr", shape=_SHAPE, chunks=chunks, dtype="i4")
    after = np.random.default_rng(0).integers(0, 3, _SHAPE[1:], np.uint8)
    BlockWriting(array, [edit_of(2, after)]).run(None, None)
    np.testing.assert_array_equal(array[2], after)
    assert not array[:2].any()


def test_an_array_without_an_index_is_written(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "flat.zarr", shape=(40, 50), chunks=(16, 16), dtype="u1")
    after = np.arange(2000, dtype=np.uint16).reshape(40, 50) % 3
    changes = find_changes(np.zeros((40, 50), np.uint8), after.astype(np.uint8))
    BlockWriting(array, [PlaneEdit((), changes)]).run(None, None)
    np.testing.assert_array_equal(array[:], after)


def test_an_error_is_raised_again_by_whoever_wants_to_finish(
    array: Any, after: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(array: Any, where: Any, values: Any) -> None:
        raise OSError("no space left on device")

    writing = BlockWriting(array, [edit_of(0, after)])
    with monkeypatch.context() as patch:
        patch.setattr(zarr.Array, "__setitem__", fail)
        with pytest.raises(OSError, match="no space"):
            writing.run(None, None)
    with pytest.raises(OSError, match="no space"):  # else the plane would count as written
        writing.run(None, None)
    assert [edit.index for edit in writing.waiting] == [(0,)]
