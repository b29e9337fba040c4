"""Folders of pictures: which there are, what has changed, and what must not be replaced."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from lsa_engine.errors import DataError, FileError

PICTURE_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".webp"})
"""Suffixes, in lower case, of the files in a folder that are taken for pictures."""

_LISTED = 8


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder by name, without hidden files."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def pictures_by_stem(folder: Path) -> dict[str, Path]:
    """Return the pictures of a folder by their names without suffix, sorted.

    A name is the same however its accents are stored: copied from a Mac they come apart from their letters.

    Raises
    ------
    DataError
        If the folder is missing or holds no picture, or two of them share a name.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder, but a folder of pictures is expected: check the path.")
    found: dict[str, Path] = {}
    for path in pictures_in(folder):
        stem = unicodedata.normalize("NFC", path.stem)
        if stem in found:
            raise DataError(
                f"{folder} holds two pictures named {stem} ({found[stem].name}, {path.name}), but one of a "
                "name is expected: take one out."
            )
        found[stem] = path
    if not found:
        raise DataError(f"{folder} holds no picture ({', '.join(sorted(PICTURE_SUFFIXES))}): check the path.")
    return found


def enumerated(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are, for a message."""
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, unless it is there.

    Raises
    ------
    FileError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"The folder {folder} cannot be made ({error.strerror}): choose one that can be written to."
        ) from error


def fingerprint(paths: Iterable[Path]) -> str:
    """Return sizes and times of files: what tells whether one of them has changed.

    Raises
    ------
    FileError
        If there is no such file.
    """
    try:
        states = [path.stat() for path in paths]
    except OSError as error:
        raise FileError(f"{error.filename} cannot be read ({error.strerror}): check the path.") from error
    return " ".join(f"{state.st_size}@{state.st_mtime_ns}" for state in states)


def refuse_foreign_files(folder: Path, names: Iterable[str], own: Collection[str], maker: str) -> None:
    """Refuse to write over what others put into a folder.

    Parameters
    ----------
    folder : Path
        Where files of these `names` are to be written.
    names : iterable of str
        The files to write.
    own : collection of str
        Those that an earlier run wrote.
    maker : str
        What writes them, for the message: "a refinement".

    Raises
    ------
    FileError
        If one that is not among the `own` is there.
    """
    foreign = [name for name in names if name not in own and (folder / name).exists()]
    if foreign:
        raise FileError(
            f"{folder} already holds {len(foreign)} files that {maker} did not put there ({enumerated(foreign)}), and "
            "they would be lost: choose another folder."
        )
