"""Zarr folders: pictures in chunks, of which only those that are sliced are read."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from lsa_engine.errors import FileError


def is_zarr(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a zarr folder: it ends in .zarr."""
    return Path(path).suffix.lower() == ".zarr"


def open_zarr(path: str | os.PathLike[str]) -> Any:
    """Open the array in a zarr folder, or that named "0" in a group, as OME-Zarr has it, for reading.

    Raises
    ------
    FileError
        If the package zarr is not installed, or there is no such array.
    """
    if not Path(path).is_dir():
        raise FileError(f"There is no folder {os.fspath(path)}: check its name and place.")
    try:
        zarr = import_module("zarr")
    except ImportError as error:
        raise FileError(
            f"{os.fspath(path)} is a zarr folder, which the package zarr reads: install it (pip install zarr)."
        ) from error
    try:
        opened = zarr.open(os.fspath(path), mode="r")
        stored = opened if hasattr(opened, "dtype") else opened["0"]
        if not hasattr(stored, "dtype"):
            raise TypeError("0 is a group, too")
        return stored
    except (LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise FileError(
            f"{os.fspath(path)} holds no zarr array, and none named 0 ({error}): choose the folder of an array."
        ) from error
