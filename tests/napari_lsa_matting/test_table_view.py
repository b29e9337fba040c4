"""The table of measurements."""

from __future__ import annotations

import math
from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_lsa_matting.table_view import TableView


@pytest.fixture
def table(qtbot: Any) -> TableView:
    view = TableView()
    qtbot.addWidget(view)
    return view


def cells(table: TableView) -> list[list[str]]:
    model = table.table
    return [
        [str(model.data(model.index(row, column))) for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]


def test_numbers_are_short_and_what_is_undefined_is_a_dash(table: TableView) -> None:
    widths = [1 / 3, math.nan, 12.5, 212941.6, -1.5e-6, 0.0]
    table.show_columns({"object": list(range(6)), "width": widths})
    assert [row[1] for row in cells(table)] == ["0.33333", "–", "12.500", "212942", "-1.5e-06", "0"]


def test_rows_are_sorted_by_value_with_the_undefined_last(table: TableView) -> None:
    table.show_columns({"object": [1, 2, 3], "width": [10.0, math.nan, 9.0]})
    table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert [row[0] for row in cells(table)] == ["3", "1", "2"]
    table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert [row[0] for row in cells(table)] == ["1", "3", "2"]


def test_words_are_sorted_by_the_alphabet_and_the_numbers_in_them(table: TableView) -> None:
    table.show_columns({"object": ["cell 10", "Mother", "cell 9", "cell 9"], "width": [1.0, 2.0, 3.0, 4.0]})
    assert [row[0] for row in cells(table)] == ["cell 9", "cell 9", "cell 10", "Mother"]
    table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert [row[1] for row in cells(table)] == ["2.0000", "1.0000", "3.0000", "4.0000"]


def test_a_single_object_stands_upright_and_is_not_sorted(table: TableView) -> None:
    table.show_columns({"object": [1], "width": [2.5]})
    assert table.table.names == ["quantity", "value"]
    assert cells(table) == [["object", "1"], ["width", "2.5000"]]
    assert not table.isSortingEnabled()


def test_new_columns_come_in_their_order_whatever_was_sorted_before(table: TableView) -> None:
    table.show_columns({"object": [1, 2]})
    table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    table.show_columns({"object": [4, 5, 6]})
    assert cells(table) == [["4"], ["5"], ["6"]]
