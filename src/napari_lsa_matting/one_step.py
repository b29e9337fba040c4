"""One step of a Labels layer's undo history, made in several turns of the event loop while nobody else edits it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Labels

Where = tuple[int | slice, ...]

_LOG = logging.getLogger(__name__)
# Where napari keeps the history, which it makes nothing public of but block_history; another version may do otherwise.
_HISTORY = ("_undo_history", "_redo_history", "_staged_history", "_reset_history")


def is_being_edited(layer: Labels) -> bool:
    """Return whether a step of a layer's history has begun that has not ended, such as a stroke with the mouse."""
    return bool(getattr(layer, "_block_history", False))


@contextmanager
def one_step(layer: Labels) -> Iterator[None]:
    """Make all that is written within into one step of a layer's history, and keep the layer from other edits.

    napari shows it as not editable until then: it takes no strokes, and nothing can be taken back. A version of
    napari that keeps its history elsewhere takes strokes meanwhile, and counts them to the step.
    """
    if not all(hasattr(layer, name) for name in _HISTORY):
        with layer.block_history():  # still editable: napari forgets the history of what is not
            yield
        return
    data, undo, redo = layer.data, layer._undo_history, layer._redo_history
    editable, mode, pans = layer.editable, layer.mode, layer.mouse_pan
    layer.editable = False
    layer.mouse_pan = pans  # else what is meant as a stroke would move the picture
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
    save = getattr(layer, "_save_history", None)
    if save is None:
        _LOG.warning("This version of napari keeps its history elsewhere: what was written to files cannot be undone.")
        return
    save((where, before, after))
