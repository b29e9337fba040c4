"""Stacks of pictures in one TIFF file, along z, time or any other axis: read page by page, written page by page."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from lsa_engine.errors import FileError
from lsa_engine.image_io import tiff
from lsa_engine.image_io.reading import DECODER_ERRORS, read_head, unreadable

_IMAGEJ_AXES = ("TYX", "ZYX", "TZYX")


@dataclass(frozen=True)
class Stack:
    """Pictures of one size in a file.

    Attributes
    ----------
    axes : str
        What the leading axes are, a letter each as tifffile names them: "Z", "T", "TZ", "I" …
    shape : tuple of int
        Their lengths.
    pages : sequence of arrays
        (H, W), (H, W, 3) or (H, W, 4) each, in reading order; read when they are asked for.
    """

    axes: str
    shape: tuple[int, ...]
    pages: Any

    def __len__(self) -> int:
        """Return the number of pictures."""
        return math.prod(self.shape)

    def page(self, number: int) -> NDArray[Any]:
        """Return one picture."""
        return np.asarray(self.pages[number])


def read_stack(path: str | os.PathLike[str], *, colours: bool = True) -> Stack | None:
    """Return the stack in a TIFF file; None for any other file, and for a single picture.

    Pictures of such a stack are taken as they are stored: gray or RGB in integers or floats.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    colours : bool
        Whether channels, and colours in planes of their own (axis "S"), are what a picture consists of; if not, each is
        a picture: some writers take three or four gray pictures for colours.

    Raises
    ------
    FileError
        If the file cannot be read, or, with `colours`, holds channels beside the stack's axes.
    """
    path = Path(path)
    head = read_head(path)
    if not head.startswith(tiff.SIGNATURES):
        return None
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            page = series.keyframe
            apart = not colours and page.axes == "SYX"
            planar = 2 if apart else len(page.axes)
            axes, shape = series.axes[:-planar] if series.axes.endswith(page.axes[-planar:]) else "", series.shape
            if not axes and len(series.axes) > planar:
                axes = series.axes[: len(series.axes) - planar]
            leading = shape[: len(axes)]
            if math.prod(leading) <= 1:
                return None
            known = apart or (page.axes in ("YX", "YXS") and not (colours and "C" in axes))
            if not known or page.photometric not in _PHOTOMETRICS:
                raise FileError(
                    f"{path} holds a stack with axes {series.axes} and shape {shape}, but pictures in gray or RGB "
                    "are expected: save the channel that you want as a stack of its own."
                )
            if len(series.pages) == math.prod(leading):
                stored = _StoredPages(path, len(series.pages))
                return Stack(axes, tuple(leading), stored)
            return Stack(axes, tuple(leading), series.asarray().reshape(-1, *shape[len(axes) :]))
    except FileError:
        raise
    except DECODER_ERRORS as error:
        raise unreadable(path, head, error) from error


_PHOTOMETRICS = {tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB}


class _StoredPages:
    """Pages of a file, each read when it is asked for."""

    def __init__(self, path: Path, count: int) -> None:
        self._path, self._count = path, count

    def __getitem__(self, number: int) -> NDArray[Any]:
        try:
            with tifffile.TiffFile(self._path) as file:
                page = file.series[0].pages[number]
                if page is None:
                    raise EOFError("a page is missing")
                return np.asarray(page.asarray())
        except DECODER_ERRORS as error:
            raise unreadable(self._path, b"II*\0", error) from error


@contextmanager
def growing_stack(path: str | os.PathLike[str], stack: Stack, size: tuple[int, int]) -> Iterator[NDArray[np.float32]]:
    """Give a float32 array (pages, H, W) that is a TIFF file with a stack's axes, there whole when the block ends well.

    ImageJ opens it as a hyperstack where z and time are all its axes and it is below 2 GB; beyond it is a BigTIFF.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    shape, axes = (*stack.shape, *size), f"{stack.axes}YX"
    imagej = axes in _IMAGEJ_AXES and 4 * math.prod(shape) < tiff.LARGE_BYTES
    with tiff.growing_file(path, shape, imagej=imagej, metadata={"axes": axes}) as mapped:
        yield mapped.reshape(-1, *size)
        del mapped
