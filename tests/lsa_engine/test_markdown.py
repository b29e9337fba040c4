from __future__ import annotations

from lsa_engine.markdown import markdown_table


def test_numbers_are_aligned_right_and_bars_in_cells_are_escaped() -> None:
    assert markdown_table(["name", "n"], [["a|b", "3"]], words=1) == ["| name | n |", "| --- | ---: |", r"| a\|b | 3 |"]
