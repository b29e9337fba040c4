"""Write mattes, cut-outs and images to files, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import as_alpha, require_area, to_numpy, to_unit_range
from lsa_engine.errors import FileError, InputError
from lsa_engine.image_io import png, tiff
from lsa_engine.image_io.atomic import atomic_path
from lsa_engine.image_io.calibration import Calibration, checked_metadata

Bits = Literal[8, 16]

_PNG, _TIFF = (".png",), (".tif", ".tiff")


def check_format(path: str | os.PathLike[str], bits: int) -> None:
    """Refuse what the functions below could not write, before there is anything to write.

    Parameters
    ----------
    path : str or os.PathLike
        Must end in .png, .tif or .tiff.
    bits : int
        Must be 8 or 16.

    Raises
    ------
    FileError, InputError
        If one of them is another.
    """
    _checked_suffix(path)
    _checked_bits(bits)


def write_alpha(
    path: str | os.PathLike[str],
    alpha: Any,
    *,
    bits: Bits = 16,
    pixel_size: float | tuple[float, float] | None = None,
    unit: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Write a matte as a gray PNG of 8 or 16 bits, or as a float32 TIFF or OME-TIFF.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in .png, .tif or .tiff; .ome.tif or .ome.tiff makes an OME-TIFF. ImageJ opens a TIFF with its calibration.
    alpha : array_like
        (H, W), floats in [0, 1] or integers that are scaled by the range of their type.
    bits : {8, 16}
        Depth of a PNG, rounded to the nearest level; a TIFF always keeps float32.
    pixel_size : float or (float, float), optional
        Height and width of a pixel in `unit`.
    unit : str, optional
        "um", "mm", "inch", … or any name.
    metadata : dict, optional
        JSON types, to be recorded in the file (which weights, which parameters).

    Raises
    ------
    InputError
        If `alpha` is not a matte, or an option does not make sense.
    FileError
        If the file cannot be written; an older file of that name is then left as it was.
    """
    suffix = _checked_suffix(path)
    matte = as_alpha(alpha)
    depth = _checked_bits(bits)
    calibration = Calibration.checked(pixel_size, unit)
    record = checked_metadata(metadata, calibration)
    if suffix in _PNG:
        _write(path, png.encode(_quantise(matte, depth), calibration, record))
    elif tiff.is_ome(path):
        _write(path, tiff.encode_ome(matte, calibration, record))
    else:
        _write(path, tiff.encode_alpha(matte, calibration, record))


def write_rgba(
    path: str | os.PathLike[str],
    rgba: Any,
    *,
    bits: Bits | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    unit: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Write a cut-out with straight (not premultiplied) colours as an RGBA PNG or TIFF.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in .png, .tif or .tiff; .ome.tif or .ome.tiff makes an OME-TIFF.
    rgba : array_like
        (H, W, 4), floats in [0, 1] or integers that are scaled by the range of their type.
    bits : {8, 16}, optional
        Depth of a channel, rounded to the nearest level; 8 unless `rgba` holds integers of 16 bits.
    pixel_size : float or (float, float), optional
        Height and width of a pixel in `unit`.
    unit : str, optional
        "um", "mm", "inch", … or any name.
    metadata : dict, optional
        JSON types, to be recorded in the file.

    Raises
    ------
    InputError
        If `rgba` is not an RGBA image, or an option does not make sense.
    FileError
        If the file cannot be written; an older file of that name is then left as it was.
    """
    array = to_numpy(rgba, "RGBA image")
    if array.ndim != 3 or array.shape[2] != 4:
        raise InputError(
            f"The RGBA image has shape {array.shape}, but (H, W, 4) is expected: "
            "join colours and alpha with cutout(foreground, alpha)."
        )
    _write_colour(path, array, bits, Calibration.checked(pixel_size, unit), metadata, "RGBA image")


def write_image(
    path: str | os.PathLike[str],
    image: Any,
    *,
    bits: Bits | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    unit: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Write a gray or RGB image as a PNG or TIFF.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in .png, .tif or .tiff; .ome.tif or .ome.tiff makes an OME-TIFF.
    image : array_like
        (H, W), (H, W, 1) or (H, W, 3), floats in [0, 1] or integers that are scaled by the range of their type.
    bits : {8, 16}, optional
        Depth of a channel, rounded to the nearest level; 8 unless `image` holds integers of 16 bits.
    pixel_size : float or (float, float), optional
        Height and width of a pixel in `unit`.
    unit : str, optional
        "um", "mm", "inch", … or any name.
    metadata : dict, optional
        JSON types, to be recorded in the file.

    Raises
    ------
    InputError
        If `image` has other axes or channels, or an option does not make sense.
    FileError
        If the file cannot be written; an older file of that name is then left as it was.
    """
    array = to_numpy(image, "image")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] == 3):
        raise InputError(
            f"The image has shape {array.shape}, but (H, W) or (H, W, 3) is expected: "
            "choose the channels to write, or use write_rgba for a cut-out."
        )
    _write_colour(path, array, bits, Calibration.checked(pixel_size, unit), metadata, "image")


def _write_colour(
    path: str | os.PathLike[str],
    array: NDArray[Any],
    bits: Bits | None,
    calibration: Calibration,
    metadata: dict[str, Any] | None,
    name: str,
) -> None:
    suffix = _checked_suffix(path)
    require_area(array, name)
    if bits is None:
        bits = 16 if array.dtype.kind == "u" and array.dtype.itemsize > 1 else 8
    pixels = _quantise(to_unit_range(array, None, name), _checked_bits(bits))
    record = checked_metadata(metadata, calibration)
    if suffix in _PNG:
        _write(path, png.encode(pixels, calibration, record))
    elif tiff.is_ome(path):
        _write(path, tiff.encode_ome(pixels, calibration, record))
    else:
        _write(path, tiff.encode_colour(pixels, calibration, record))


def _checked_suffix(path: str | os.PathLike[str]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in (*_PNG, *_TIFF):
        raise FileError(
            f"Cannot write {os.fspath(path)}, because {suffix or 'no ending'} is not a format that keeps every bit: "
            "choose a name that ends in .png or .tif."
        )
    return suffix


def _checked_bits(bits: int) -> int:
    if bits not in (8, 16):
        raise InputError(f"The depth is {bits} bits, but only 8 and 16 can be written: choose one of them.")
    return bits


def _quantise(unit: NDArray[np.float32], bits: int) -> NDArray[Any]:
    """Round [0, 1] to the nearest of 2**bits levels; exact for numbers that came from as many levels."""
    levels = unit * np.float32(2**bits - 1)
    return np.asarray(np.rint(levels, out=levels), np.uint8 if bits == 8 else np.uint16)


def _write(path: str | os.PathLike[str], content: bytes | memoryview) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
