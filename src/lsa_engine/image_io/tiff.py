"""TIFF files: reading what cameras and microscopes write, writing float32 mattes with calibration."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from lsa_engine.errors import FileError
from lsa_engine.image_io.atomic import atomic_path, reserve_room
from lsa_engine.image_io.calibration import Calibration, short_unit

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
LARGE_BYTES = 2**31
"""From which on a file is a BigTIFF, and can no longer be in ImageJ's own format."""

_PHOTOMETRIC = tifffile.PHOTOMETRIC
_READABLE = {_PHOTOMETRIC.MINISBLACK, _PHOTOMETRIC.MINISWHITE, _PHOTOMETRIC.RGB, _PHOTOMETRIC.PALETTE}
_JPEG = {tifffile.COMPRESSION.JPEG, tifffile.COMPRESSION.OJPEG}
_OME_UNITS = {unit: unit for unit in ("m", "dm", "cm", "mm", "nm", "pm", "pixel")} | {"um": "µm", "inch": "in"}
_NO_UNIT, _CENTIMETRE = tifffile.RESUNIT.NONE, tifffile.RESUNIT.CENTIMETER


def read(path: Path) -> tuple[NDArray[Any], int, bool]:
    """Read the one picture in a TIFF file.

    Parameters
    ----------
    path : pathlib.Path
        A TIFF, BigTIFF, OME-TIFF or ImageJ file.

    Returns
    -------
    pixels : numpy.ndarray
        (H, W) or (H, W, C) in the file's type; palettes are expanded, white-is-zero is turned round, and samples of a
        depth that no type has (2, 4, 10, 12 … bits) are scaled to the next larger type.
    orientation : int
        The orientation tag, 1 (upright) to 8.
    premultiplied : bool
        Whether the colours of an RGBA picture were multiplied by alpha.

    Raises
    ------
    FileError
        If there is a stack in the file, or colours of another kind than gray, RGB and palette.
    Exception
        Whatever tifffile raises about a damaged file.
    """
    with tifffile.TiffFile(path) as tiff:
        pictures = [series for series in tiff.series if not getattr(series.keyframe, "is_reduced", False)]
        series = pictures[0] if pictures else tiff.series[0]
        if len(pictures) > 1:
            raise FileError(f"{path} holds {len(pictures)} pictures, but one is expected: save the one you want alone.")
        page = series.keyframe
        if page.photometric not in _READABLE and not is_jpeg_colour(page):
            raise FileError(
                f"{path} stores its colours as {getattr(page.photometric, 'name', page.photometric)}, "
                "but gray, RGB or a palette is expected: save it as RGB."
            )
        refuse_truncated(series, tiff.filehandle.size)
        pixels = _one_plane(series, page, path)
        bits = page.bitspersample
        if page.photometric == _PHOTOMETRIC.PALETTE and page.colormap is not None:
            pixels = _expand_palette(pixels, page.colormap)
        else:
            pixels = _full_range(pixels, bits if isinstance(bits, int) else max(bits))
            if page.photometric == _PHOTOMETRIC.MINISWHITE and pixels.dtype.kind == "u":
                pixels = np.iinfo(pixels.dtype).max - pixels
        tag = page.tags.get("Orientation")
        premultiplied = tifffile.EXTRASAMPLE.ASSOCALPHA in tuple(page.extrasamples)
        return pixels, 1 if tag is None else int(tag.value), premultiplied


def encode_alpha(alpha: NDArray[np.float32], calibration: Calibration, metadata: dict[str, Any]) -> memoryview:
    """Return a matte as a float32 TIFF file that ImageJ opens with its calibration.

    Parameters
    ----------
    alpha : numpy.ndarray
        float32 (H, W) in [0, 1].
    calibration : Calibration
        Goes into the resolution tags and ImageJ's unit.
    metadata : dict
        Goes as JSON into ImageJ's "Info" (Image ▸ Show Info).

    Returns
    -------
    memoryview
    """
    description = {"axes": "YX", "min": 0.0, "max": 1.0, **imagej_description(calibration, metadata)}
    file = io.BytesIO()
    tifffile.imwrite(
        file, alpha, imagej=True, photometric="minisblack", metadata=description, **resolution_of(calibration)
    )
    return file.getbuffer()


