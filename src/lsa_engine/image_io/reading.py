"""Read images, trimaps and mattes from files."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from tifffile import TiffFileError

from lsa_engine.arrays import as_alpha, as_float_image
from lsa_engine.compositing import unpremultiply
from lsa_engine.errors import FileError, InputError, TrimapError
from lsa_engine.image_io import png, tiff
from lsa_engine.image_io.zarr_folders import is_zarr, open_zarr
from lsa_engine.trimap import Trimap
from lsa_engine.trimap_coding import find_numbers, single_channel

# Only formats that Pillow reads without dropping bits; PNG of 16 bits and TIFF go other ways.
_PILLOW_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_ORIENTATION_TAG = 274
_HEAD = 32

# What decoders raise about damaged files (imagecodecs' errors are RuntimeErrors).
DECODER_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    Image.DecompressionBombError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TiffFileError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def read_image(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read one picture with all of its bits.

    Parameters
    ----------
    path : str or os.PathLike
        PNG, TIFF (also BigTIFF, OME and ImageJ), JPEG, WebP, BMP or GIF; the content decides, not the name. Or a zarr
        folder, whose name ends in .zarr and whose array is (H, W) or (H, W, channels).

    Returns
    -------
    numpy.ndarray
        (H, W), (H, W, 3) or (H, W, 4) in the file's own type. Palettes are expanded, gray with alpha becomes RGBA,
        alpha is straight, single bits become 0 and 255, and the orientation that cameras record is applied.

    Raises
    ------
    FileError
        If the file is missing, may not be read, is truncated or damaged, has another format, or holds several
        pictures.
    """
    path = Path(path)
    if is_zarr(path):
        return _read_zarr(path)
    head = read_head(path)
    is_tiff, is_deep_png = head.startswith(tiff.SIGNATURES), png.bit_depth(head) == 16
    premultiplied = False
    try:
        if is_tiff:
            pixels, orientation, premultiplied = tiff.read(path)
        elif is_deep_png:
            data = path.read_bytes()
            pixels, orientation = png.decode(data), _png_orientation(path, data)
        else:
            pixels, orientation = _read_with_pillow(path)
    except FileError:
        raise
    except DECODER_ERRORS as error:
        raise unreadable(path, head, error) from error
    return _upright(_standard_channels(pixels, premultiplied, path), orientation)


def read_colours(
    path: str | os.PathLike[str], *, data_range: tuple[float, float] | None = None, ignore_alpha: bool = False
) -> NDArray[np.float32]:
    """Read the colours of a photograph.

    Parameters
    ----------
    path : str or os.PathLike
        A file that :func:`read_image` reads.
    data_range : (float, float), optional
        Values that mean black and white, for float images outside [0, 1].
    ignore_alpha : bool
        Use the colours of an image that has an alpha channel, not the alpha.

    Returns
    -------
    numpy.ndarray
        float32 (H, W, 3) in [0, 1].

    Raises
    ------
    FileError
        If the file cannot be read.
    InputError
        If it has an alpha channel that is not to be ignored, or its values do not fit the range.
    """
    return colours_of(read_image(path), os.fspath(path), data_range, ignore_alpha)


def colours_of(
    pixels: NDArray[Any], name: str, data_range: tuple[float, float] | None, ignore_alpha: bool
) -> NDArray[np.float32]:
    """Return the colours of a picture as :func:`read_colours` does; `name` is for messages."""
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        if not ignore_alpha:
            raise InputError(
                f"{name} has an alpha channel, but gray or RGB is expected: "
                "add --ignore-alpha (in Python ignore_alpha=True) to use its colours as they are."
            )
        pixels = pixels[..., :3]
    return as_float_image(pixels, data_range=data_range, name=f"image {name}")


def read_trimap(path: str | os.PathLike[str]) -> Trimap:
    """Read a trimap from an image file in any of the usual codings.

    Parameters
    ----------
    path : str or os.PathLike
        A file that :func:`read_image` reads: 0, 128, 255 in gray, RGB or a palette; 16 bits; or 0, 0.5, 1 in floats.
        Where 0, 1 and 2 lie tells what they mean: painted labels, as napari saves them, or background, unknown and
        foreground.

    Returns
    -------
    Trimap

    Raises
    ------
    FileError
        If the file cannot be read.
    TrimapError
        If there are other values in it (they are listed), it is too small, or it cannot be told what 0, 1 and 2 mean.
    """
    pixels = read_image(path)
    try:
        plane = single_channel(pixels)
        return Trimap.from_array(plane, numbers=find_numbers([plane]))
    except InputError as error:
        raise TrimapError(f"In {os.fspath(path)}: {error}") from error


