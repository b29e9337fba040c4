"""PNG files of 8 and 16 bits a channel, with pixel size and provenance in standard chunks."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from lsa_engine.image_io.calibration import Calibration

SIGNATURE = b"\x89PNG\r\n\x1a\n"

KEYWORD = b"lsa-matting"
_IHDR_LENGTH = 25  # length, type, 13 bytes of data and checksum
_LARGEST_INTEGER = 2**31 - 1


def bit_depth(head: bytes) -> int:
    """Return the bits a channel that a PNG declares in its first 25 bytes, or 0 if they are not all there."""
    return head[24] if len(head) > 24 and head.startswith(SIGNATURE) else 0


def decode(data: bytes) -> NDArray[Any]:
    """Return the pixels of a PNG with all of their bits: (H, W) or (H, W, C)."""
    return np.asarray(imagecodecs.png_decode(data))


def encode(pixels: NDArray[Any], calibration: Calibration, metadata: dict[str, Any]) -> bytes:
    """Return pixels as a PNG file.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8 or uint16, (H, W), (H, W, 3) or (H, W, 4).
    calibration : Calibration
        Goes into the pHYs chunk if its unit is one of length.
    metadata : dict
        Goes as JSON into an iTXt chunk named "lsa-matting"; needs nothing but JSON types.

    Returns
    -------
    bytes
    """
    encoded = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
    chunks = b""
    per_metre = calibration.pixels_per_metre()
    if per_metre is not None and all(1 <= round(value) <= _LARGEST_INTEGER for value in per_metre):
        y, x = (round(value) for value in per_metre)
        chunks += _chunk(b"pHYs", struct.pack(">IIB", x, y, 1))
    if metadata:
        text = json.dumps(metadata, ensure_ascii=False).encode()
        # Keyword, no compression (flag and method), no language, no translated keyword.
        chunks += _chunk(b"iTXt", KEYWORD + b"\0\0\0\0\0" + text)
    end_of_header = len(SIGNATURE) + _IHDR_LENGTH
    return encoded[:end_of_header] + chunks + encoded[end_of_header:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
