"""Files that subcommands read and write: what can be said about them before the work begins."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsa_engine.errors import FileError, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


def read_colours(path: Path, options: argparse.Namespace) -> NDArray[Any]:
    """Return the colours of an image file as the options of :func:`add_image_options` say, float32 (H, W, 3) in [0, 1].

    Raises
    ------
    FileError
        If the file cannot be read.
    InputError
        If its pixels cannot be used.
    """
    from lsa_engine.image_io import as_float_image, read_image

    pixels = read_image(path)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        if not options.ignore_alpha:
            raise InputError(
                f"{path} has an alpha channel, but gray or RGB is expected: "
                "add --ignore-alpha to use its colours as they are."
            )
        pixels = pixels[..., :3]
    return as_float_image(pixels, data_range=options.data_range, name=f"image {path}")
