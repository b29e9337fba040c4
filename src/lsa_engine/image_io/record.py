"""Tables of what was made in a folder, by which a run that was stopped goes on where it was."""

from __future__ import annotations

import csv
import io
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from types import NoneType, TracebackType
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, get_args, get_type_hints

from lsa_engine.errors import FileError
from lsa_engine.image_io.atomic import atomic_path


class Line(Protocol):
    """A dataclass whose fields are text, numbers, or one of these or None; `name` tells the lines apart."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """What the line is about."""
        ...


LineT = TypeVar("LineT", bound=Line)


class Record(Generic[LineT]):
    """A table in a file: read at the start, then only added to, and at the end brought to one line a name, in order.

    What is added is on the disk before :meth:`add` returns. A line that was cut off when a run was killed is dropped,
    of several lines of one name the last counts. Threads may share one.

    Parameters
    ----------
    path : Path
        A CSV file; it is made with the first line.
    kind : type
        The lines' dataclass, whose fields are the columns.

    Raises
    ------
    FileError
        If the file cannot be read, or is another table.

    Attributes
    ----------
    lines : dict of str to line
        By name.
    """

    def __init__(self, path: Path, kind: type[LineT]) -> None:
        self.path = path
        self.lines: dict[str, LineT] = {}
        self._kind = kind
        self._lock = threading.Lock()
        self._written: list[str] = []
        self._begun = False
        if path.exists():
            if self._read():
                self.tidy()
            else:
                self._rewrite()

    def add(self, line: LineT) -> None:
        """Append a line and see it safely on the disk.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        with self._lock:
            text = to_csv([line], self._kind, header=not self._begun)
            try:
                with self.path.open("a", encoding="utf-8", errors="surrogateescape", newline="") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise FileError(
                    f"Cannot write {self.path} ({error.strerror}), so nobody would know what was done: "
                    "check the disk and the folder."
                ) from error
            self._begun = True
            self._written.append(line.name)
            self.lines[line.name] = line

    def tidy(self) -> None:
        """Write the table anew with one line a name, by name, if it is not so.

        Raises
        ------
        FileError
            If the file cannot be written; it is then left as it was.
        """
        with self._lock:
            if self._written != sorted(self.lines):
                self._rewrite()

    def _rewrite(self) -> None:
        self.lines = {name: self.lines[name] for name in sorted(self.lines)}
        write_csv(self.path, self.lines.values(), self._kind)
        self._written = list(self.lines)
        self._begun = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.tidy()

    def _read(self) -> bool:
        """Take the lines that are there; return whether there is nothing else."""
        try:
            with self.path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
                text = file.read()
        except OSError as error:
            raise FileError(f"{self.path} cannot be read ({error.strerror}): choose another folder.") from error
        header = ",".join(_columns(self._kind))
        first, ended, _ = text.partition("\n")
        if first.rstrip("\r") != header if ended else not header.startswith(first):
            raise FileError(
                f"{self.path} is not a table that this command wrote ({header}), and it would be lost: "
                "choose another folder."
            )
        whole = text[: text.rfind("\n") + 1]
        rows = list(csv.reader(io.StringIO(whole, newline="")))[1:]
        for row in rows:
            line = _parsed(row, self._kind)
            if line is not None:
                self.lines[line.name] = line
                self._written.append(line.name)
        self._begun = bool(ended)
        return len(whole) == len(text) and len(rows) == len(self._written)


def to_csv(lines: Iterable[LineT], kind: type[LineT], *, header: bool = True) -> str:
    """Return lines of a table as CSV, with its header or without."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    columns = _columns(kind)
    if header:
        writer.writerow(columns)
    writer.writerows([getattr(line, column) for column in columns] for line in lines)
    return text.getvalue()


def write_csv(path: Path, lines: Iterable[LineT], kind: type[LineT]) -> None:
    """Write a table to a file, whole or not at all.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(to_csv(lines, kind).encode("utf-8", "surrogateescape"))


def _columns(kind: type[LineT]) -> list[str]:
    return [field.name for field in fields(kind)]


def _parsed(row: Sequence[str], kind: type[LineT]) -> LineT | None:
    """Return a line of the table; None for one that was altered."""
    hints = get_type_hints(kind)
    columns = _columns(kind)
    if len(row) != len(columns):
        return None
    try:
        return kind(**{column: _value(text, hints[column]) for column, text in zip(columns, row, strict=True)})
    except ValueError:
        return None


def _value(text: str, hint: Any) -> Any:
    types = get_args(hint) or (hint,)
    return None if text == "" and NoneType in types else types[0](text)
