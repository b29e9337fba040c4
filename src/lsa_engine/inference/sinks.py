"""Where a matte is written, part by part: memory, an array of the caller's, or a TIFF file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.boxes import Box
from lsa_engine.errors import InputError
from lsa_engine.image_io.tiff import growing_alpha, map_alpha

_STRIP_PIXELS = 4_000_000


class Sink:
    """An array (H, W) that takes a matte; integers are scaled to the range of their type.

    Parameters
    ----------
    array : array
        Anything with `shape`, `dtype` and assignable slices: NumPy, memory maps, zarr arrays.
    shape : (int, int)
        Height and width of the matte.

    Raises
    ------
    InputError
        If it has another shape or type, or is read-only.
    """

    def __init__(self, array: Any, shape: tuple[int, int]) -> None:
        if tuple(array.shape) != shape:
            raise InputError(
                f"Got an output array of shape {tuple(array.shape)} for a matte of {shape}, expected the same; make "
                "one of the image's height and width."
            )
        try:
            self._dtype = np.dtype(array.dtype)
        except TypeError:  # tensors have types of their own
            self._dtype = np.dtype(object)
        if self._dtype.kind not in "fu":
            raise InputError(
                f"Got an output array of {array.dtype}, expected floats or unsigned integers of NumPy; make one of "
                "float32."
            )
        if not getattr(getattr(array, "flags", None), "writeable", True) or getattr(array, "read_only", False):
            raise InputError(
                "Got an output array that cannot be written to, expected one that can; open it for writing, or give a "
                "copy."
            )
        self.array = array

    def result(self) -> Any:
        """Return the array that holds the matte, when all is written."""
        return self.array

    def write(self, box: Box, alpha: NDArray[np.float32]) -> None:
        """Take a part of the matte (h, w), in [0, 1]."""
        values: NDArray[Any] = alpha
        if self._dtype.kind == "u":
            largest, opaque = np.iinfo(self._dtype).max, alpha >= 1
            # Doubles have no 2⁶⁴ − 1: it would be rounded up, and become 0.
            values = np.rint(np.where(opaque, 0, alpha.astype(np.float64) * largest)).astype(self._dtype)
            values[opaque] = largest
        self.array[box.top : box.bottom, box.left : box.right] = values.astype(self._dtype, copy=False)

    def write_known(self, values: NDArray[np.uint8]) -> None:
        """Take the known pixels of a trimap (H, W), and 0 for the others."""
        rows = max(1, _STRIP_PIXELS // values.shape[1])
        for top in range(0, values.shape[0], rows):
            strip = values[top : top + rows]
            self.write(Box(top, top + len(strip), 0, values.shape[1]), (strip == 255).astype(np.float32))


class _FileSink(Sink):
    """A sink that is a file, which it lets go of when the file is complete."""

    def __init__(self, array: NDArray[np.float32], shape: tuple[int, int], path: Path) -> None:
        super().__init__(array, shape)
        self._path = path

    def result(self) -> NDArray[np.float32]:
        """Return the file as an array that is not held in memory."""
        return map_alpha(self._path)


def new_sink(shape: tuple[int, int]) -> Sink:
    """Return a sink into a new array of float32."""
    return Sink(np.empty(shape, np.float32), shape)


@contextmanager
def open_sink(out: Any, shape: tuple[int, int]) -> Iterator[Sink]:
    """Give a :class:`Sink` for what a caller wants: None for a new array, an array, or the path of a TIFF file.

    A file is there whole when the block ends well, and not at all otherwise.

    Raises
    ------
    InputError
        If `out` does not fit.
    FileError
        If the file cannot be written.
    """
    if out is None:
        yield new_sink(shape)
    elif isinstance(out, (str, os.PathLike)):
        path = Path(out)
        if path.suffix.lower() not in (".tif", ".tiff"):
            raise InputError(f"Got {path} to write the matte to as it is made, expected a name that ends in .tif.")
        with growing_alpha(path, shape) as array:
            sink = _FileSink(array, shape, path)
            del array
            yield sink
            sink.array = None  # the file is renamed when nothing maps it any more
    elif all(hasattr(out, name) for name in ("shape", "dtype", "__setitem__")):
        yield Sink(out, shape)
    else:
        raise InputError(
            f"Got {type(out).__name__} to write the matte to, expected an array or the name of a .tif file."
        )