def growing_alpha(path: Path, shape: tuple[int, int]) -> AbstractContextManager[NDArray[np.float32]]:
    """Give a float32 array (H, W) of zeros that is a TIFF file, there whole when the block ends well.

    Beyond 2 GB it is a BigTIFF.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    return growing_file(path, shape)


@contextmanager
def growing_file(
    path: str | os.PathLike[str], shape: tuple[int, ...], *, imagej: bool = False, **options: Any
) -> Iterator[NDArray[np.float32]]:
    """Give a float32 array of zeros that is a TIFF file, there whole when the block ends well.

    ImageJ's own format is left to the caller, who knows its limits; beyond 2 GB any other is a BigTIFF. The options are
    those of ``tifffile.memmap``.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    large = 4 * math.prod(shape) >= LARGE_BYTES
    with atomic_path(path) as temporary:
        mapped = tifffile.memmap(
            temporary,
            shape=shape,
            dtype=np.float32,
            imagej=imagej,
            bigtiff=large and not imagej,
            photometric="minisblack",
            **options,
        )
        reserve_room(temporary, mapped.offset, mapped.nbytes)
        yield mapped
        mapped.flush()
        del mapped


def map_alpha(path: Path) -> NDArray[np.float32]:
    """Return what :func:`growing_alpha` wrote as a read-only array that is not held in memory."""
    mapped: NDArray[np.float32] = tifffile.memmap(path, mode="r")
    return mapped


def encode_colour(pixels: NDArray[Any], calibration: Calibration, metadata: dict[str, Any]) -> memoryview:
    """Return a gray, RGB or straight RGBA picture as a TIFF file.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8 or uint16, (H, W), (H, W, 3) or (H, W, 4).
    calibration : Calibration
        Goes into the resolution tags, per centimetre if its unit is one of length.
    metadata : dict
        Goes as JSON into the description, under "lsa_matting".

    Returns
    -------
    memoryview
    """
    options: dict[str, Any] = {"photometric": "minisblack" if pixels.ndim == 2 else "rgb"}
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        options["extrasamples"] = ["unassalpha"]
    per_metre = calibration.pixels_per_metre()
    if per_metre is not None:
        centimetres = Calibration((100 / per_metre[0], 100 / per_metre[1]), "cm")
        options |= _resolution(centimetres.per_unit()) | {"resolutionunit": _CENTIMETRE}
    else:
        options |= resolution_of(calibration)
    file = io.BytesIO()
    description = {"axes": "YX" if pixels.ndim == 2 else "YXS", "lsa_matting": metadata}
    tifffile.imwrite(file, pixels, compression="zlib", predictor=True, metadata=description, **options)
    return file.getbuffer()


def encode_ome(pixels: NDArray[Any], calibration: Calibration, metadata: dict[str, Any]) -> memoryview:
    """Return a matte or a straight RGBA picture as an OME-TIFF file.

    Parameters
    ----------
    pixels : numpy.ndarray
        float32 (H, W) in [0, 1], or uint8 or uint16 (H, W), (H, W, 3) or (H, W, 4).
    calibration : Calibration
        Goes into PhysicalSizeX and PhysicalSizeY; a unit that OME does not know is its "reference frame".
    metadata : dict
        Goes as JSON into the image's Description.

    Returns
    -------
    memoryview
    """
    description = ome_description("YX" if pixels.ndim == 2 else "YXS", calibration, metadata)
    options: dict[str, Any] = {"photometric": "minisblack" if pixels.ndim == 2 else "rgb"}
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        options["extrasamples"] = ["unassalpha"]
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, ome=True, compression="zlib", metadata=description, **options)
    return file.getbuffer()


