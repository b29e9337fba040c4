"""Tables that survive being cut off, and refuse to replace another program's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from lsa_engine.errors import FileError
from lsa_engine.image_io.record import Record


@dataclass(frozen=True)
class Made:
    name: str
    rows: int
    gap: float | None
    note: str


LINES = (Made("a, b.png", 3, 0.1, 'said "no", and left'), Made("ü .png", 4, None, ""))
HEADER = "name,rows,gap,note"


def test_lines_come_back_as_they_were_written(tmp_path: Path) -> None:
    with Record(tmp_path / "t.csv", Made) as record:
        for line in LINES:
            record.add(line)
    assert Record(tmp_path / "t.csv", Made).lines == {line.name: line for line in LINES}
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines() == [
        HEADER,
        '"a, b.png",3,0.1,"said ""no"", and left"',
        "ü .png,4,,",
    ]


def test_a_table_cut_off_anywhere_keeps_its_whole_lines_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    record = Record(path, Made)
    for line in LINES:
        record.add(line)
    content = path.read_bytes()
    ends = [at for at, byte in enumerate(content) if byte == ord("\n")]
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        again = Record(path, Made)
        whole = sum(end < length for end in ends)
        assert list(again.lines.values()) == list(LINES[: max(0, whole - 1)])
        again.add(Made("last.png", 1, None, ""))
        assert set(Record(path, Made).lines) == {*again.lines, "last.png"}
        assert path.read_text(encoding="utf-8").count(HEADER) == 1


def test_the_last_line_of_a_name_counts_and_is_alone_in_the_end_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with Record(path, Made) as record:
        for name, rows in (("b.png", 1), ("a.png", 2), ("b.png", 3)):
            record.add(Made(name, rows, None, ""))
        assert len(path.read_text().splitlines()) == 4
    assert path.read_text().splitlines() == [HEADER, "a.png,2,,", "b.png,3,,"]


@pytest.mark.parametrize("content", ["name;rows\na;1\n", "my notes", "name,rows,gap\na,1,2\n"])
def test_another_table_is_refused_and_left_as_it_is(content: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(FileError, match="is not a table that this command wrote"):
        Record(path, Made)
    assert path.read_text() == content


def test_a_name_that_no_alphabet_has_is_kept(tmp_path: Path) -> None:
    line = Made("\udcff.png", 1, None, "")
    Record(tmp_path / "t.csv", Made).add(line)
    assert Record(tmp_path / "t.csv", Made).lines == {line.name: line}


def test_a_record_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    record = Record(tmp_path / "gone" / "t.csv", Made)
    with pytest.raises(FileError, match="nobody would know what was done"):
        record.add(LINES[0])