def read_alpha(path: str | os.PathLike[str]) -> NDArray[np.float32]:
    """Read a matte from an image file.

    Parameters
    ----------
    path : str or os.PathLike
        A file that :func:`read_image` reads: gray; gray stored as RGB; or a cut-out, of which the alpha channel is
        taken if it is not opaque everywhere.

    Returns
    -------
    numpy.ndarray
        float32 (H, W) in [0, 1].

    Raises
    ------
    FileError
        If the file cannot be read.
    InputError
        If the picture is coloured and opaque, holds values outside [0, 1], or is too small.
    """
    pixels = read_image(path)
    name = f"alpha in {os.fspath(path)}"
    if pixels.ndim == 3:
        opaque = 1.0 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
        if pixels.shape[2] == 4 and (pixels[..., 3] != opaque).any():
            pixels = pixels[..., 3]
        elif np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2]):
            pixels = pixels[..., 0]
        else:
            raise InputError(
                f"The {name} is a coloured picture without transparency, but a gray one or a cut-out is expected: "
                "choose the file of the matte."
            )
    return as_alpha(pixels, name)


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file.

    Raises
    ------
    FileError
        If it is missing, a folder, empty, or may not be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError as error:
        raise FileError(f"There is no file {path}: check its name and folder.") from error
    except IsADirectoryError as error:
        raise FileError(f"{path} is a folder, but an image file is expected: choose a file in it.") from error
    except PermissionError as error:
        kind = "a folder" if path.is_dir() else "not open to this user"  # Windows refuses to open folders
        raise FileError(
            f"{path} cannot be read, because it is {kind}: choose another or ask for permission."
        ) from error
    except (OSError, ValueError) as error:
        raise FileError(f"{path} cannot be read ({error}): check its name and the disk.") from error
    if not head:
        raise FileError(f"{path} is empty (0 bytes), but an image file is expected: copy or save it again.")
    return head


def unreadable(path: Path, head: bytes, error: Exception) -> FileError:
    """Return the sentence for what a decoder raised about a file that begins with these bytes."""
    if isinstance(error, PermissionError):
        return FileError(f"{path} cannot be read, because it is not open to this user: ask for permission.")
    if isinstance(error, (Image.DecompressionBombError, MemoryError)):
        return FileError(f"{path} says that it has too many pixels for one picture ({error}): cut it into parts.")
    if isinstance(error, UnidentifiedImageError) and not head.startswith(png.SIGNATURE):
        return FileError(
            f"{path} is not an image of a known format, but PNG, TIFF, JPEG, WebP, BMP or GIF is expected: "
            "convert it, or choose another file."
        )
    reason = str(error).replace(repr(str(path)), "").replace(str(path), "").strip() or type(error).__name__
    return FileError(f"{path} is truncated or damaged ({reason}), so it cannot be read: copy or save it again.")


def _read_with_pillow(path: Path) -> tuple[NDArray[Any], int]:
    Image.init()  # WebP is not among the formats that Pillow knows at first
    with Image.open(path, formats=[name for name in _PILLOW_FORMATS if name in Image.OPEN]) as picture:
        frames = getattr(picture, "n_frames", 1)
        # Phones put previews behind the photograph in an MPO file; elsewhere more frames mean an animation.
        if frames > 1 and picture.format not in ("MPO", "JPEG"):
            raise FileError(f"{path} holds {frames} frames, but one picture is expected: save the one you want alone.")
        picture.load()
        orientation = int(picture.getexif().get(_ORIENTATION_TAG, 1))
        if picture.has_transparency_data:
            mode = "RGBA"
        elif picture.mode in ("1", "L"):
            mode = "L"
        else:
            mode = "RGB"
        return np.array(picture.convert(mode)), orientation


def _read_zarr(path: Path) -> NDArray[Any]:
    opened = open_zarr(path)
    if len(opened.shape) not in (2, 3):
        raise FileError(
            f"{path} holds an array of shape {tuple(opened.shape)}, but (H, W) or (H, W, channels) is expected: "
            "save the one picture that you want."
        )
    try:
        return _standard_channels(np.asarray(opened[...]), False, path)
    except FileError:
        raise
    except DECODER_ERRORS as error:
        raise unreadable(path, b"", error) from error


def _png_orientation(path: Path, data: bytes) -> int:
    if b"eXIf" not in data:
        return 1
    with Image.open(path, formats=("PNG",)) as picture:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))


def _standard_channels(pixels: NDArray[Any], premultiplied: bool, path: Path) -> NDArray[Any]:
    """Bring (H, W, 1) and gray with alpha to the shapes that read_image promises, and alpha to straight."""
    if pixels.ndim == 2:
        return pixels
    channels = pixels.shape[2]
    if channels == 1:
        return pixels[..., 0]
    if channels == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    elif channels not in (3, 4):
        raise FileError(
            f"{path} holds a picture with {channels} channels, but 1, 3 or 4 are expected: "
            "save the one or three channels that you want."
        )
    if premultiplied and pixels.shape[2] == 4:
        straight = unpremultiply(pixels)
        if pixels.dtype.kind == "u":
            return np.asarray(np.rint(straight * np.float64(np.iinfo(pixels.dtype).max)), pixels.dtype)
        return np.asarray(straight, pixels.dtype)
    return pixels


def _upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation: 2 to 4 flip, 5 to 8 flip after swapping rows and columns."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
