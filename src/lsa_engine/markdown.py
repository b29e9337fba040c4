"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(heads: Sequence[str], lines: Sequence[Sequence[str]], words: int) -> list[str]:
    """Return the lines of a table whose first `words` columns are text and the others numbers, aligned right."""
    rule = ["---"] * words + ["---:"] * (len(heads) - words)
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in (heads, rule, *lines)]
