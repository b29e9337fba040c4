"""What every matting method does with an image and a trimap before it begins."""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.trimap import Trimap

KNOWN = "The trimap leaves nothing unknown, so its known values are the matte and nothing was computed."


class Sized(Protocol):
    """An image: something with height and width."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width first."""


ImageT = TypeVar("ImageT", bound=Sized)


def check_pair(image: ImageT | None, trimap: Trimap | None) -> tuple[ImageT, Trimap]:
    """Return an image and a trimap that belong together.

    Raises
    ------
    InputError
        If one is missing, or they differ in size.
    """
    if image is None:
        raise InputError("Got no image yet, expected one before a matte; call set_image first.")
    if trimap is None:
        raise InputError("Got no trimap yet, expected one before a matte; call set_trimap first.")
    if image.shape[:2] != trimap.shape:
        sizes = [f"{height} × {width}" for height, width in (image.shape[:2], trimap.shape)]
        raise InputError(
            f"Got an image of {sizes[0]} and a trimap of {sizes[1]} pixels, "
            "expected the same size; resize or crop one of them."
        )
    return image, trimap


def known_matte(trimap: Trimap) -> tuple[NDArray[np.float32], str]:
    """Return the matte of a trimap that leaves nothing unknown, and a sentence that says so."""
    return np.where(trimap.foreground, np.float32(1), np.float32(0)), KNOWN
