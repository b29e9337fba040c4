"""Pictures that are read in parts, where they are sliced: large TIFF files, and zarr folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from lsa_engine.image_io import tiff
from lsa_engine.image_io.reading import DECODER_ERRORS, read_head, unreadable
from lsa_engine.image_io.zarr_folders import is_zarr, open_zarr

LARGE = 16_000_000
"""Pixels from which on a TIFF file is read in parts; a smaller one is read at once."""

_PHOTOMETRICS = {tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB}
_LARGEST_SEGMENT = 4_000_000  # pixels; a file that is one strip would be decoded anew for each slice


def open_in_parts(path: str | os.PathLike[str]) -> Any | None:
    """Open a picture of which only what is sliced is read.

    Parameters
    ----------
    path : str or os.PathLike
        A zarr folder: an array (H, W), (H, W, 1) or (H, W, 3), or a group that holds it as "0", as OME-Zarr does. Or a
        TIFF file of at least 16 megapixels in gray or RGB whose channels are stored together, in tiles or strips,
        compressed or not.

    Returns
    -------
    array or None
        Anything with `shape`, `dtype` and slices that NumPy takes; None for a file that is to be read at once:
        :func:`~lsa_engine.image_io.read_image` does.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    path = Path(path)
    if is_zarr(path):
        stored = open_zarr(path)
        picture = len(stored.shape) == 2 or (len(stored.shape) == 3 and stored.shape[2] in (1, 3))
        return _Chunks(path, stored) if picture else None
    head = read_head(path)
    if not head.startswith(tiff.SIGNATURES):
        return None
    try:
        with tifffile.TiffFile(path) as file:
            page = _plain_picture(file)
            if page is None or page.imagelength * page.imagewidth < LARGE:
                return None
            tiff.refuse_truncated(file.series[0], file.filehandle.size)
            if page.is_memmappable and page.dtype.newbyteorder(file.byteorder).isnative:
                return tifffile.memmap(path, series=0, level=0, mode="r")
            return _Segments(path, page)
    except DECODER_ERRORS as error:
        raise unreadable(path, head, error) from error


def _plain_picture(file: tifffile.TiffFile) -> Any | None:
    """Return the page of a file's only picture if its parts can be taken as they are stored, else None."""
    pictures = [series for series in file.series if not getattr(series.keyframe, "is_reduced", False)]
    page: Any = file.series[0].keyframe
    tag = page.tags.get("Orientation")
    plain = (
        len(pictures) == 1
        and pictures[0] is file.series[0]
        and pictures[0].size == page.size
        and page.shape in ((page.imagelength, page.imagewidth), (page.imagelength, page.imagewidth, 3))
        and (page.photometric in _PHOTOMETRICS or tiff.is_jpeg_colour(page))
        and page.dtype is not None
        and set(np.ravel(page.bitspersample)) == {page.dtype.itemsize * 8}
        and (tag is None or int(tag.value) == 1)
        and (page.is_memmappable or np.prod(_segment_size(page)) <= _LARGEST_SEGMENT)
    )
    return page if plain else None


class _Chunks:
    """A zarr folder's picture, of which the chunks that a slice needs are decoded."""

    def __init__(self, path: Path, stored: Any) -> None:
        self._path, self._stored = path, stored
        self.shape: tuple[int, ...] = tuple(stored.shape)
        self.dtype: np.dtype[Any] = stored.dtype

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[Any]:
        try:
            return np.asarray(self._stored[key])
        except DECODER_ERRORS as error:
            raise unreadable(self._path, b"", error) from error


class _Segments:
    """A TIFF file's picture, of which the tiles or strips that a slice needs are decoded."""

    def __init__(self, path: Path, page: Any) -> None:
        self._path = path
        self.shape: tuple[int, ...] = tuple(page.shape)
        self.dtype: np.dtype[Any] = page.dtype.newbyteorder("=")

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[Any]:
        (top, bottom, _), (left, right, _) = (part.indices(n) for part, n in zip(key, self.shape[:2], strict=True))
        out = np.empty((bottom - top, right - left, *self.shape[2:]), self.dtype)
        try:
            with tifffile.TiffFile(self._path) as file:
                page: Any = file.series[0].keyframe
                height, width = _segment_size(page)
                across = -(-self.shape[1] // width)
                for row in range(top // height, -(-bottom // height)):
                    for column in range(left // width, -(-right // width)):
                        segment = _decoded(file, page, row * across + column)
                        y, x = row * height, column * width
                        rows, columns = (
                            slice(max(top, y), min(bottom, y + height)),
                            slice(max(left, x), min(right, x + width)),
                        )
                        part = segment[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
                        out[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = (
                            part.reshape(*part.shape[:2], *self.shape[2:])
                        )
        except DECODER_ERRORS as error:
            raise unreadable(self._path, tiff.SIGNATURES[0], error) from error
        return out


def _segment_size(page: Any) -> tuple[int, int]:
    """Return height and width of a page's tiles or strips."""
    return (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)


def _decoded(file: tifffile.TiffFile, page: Any, number: int) -> NDArray[Any]:
    """Return a tile or strip (h, w, channels)."""
    file.filehandle.seek(page.dataoffsets[number])
    data = file.filehandle.read(page.databytecounts[number])
    tables = (
        {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader} if page.jpegtables or page.jpegheader else {}
    )
    segment, _, _ = page.decode(data, number, **tables)
    if segment is None:
        raise EOFError("pixels are missing")
    return np.asarray(segment[0])
