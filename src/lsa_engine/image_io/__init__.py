"""Image, alpha and RGBA files: 8 and 16 bits, float32, TIFF with calibration, and never a silent loss of bits."""

from lsa_engine.arrays import as_alpha, as_float_image
from lsa_engine.image_io.atomic import atomic_path
from lsa_engine.image_io.reading import read_alpha, read_colours, read_image, read_trimap
from lsa_engine.image_io.writing import check_format, write_alpha, write_image, write_rgba

__all__ = [
    "as_alpha",
    "as_float_image",
    "atomic_path",
    "check_format",
    "read_alpha",
    "read_colours",
    "read_image",
    "read_trimap",
    "write_alpha",
    "write_image",
    "write_rgba",
]
