"""Edits of a Labels layer's planes that napari can undo in one step, written without holding up the event loop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QTimer, Signal

from napari_lsa_matting.block_writing import BlockWriting
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.layers import Index, full_data
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.one_step import is_being_edited, note_part, one_step
from napari_lsa_matting.trimap_layer import plane_of

if TYPE_CHECKING:
    from napari.layers import Labels

_AT_ONCE = 50_000
_SECONDS_AT_ONCE = 0.015
_LOOK_EVERY_MS = 20


@dataclass(frozen=True, eq=False)
class PlaneChanges:
    """The pixels of a plane that change.

    Attributes
    ----------
    rows, columns : array (N,) of unsigned integers
        Where, in the smallest type that holds the plane's size: the undo history keeps them.
    values : array (N,) of uint8
        The new labels.
    """

    rows: NDArray[Any]
    columns: NDArray[Any]
    values: NDArray[np.uint8]


def find_changes(before: NDArray[Any], after: NDArray[np.uint8]) -> PlaneChanges:
    """Return where two planes (H, W) differ: work for a worker."""
    small = np.min_scalar_type(max(before.shape))
    rows, columns = np.nonzero(before != after)
    return PlaneChanges(rows.astype(small), columns.astype(small), after[rows, columns])


@dataclass(frozen=True, eq=False)
class PlaneEdit:
    """What is to be written to a plane.

    Attributes
    ----------
    index : tuple of int
        The plane.
    changes : PlaneChanges
        Its new labels.
    before : array (H, W), optional
        The plane as it must still be, or it is left alone.
    """

    index: Index
    changes: PlaneChanges
    before: NDArray[Any] | None = None


class PlaneWriter(QObject):
    """Write edits into a Labels layer, bit by bit between other events, as one step of its undo history.

    napari's own ``data_setitem`` takes seconds for some million pixels, in which the window does not answer. Until all
    is written, the layer takes no other edits. Data that are no array in memory are written by a worker. A window that
    is closed waits until all is written: what is half written in a file would stay so.

    Parameters
    ----------
    layer : napari.layers.Labels
        What to write to.
    edits : sequence of PlaneEdit
        What to write, plane after plane.
    parent : QObject
        Owner. Before it goes it must call :meth:`finish`, or the layer's history stays open.

    Attributes
    ----------
    left_alone : list of tuple of int
        Planes that are no longer as they were, that the layer no longer has, or that could not be written.
    """

    finished = Signal()
    """All is written."""

    def __init__(self, layer: Labels, edits: Sequence[PlaneEdit], parent: QObject) -> None:
        super().__init__(parent)
        self.left_alone: list[Index] = []
        self._layer, self._data, self._waiting = layer, full_data(layer), list(edits)
        self._several = len(edits) > 1
        self._done = 0
        self._history = ExitStack()
        self._begun = False
        self._blocks: BlockWriting | None = None
        self._job: Job | None = None
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._take_turn)

    def start(self) -> None:
        """Begin, once a stroke that the mouse is drawing, or another writer, has ended."""
        self._timer.start(_LOOK_EVERY_MS)
        _outermost(self).installEventFilter(self)  # not kept: Python would destroy the window with this, its child
        if not is_being_edited(self._layer):
            self._begin()

    def finish(self) -> None:
        """Write what is left at once."""
        if self._timer.isActive() and not self._begun:
            self._begin()
        if self._timer.isActive() and self._job is not None and self._blocks is not None:
            self._job.cancel()
            try:
                self._blocks.run(None, None)
            except Exception as error:  # noqa: BLE001 (as from the job)
                self._fail(error)
            else:
                self._end()
        while self._timer.isActive():
            self._take_turn()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Write what is left before the window closes; should it stay open after all, no harm is done."""
        if event is not None and event.type() == QEvent.Type.Close:
            self.finish()
        return False

    def _take_turn(self) -> None:
        if not self._begun:
            if is_being_edited(self._layer):
                return
            self._begin()
        if full_data(self._layer) is not self._data:
            self._give_up()
            self._end()
        elif self._blocks is None:
            self._write_some()

    def _begin(self) -> None:
        self._begun = True
        self._history.enter_context(one_step(self._layer))
        if isinstance(self._data, np.ndarray):
            self._timer.start(0)
            return
        # Files are read and written by a worker; here it is only looked whether the layer still has them.
        self._blocks = BlockWriting(self._data, self._waiting)
        self._waiting.clear()
        self._job = Job("Writing the trimap", self._blocks.run, self)
        self._job.succeeded.connect(self._end)
        self._job.failed.connect(self._fail)
        self._job.start()

    def _write_some(self) -> None:
        end = time.perf_counter() + _SECONDS_AT_ONCE
        try:
            while self._waiting and time.perf_counter() < end:
                self._write_part(self._waiting[0])
        except Exception as error:  # noqa: BLE001 (the data may be files: else it came back at every turn of the loop)
            self._fail(error)
            return
        if not self._waiting:
            self._end()

    def _fail(self, error: Exception) -> None:
        self._give_up()
        self._end()
        notify_error(error)

    def _end(self, _: object = None) -> None:
        self._timer.stop()
        if self._blocks is not None:
            self._note_blocks(self._blocks)
        self._history.close()
        if self._several or self._blocks is not None:
            self._layer.refresh()
        self.finished.emit()
        self.deleteLater()

    def _note_blocks(self, blocks: BlockWriting) -> None:
        self.left_alone += blocks.left_alone
        if full_data(self._layer) is self._data:
            for part in blocks.written:
                note_part(self._layer, part.where, part.before, part.after)

    def _give_up(self) -> None:
        if self._job is not None:
            self._job.cancel()
        waiting = self._waiting if self._blocks is None else self._blocks.waiting
        self.left_alone += [edit.index for edit in waiting]
        self._waiting.clear()

    def _write_part(self, edit: PlaneEdit) -> None:
        changes = edit.changes
        then = edit.before if self._done == 0 else None
        if then is not None and not np.array_equal(plane_of(self._layer, edit.index), then):
            self.left_alone.append(edit.index)
            self._waiting.pop(0)
            return
        part = slice(self._done, self._done + _AT_ONCE)
        rows, columns, values = changes.rows[part], changes.columns[part], changes.values[part]
        # In small types: the undo history keeps them.
        where = (*(np.full(rows.size, step, np.min_scalar_type(step)) for step in edit.index), rows, columns)
        self._done += _AT_ONCE
        last = self._done >= changes.values.size
        # Shown once, at the end: napari remembers what is to be redrawn of a plane.
        self._layer.data_setitem(where, values, refresh=last and not self._several)
        if last:
            self._done = 0
            self._waiting.pop(0)


def _outermost(owner: QObject) -> QObject:
    """Return the window that an object is in, also where its dock floats in one of its own."""
    while (parent := owner.parent()) is not None:
        owner = parent
    return owner
