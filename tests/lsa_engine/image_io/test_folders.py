"""Which pictures a folder holds, and what is not to be replaced in it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from lsa_engine.errors import FileError
from lsa_engine.image_io.folders import pictures_by_stem, pictures_in, refuse_foreign_files


def test_pictures_are_files_with_a_pictures_suffix_that_are_not_hidden(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpeg", ".c.png", "d.txt", "e"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in pictures_in(tmp_path)] == ["a.jpeg", "b.PNG"]


def test_accents_stored_in_two_ways_are_one_name(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "Café")
    (tmp_path / f"{apart}.png").touch()
    assert list(pictures_by_stem(tmp_path)) == ["Café"]
    assert apart != "Café"


def test_foreign_files_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    names = [f"{number:02}.png" for number in range(11)]
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(FileError, match=r"10 files that a test did not put there \(01.png, .*08.png and 2 more\)"):
        refuse_foreign_files(tmp_path, names, {"00.png"}, "a test")
    refuse_foreign_files(tmp_path, names, names, "a test")
