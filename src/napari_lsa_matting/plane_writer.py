"""Edits of a Labels layer's planes that napari can undo in one step, written without holding up the event loop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_lsa_matting.layers import Index, full_data
from napari_lsa_matting.notifications import notify_error
from napari_lsa_matting.trimap_layer import plane_of

if TYPE_CHECKING:
    from napari.layers import Labels

_AT_ONCE = 50_000
_SECONDS_AT_ONCE = 0.015


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

    napari's own ``data_setitem`` takes seconds for some million pixels, in which the window does not answer.

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
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._write_some)

    def start(self) -> None:
        """Begin."""
        self._history.enter_context(self._layer.block_history())
        self._timer.start(0)

    def finish(self) -> None:
        """Write what is left at once."""
        while self._timer.isActive():
            self._write_some()

    def _write_some(self) -> None:
        if full_data(self._layer) is not self._data:
            self._give_up()
        end = time.perf_counter() + _SECONDS_AT_ONCE
        try:
            while self._waiting and time.perf_counter() < end:
                self._write_part(self._waiting[0])
        except Exception as error:  # noqa: BLE001 (the data may be files: else it came back at every turn of the loop)
            self._give_up()
            notify_error(error)
        if not self._waiting:
            self._timer.stop()
            self._history.close()
            if self._several:
                self._layer.refresh()
            self.finished.emit()
            self.deleteLater()

    def _give_up(self) -> None:
        self.left_alone += [edit.index for edit in self._waiting]
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
