"""A table of measurements: one row an object, or, of a single one, one row a quantity."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTableView

Cell = int | float | str

_MOST_ROWS = 14  # seen at once
_DIGITS = 5
_TEXT, _TIP = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole
_TOLD = (_TEXT, _TIP, Qt.ItemDataRole.TextAlignmentRole)
_ON_THE_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


class TableModel(QAbstractTableModel):
    """Columns of numbers, of which cells are made into text only when they are seen: there may be many objects."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        """The names of the columns."""
        self._columns: list[list[Cell]] = []
        self._order: list[int] = []
        self.turned = False

    def set_columns(self, columns: Mapping[str, Sequence[Cell]]) -> None:
        """Show other columns, all of the same length; a single row is turned into a column."""
        self.beginResetModel()
        self.turned = all(len(cells) == 1 for cells in columns.values())
        if self.turned:
            columns = {"quantity": list(columns), "value": [cells[0] for cells in columns.values()]}
        self.names, self._columns = list(columns), [list(cells) for cells in columns.values()]
        self._order = list(range(len(self._columns[0])))
        self.endResetModel()

    def row(self, row: int) -> list[Cell]:
        """Return the cells of a row, as sorted now."""
        return [cells[self._order[row]] for cells in self._columns]

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of rows."""
        return len(self._order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return len(self._columns)

    def data(self, index: QModelIndex, role: int = _TEXT) -> object:
        """Return what Qt wants to know of a cell."""
        if role not in _TOLD or not index.isValid():  # Qt asks for fonts, colours and icons of every cell too
            return None
        cell = self._columns[index.column()][self._order[index.row()]]
        if role == _TEXT:
            return _short(cell)
        if role == _TIP:
            return str(cell)
        return None if isinstance(cell, str) else _ON_THE_RIGHT

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _TEXT) -> object:
        """Return the name of a column."""
        if orientation == Qt.Orientation.Horizontal and role in (_TEXT, _TIP) and section < len(self.names):
            return self.names[section]
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort the rows by a column; what is undefined comes last either way."""
        if not 0 <= column < len(self._columns):
            return
        values = _sort_keys(self._columns[column])
        self.layoutAboutToBeChanged.emit()
        keys = values if order == Qt.SortOrder.AscendingOrder else -values
        self._order = [int(row) for row in np.argsort(keys, kind="stable")]
        self.layoutChanged.emit()


class TableView(QTableView):
    """A table whose rows can be sorted by a click on a column's name, and copied."""

    def __init__(self) -> None:
        super().__init__()
        self.table = TableModel()
        self.setModel(self.table)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setWordWrap(False)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._rows, self._names = cast(QHeaderView, self.verticalHeader()), cast(QHeaderView, self.horizontalHeader())
        self._rows.hide()
        self._rows.setDefaultSectionSize(self.fontMetrics().height() + 8)
        self._names.setResizeContentsPrecision(_MOST_ROWS)  # a look at all rows would take long
        self.setToolTip("Ctrl+C copies the selected rows, Ctrl+A selects all.")

    def show_columns(self, columns: Mapping[str, Sequence[Cell]]) -> None:
        """Show other columns, in the order given."""
        self.setSortingEnabled(False)
        self.table.set_columns(columns)
        self._names.setStretchLastSection(self.table.turned)
        if not self.table.turned:
            self._names.setSortIndicator(0, Qt.SortOrder.AscendingOrder)
            self.setSortingEnabled(True)
        self.resizeColumnsToContents()
        height = self._names.sizeHint().height() + 2 * self.frameWidth()
        height += min(_MOST_ROWS, self.table.rowCount()) * self._rows.defaultSectionSize()
        bar = self.horizontalScrollBar()
        if bar is not None and not self.table.turned:
            height += bar.sizeHint().height()
        self.setFixedHeight(height)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Copy the selected rows when the user asks for it."""
        if event is not None and event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
            event.accept()
            return
        super().keyPressEvent(event)

    def copy(self) -> None:
        """Put the selected rows on the clipboard, in full precision, with the columns' names, for a spreadsheet."""
        selection, clipboard = self.selectionModel(), QGuiApplication.clipboard()
        rows = sorted(index.row() for index in selection.selectedRows()) if selection is not None else []
        if rows and clipboard is not None:
            lines = [self.table.names, *([_full(cell) for cell in self.table.row(row)] for row in rows)]
            clipboard.setText("\n".join("\t".join(line) for line in lines))


def _short(cell: Cell) -> str:
    if not isinstance(cell, float):
        return str(cell)
    if math.isnan(cell):
        return "–"
    if cell == 0 or not 1e-4 <= abs(cell) < 1e9:
        return f"{cell:.{_DIGITS}g}"
    # All digits before the point, and as many behind it as make five: 0.12500, 664.02, 212940.
    return f"{cell:.{max(0, _DIGITS - 1 - math.floor(math.log10(abs(cell))))}f}"


def _sort_keys(cells: Sequence[Cell]) -> NDArray[np.float64]:
    """Return numbers in the order of the cells: numbers themselves, words by the alphabet and the numbers in them."""
    if not any(isinstance(cell, str) for cell in cells):
        return np.array(cells, dtype=float)
    # "cell 10" comes after "cell 9".
    parts = [[(len(part), part) if part.isdecimal() else (0, part) for part in _parts(str(cell))] for cell in cells]
    ranks = {tuple(key): rank for rank, key in enumerate(sorted(parts))}
    return np.array([ranks[tuple(key)] for key in parts], dtype=float)


def _parts(text: str) -> list[str]:
    return re.split(r"(\d+)", text.casefold())


def _full(cell: Cell) -> str:
    return "" if isinstance(cell, float) and math.isnan(cell) else str(cell)
