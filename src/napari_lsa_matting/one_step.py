"""One step of a Labels layer's undo history, made in several turns of the event loop while nobody else edits it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Labels

Where = tuple[int | slice, ...]


def is_being_edited(layer: Labels) -> bool:
    """Return whether a step of a layer's history has begun that has not ended, such as a stroke with the mouse."""
    return bool(layer._block_history)


@contextmanager
def one_step(layer: Labels) -> Iterator[None]:
    """Make all that is written within into one step of a layer's history, and keep the layer from other edits.

    napari shows it as not editable until then: it takes no strokes, and nothing can be taken back.
    """
    data, undo, redo = layer.data, layer._undo_history, layer._redo_history
    editable, mode = layer.editable, layer.mode
    layer.editable = False
    # napari does so itself where that is a change: the history that is set aside is not touched.
    layer._reset_history()
    with layer.block_history():
        try:
            yield
        finally:
            if layer.data is data:
                others = layer._undo_history  # of scripts, which nothing keeps from editing
                undo.extend(others)
                if others or layer._staged_history:
                    redo.clear()
                layer._undo_history, layer._redo_history = undo, redo
            else:  # every step is one of the data of before
                layer._reset_history()
            layer.editable = editable
            layer.mode = mode


def note_part(layer: Labels, where: Where, before: NDArray[Any], after: NDArray[Any]) -> None:
    """Add a part that is written to a layer's history; undo writes it along slices, as files are written fast."""
    layer._save_history((where, before, after))
