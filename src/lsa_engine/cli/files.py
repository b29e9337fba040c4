"""Files that subcommands read and write: what can be said about them before the work begins."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from lsa_engine.errors import FileError

PICTURES = (".png", ".tif", ".tiff")


def check_outputs(outputs: Mapping[Path, Collection[str]], inputs: Collection[Path] = ()) -> None:
    """Refuse files that could not be written, before minutes are spent on what goes into them.

    Parameters
    ----------
    outputs : mapping of Path to collection of str
        The files to write, and for each the suffixes that have a format, in lower case with the dot.
    inputs : collection of Path
        Files that are read and must not be replaced.

    Raises
    ------
    FileError
        If a suffix is another, the folder does not exist or may not be written to, or the file is one of the inputs.
    """
    for path, suffixes in outputs.items():
        if path.suffix.lower() not in suffixes:
            raise FileError(
                f"{path} does not end in {' or '.join(suffixes)}, so its format is unknown: choose a name that does."
            )
        if any(path.exists() and given.exists() and path.samefile(given) for given in inputs):
            raise FileError(f"{path} is both read and written, and would be lost: choose another name for the output.")
        folder = path.parent
        if not folder.is_dir():
            raise FileError(f"{path} cannot be written, because the folder {folder} does not exist: make it first.")
        if not os.access(folder, os.W_OK):
            raise FileError(f"{path} cannot be written, because {folder} may not be written to: choose another folder.")


def add_image_options(parser: argparse.ArgumentParser) -> None:
    """Add how an image file becomes RGB in [0, 1]: ``--data-range``, ``--ignore-alpha``."""
    parser.add_argument(
        "--data-range",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="values that mean black and white, for float images outside [0, 1]",
    )
    parser.add_argument(
        "--ignore-alpha",
        action="store_true",
        help="use the colours of an image that has an alpha channel, not the alpha",
    )
