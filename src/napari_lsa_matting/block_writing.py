"""Edits of planes that are kept in files (zarr), written part by part along the files' chunks."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.layers import Index, plane_at

if TYPE_CHECKING:
    from napari_lsa_matting.one_step import Where
    from napari_lsa_matting.plane_writer import PlaneEdit

_PART = 1024
_AT_ONCE = 1 << 18


@dataclass(frozen=True, eq=False)
class WrittenPart:
    """A part of the data that was written.

    Attributes
    ----------
    where : tuple of int or slice
        Where it lies.
    before, after : array (h, w)
        What was there, and what is.
    """

    where: Where
    before: NDArray[Any]
    after: NDArray[Any]


class BlockWriting:
    """Write edits to data that are no array in memory: work for a worker, which another thread may finish.

    Parameters
    ----------
    data : array_like (…, H, W)
        What to write to; read and written along slices only.
    edits : sequence of PlaneEdit
        What to write, plane after plane.

    Attributes
    ----------
    written : list of WrittenPart
        What was written up to now.
    left_alone : list of tuple of int
        Planes that were no longer as they must be.
    waiting : list of PlaneEdit
        What is not written whole yet.
    """

    def __init__(self, data: Any, edits: Sequence[PlaneEdit]) -> None:
        self.written: list[WrittenPart] = []
        self.left_alone: list[Index] = []
        self.waiting = list(edits)
        self._data = data
        self._parts = self._write_all()
        self._error: Exception | None = None
        self._lock = threading.Lock()

    def run(self, progress: ProgressCallback | None, cancel: CancelToken | None) -> None:
        """Write what is left.

        Raises
        ------
        Cancelled
            Between two parts; another call goes on from there.
        Exception
            Whatever the data raise; nothing more is written then, and another call raises it again.
        """
        steps = Steps("writing the trimap", len(self.waiting), progress, cancel)
        with self._lock:
            if self._error is not None:
                raise self._error
            for _ in self._parts:
                steps.check()

    def _write_all(self) -> Iterator[None]:
        try:
            while self.waiting:
                yield from self._write(self.waiting[0])
                self.waiting.pop(0)
        except Exception as error:
            self._error = error
            raise

    def _write(self, edit: PlaneEdit) -> Iterator[None]:
        before = np.array(plane_at(self._data, edit.index))
        if edit.before is not None and not np.array_equal(before, edit.before):
            self.left_alone.append(edit.index)
            return
        after = before.copy()
        changes = edit.changes
        for first in range(0, changes.values.size, _AT_ONCE):  # numpy makes long indices of them, and threads wait
            some = slice(first, first + _AT_ONCE)
            after[changes.rows[some], changes.columns[some]] = changes.values[some]
            yield
        for part in _parts_of(before.shape, self._data):
            old, new = before[part], after[part]
            if not np.array_equal(old, new):
                where: Where = (*edit.index, *part)
                self._data[where] = new
                # Copies: the history keeps no more than what has changed.
                self.written.append(WrittenPart(where, old.copy(), new.copy()))
            yield


def _parts_of(shape: tuple[int, ...], data: Any) -> Iterator[tuple[slice, slice]]:
    """Yield parts of a plane that no chunk lies in two of, each a megapixel or a chunk."""
    chunks = getattr(data, "shards", None) or getattr(data, "chunks", None)
    sizes = chunks[-2:] if isinstance(chunks, tuple) and all(isinstance(size, int) for size in chunks) else (1, 1)
    axes = []
    for length, size in zip(shape, sizes, strict=True):
        step = max(1, _PART // size) * size
        axes.append([slice(first, min(first + step, length)) for first in range(0, length, step)])
    yield from product(*axes)
