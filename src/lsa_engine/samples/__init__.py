"""The sample photograph and its trimap, which come with the package; README.md beside them gives source and licence."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lsa_engine.trimap import Trimap

PHOTOGRAPH = "sample.jpg"
TRIMAP = "sample_trimap.png"


def load_photograph() -> NDArray[Any]:
    """Return the sample photograph, uint8 (H, W, 3)."""
    from lsa_engine.image_io import read_image

    with as_file(files(__name__) / PHOTOGRAPH) as path:
        return read_image(path)


def load_trimap() -> Trimap:
    """Return the trimap of the sample photograph, of the same height and width."""
    from lsa_engine.image_io import read_trimap

    with as_file(files(__name__) / TRIMAP) as path:
        return read_trimap(path)
