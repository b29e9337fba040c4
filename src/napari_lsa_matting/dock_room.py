"""Room for several docks of ours at the side of a window: one above the other, or behind each other as tabs."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

_LEAST_HEIGHT = 400


def share_room(widget: QWidget, before: Iterable[QWidget]) -> None:
    """Give a widget whose dock was just opened, and those that were opened before, enough room.

    napari puts a new dock below the others and gives it all the height it asks for, which leaves a strip to them.

    Parameters
    ----------
    widget : QWidget
        In a dock that is shown; one that floats, or is a tab already, stays as it is.
    before : iterable of QWidget
        The others that it shares the room with.
    """
    dock = dock_of(widget)
    window = None if dock is None else dock.parent()
    if dock is None or not isinstance(window, QMainWindow) or dock.isFloating() or window.tabifiedDockWidgets(dock):
        return
    area = window.dockWidgetArea(dock)
    docks = [other for each in before if (other := dock_of(each)) is not None]
    others = [
        other for other in docks if not other.isFloating() and window.dockWidgetArea(other) == area and _is_open(other)
    ]
    if not others:
        return
    crowded = window.height() // (len(others) + 1) < _LEAST_HEIGHT
    if crowded or any(window.tabifiedDockWidgets(other) for other in others):
        window.tabifyDockWidget(others[-1], dock)
        dock.show()
        dock.raise_()
    else:
        together = [*others, dock]
        window.resizeDocks(together, [window.height() // len(together)] * len(together), Qt.Orientation.Vertical)


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that a widget is in."""
    parent: QWidget | None = widget
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


def _is_open(dock: QDockWidget) -> bool:
    """Return whether a dock is seen, or is a tab behind another; one that was closed is neither."""
    action = dock.toggleViewAction()
    return action is not None and action.isChecked()
