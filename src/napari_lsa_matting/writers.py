"""Writers: alpha as 16-bit PNG or float TIFF, cut-outs as RGBA, trimaps; with pixel size and provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lsa_engine.errors import InputError
from lsa_engine.image_io import write_alpha, write_image, write_rgba
from lsa_engine.image_io.stack_writing import write_stack
from lsa_engine.trimap import Trimap
from napari_lsa_matting.layers import METADATA_KEY, Index
from napari_lsa_matting.stack_axes import stack_axes

if TYPE_CHECKING:
    from lsa_engine.image_io.writing import Bits
    from lsa_engine.progress import CancelToken, ProgressCallback


def write_matte(
    path: str,
    data: Any,
    settings: dict[str, Any],
    *,
    bits: Bits | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """Write an Image layer: its values as an alpha, or its colours, with their transparency if it is RGBA.

    Parameters
    ----------
    path : str
        Ends in .png, .tif or .tiff; .ome.tif or .ome.tiff makes an OME-TIFF.
    data : array (H, W), (…, H, W), (H, W, 3) or (H, W, 4)
        The layer's data; a stack goes into a TIFF.
    settings : dict
        The layer's settings: rgb, scale, units, axis_labels, metadata.
    bits : {8, 16}, optional
        Depth of a channel, but for the alpha in a TIFF, which is float; by default 16 for an alpha, and for colours 16
        where they were made of more than 8.
    progress, cancel
        Of a stack, which is written page by page.

    Returns
    -------
    list of str
        The file written.

    Raises
    ------
    InputError
        If the layer is neither an alpha in [0, 1] nor colours.
    FileError
        If the file cannot be written; nothing is left behind then.
    """
    rgb = bool(settings.get("rgb", False))
    pixel_size, unit = _pixel_size(settings)
    metadata = _record(settings)
    if not rgb and _is_stack(data):
        axes, place = stack_axes(data.shape, settings)
        write_stack(
            path,
            lambda index: data[place(index)],
            axes,
            pixel_size=pixel_size,
            unit=unit,
            metadata=metadata,
            progress=progress,
            cancel=cancel,
        )
        return [path]
    pixels = _one_plane(np.asarray(data), 3 if rgb else 2)
    if rgb:
        depth = bits or (16 if deep_source(settings.get("metadata", {})) else None)
        write = write_rgba if pixels.shape[-1] == 4 else write_image
        write(path, pixels, bits=depth, pixel_size=pixel_size, unit=unit, metadata=metadata)
    else:
        write_alpha(path, pixels, bits=bits or 16, pixel_size=pixel_size, unit=unit, metadata=metadata)
    return [path]


def deep_source(metadata: Mapping[str, Any]) -> bool:
    """Return whether a layer was made of a picture with more than 8 bits a channel, as far as its record says."""
    record = metadata.get(METADATA_KEY)
    dtype = record.get("image_dtype") if isinstance(record, Mapping) else None
    return dtype is not None and np.dtype(dtype).itemsize > 1


def write_trimap(
    path: str,
    data: Any,
    settings: dict[str, Any],
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """Write a trimap layer as a gray picture that other programs read: 0 background, 128 unknown, 255 foreground.

    Parameters
    ----------
    path : str
        Ends in .png, .tif or .tiff; .ome.tif or .ome.tiff makes an OME-TIFF.
    data : array (H, W) or (…, H, W)
        The layer's labels: 0 unknown, 1 foreground, 2 background.
    settings : dict
        The layer's settings: scale, units, axis_labels, metadata.
    progress, cancel
        Of a stack, which is written page by page.

    Returns
    -------
    list of str
        The file written.

    Raises
    ------
    TrimapError
        If there are other labels.
    FileError
        If the file cannot be written; nothing is left behind then.
    """
    pixel_size, unit = _pixel_size(settings)
    metadata = _record(settings)
    if _is_stack(data):
        axes, place = stack_axes(data.shape, settings)

        def page(index: Index) -> Any:
            return Trimap.from_labels(np.asarray(data[place(index)])).values

        write_stack(
            path,
            page,
            axes,
            gray=True,
            pixel_size=pixel_size,
            unit=unit,
            metadata=metadata,
            progress=progress,
            cancel=cancel,
        )
        return [path]
    trimap = Trimap.from_labels(_one_plane(np.asarray(data), 2))
    write_image(path, trimap.values, pixel_size=pixel_size, unit=unit, metadata=metadata)
    return [path]


def _one_plane(pixels: Any, axes: int) -> Any:
    leading = pixels.shape[:-axes]
    if any(length != 1 for length in leading):
        raise InputError(
            f"The layer is a stack of shape {pixels.shape}, but colours are written one plane at a time: "
            "slice it to the plane that you want."
        )
    return pixels.reshape(pixels.shape[len(leading) :])


def _is_stack(data: Any) -> bool:
    return any(length != 1 for length in data.shape[:-2])


def _record(settings: dict[str, Any]) -> dict[str, Any] | None:
    record = settings.get("metadata", {}).get(METADATA_KEY)
    return {METADATA_KEY: record} if record else None


def _pixel_size(settings: dict[str, Any]) -> tuple[tuple[float, float] | None, str | None]:
    height, width = (abs(float(size)) for size in list(settings.get("scale", (1, 1)))[-2:])
    unit = str((settings.get("units") or ("pixel",))[-1])
    if unit == "pixel":
        # Without a unit, sizes other than 1 still say how long a pixel is to its width.
        return (None, None) if height == width == 1 else ((height, width), None)
    return (height, width), unit