def imagej_description(calibration: Calibration, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return unit and provenance as ImageJ's description of a file has them."""
    description: dict[str, Any] = {}
    if calibration.unit is not None:
        # ImageJ's own escapes keep other alphabets apart from the ASCII of the tag.
        description["unit"] = calibration.unit.encode("unicode_escape").decode("ascii")
    if metadata:
        description["Info"] = json.dumps(metadata, ensure_ascii=False)
    return description


def ome_description(axes: str, calibration: Calibration, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return axes, pixel size and provenance as tifffile writes them into OME-XML."""
    description: dict[str, Any] = {"axes": axes}
    if calibration.pixel_size is not None:
        unit = ome_unit(calibration.unit or "pixel")
        for axis, size in zip("YX", calibration.pixel_size, strict=True):
            description |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": unit}
    if metadata:
        description["Description"] = json.dumps(metadata, ensure_ascii=False)
    return description


def ome_unit(unit: str) -> str:
    """Return a unit as OME spells it; one that OME does not know is its "reference frame"."""
    return _OME_UNITS.get(short_unit(unit), "reference frame")


def resolution_of(calibration: Calibration) -> dict[str, Any]:
    """Return the resolution tags of a pixel size in a unit that stands elsewhere."""
    return _resolution(calibration.per_unit())


def is_ome(path: str | os.PathLike[str]) -> bool:
    """Return whether a file's name says that it is an OME-TIFF."""
    return Path(path).name.lower().endswith((".ome.tif", ".ome.tiff"))


def _resolution(per_unit: tuple[Any, Any] | None) -> dict[str, Any]:
    if per_unit is None:
        return {}
    y, x = ((fraction.numerator, fraction.denominator) for fraction in per_unit)
    return {"resolution": (x, y), "resolutionunit": _NO_UNIT}


def is_jpeg_colour(page: Any) -> bool:
    """Return whether a page holds the colours of JPEG, which are decoded to RGB."""
    return page.photometric == _PHOTOMETRIC.YCBCR and page.compression in _JPEG


def refuse_truncated(series: Any, size: int) -> None:
    """Raise an EOFError if a file of so many bytes does not hold all of a picture."""
    # tifffile fills what is missing at the end of some files with zeros; a hole in the picture must not pass for black.
    for page in series.pages:
        if page is None:
            continue
        ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
        chunks = math.prod(page.chunked)
        if len(ends) < chunks or max(ends, default=0) > size or min(page.databytecounts, default=0) == 0:
            raise EOFError("pixels are missing")


def _one_plane(series: Any, page: Any, path: Path) -> NDArray[Any]:
    if series.size == page.size:
        pixels, axes = np.asarray(page.asarray()), page.axes
    else:
        pixels, axes = np.asarray(series.asarray()), series.axes
    if pixels.size == 0 or pixels.ndim != len(axes):
        raise ValueError("its tags do not fit its pixels")
    if axes in ("SYX", "CYX") and pixels.shape[0] <= 4:
        pixels, axes = np.moveaxis(pixels, 0, -1), "YXS"
    if axes not in ("YX", "YXS"):
        raise FileError(
            f"{path} holds a stack with axes {axes} and shape {pixels.shape}, but one picture is expected: "
            "save the plane or frame that you want alone."
        )
    return pixels


def _expand_palette(indices: NDArray[Any], colormap: NDArray[Any]) -> NDArray[Any]:
    colours = np.asarray(colormap, np.uint16)
    # Eight-bit palettes are stored times 257 or times 256, depending on the writer.
    if (colours % 257 == 0).all() or (colours % 256 == 0).all():
        colours = (colours >> 8).astype(np.uint8)
    return np.moveaxis(colours[:, indices], 0, -1)


def _full_range(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    if pixels.dtype.kind == "b":
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind != "u" or bits == pixels.dtype.itemsize * 8:
        return pixels
    scaled = np.rint(pixels * (np.iinfo(pixels.dtype).max / (2**bits - 1)))
    return np.asarray(scaled, pixels.dtype)
