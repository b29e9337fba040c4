"""What the writers have recorded in a file: pixel size, axes, and how it was made."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import tifffile
from PIL import Image

from lsa_engine.image_io import png, tiff
from lsa_engine.image_io.reading import DECODER_ERRORS, read_head, unreadable


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a function of :mod:`lsa_engine.image_io` recorded when it wrote a file.

    Parameters
    ----------
    path : str or os.PathLike
        An image file.

    Returns
    -------
    dict
        The `metadata` given, with "pixel_size" and "unit" where there was a pixel size, and "axes" of a stack; empty
        for files of other programs.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    path = Path(path)
    head = read_head(path)
    try:
        if head.startswith(tiff.SIGNATURES):
            recorded = _in_tiff(path)
        elif head.startswith(png.SIGNATURE):
            with Image.open(path, formats=("PNG",)) as picture:
                recorded = picture.info.get(png.KEYWORD.decode())
        else:
            recorded = None
    except DECODER_ERRORS as error:
        raise unreadable(path, head, error) from error
    if isinstance(recorded, str):
        try:
            recorded = json.loads(recorded)
        except ValueError:  # another program's text
            return {}
    return recorded if isinstance(recorded, dict) else {}


def _in_tiff(path: Path) -> Any:
    with tifffile.TiffFile(path) as file:
        if file.is_ome:
            image = tifffile.xml2dict(file.ome_metadata or "").get("OME", {}).get("Image", {})
            return image.get("Description") if isinstance(image, dict) else None
        if file.is_imagej:
            return (file.imagej_metadata or {}).get("Info")
        described = file.shaped_metadata or ({},)
        return described[0].get("lsa_matting")
