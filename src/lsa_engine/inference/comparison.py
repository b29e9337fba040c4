"""A matte without and with refinement side by side, where the trimap was obeyed least (the paper's Fig. 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from lsa_engine.errors import InputError
from lsa_engine.inference.results import MatteResult
from lsa_engine.trimap import Trimap

_TITLES = ("image and trimap", "without refinement", "with refinement", "difference")
_OUTLINES = ((0.0, 0.75, 1.0), (1.0, 0.45, 0.0))  # of the known background, and of the known foreground
_GAP = 8
_CAPTION = 28


def compare_refinement(
    image: NDArray[np.float32], trimap: Trimap, result: MatteResult, *, window: int = 96, zoom: int = 3, count: int = 2
) -> NDArray[np.uint8]:
    """Return a picture of a matte before and after refinement, at the places of the largest violation (§4.3, Fig. 3).

    Each row is one place: the image with the outlines of the known background (blue) and foreground (orange), the
    network's matte, the refined one, and where they differ (blue: refinement lowered α, orange: raised it).

    Parameters
    ----------
    image : (H, W, 3) float32
        In [0, 1].
    trimap : Trimap
        (H, W).
    result : MatteResult
        From :meth:`lsa_engine.Matter.refine`.
    window : int
        Side of a place in pixels; the image's own where that is smaller.
    zoom : int
        Size of its pixels in the picture.
    count : int
        Most places.

    Returns
    -------
    (rows, columns, 3) uint8

    Raises
    ------
    InputError
        If the result has no violation, being a classical method's, or the sizes differ.
    """
    if result.violation is None:
        raise InputError(
            f"Got a result of {result.report.method!r} without a violation, expected a network's; call Matter.refine()."
        )
    if not image.shape[:2] == trimap.shape == result.alpha.shape:
        raise InputError(
            f"Got image {image.shape[:2]}, trimap {trimap.shape} and matte {result.alpha.shape}, expected equal sizes; "
            "give those that the result was made of."
        )
    outlined = image.copy()
    for outline, colour in zip(trimap.boundaries("paper"), _OUTLINES, strict=True):
        outlined[outline] = colour
    change = (result.alpha - result.initial_alpha)[..., None]
    # Full colour from a change of a quarter on.
    difference = np.where(change < 0, _OUTLINES[0], _OUTLINES[1]) * np.clip(4 * np.abs(change), 0, 1)
    planes = (outlined, result.initial_alpha, result.alpha, difference.astype(np.float32))
    rows = [
        [_enlarged(plane[top : top + window, left : left + window], zoom) for plane in planes]
        for top, left in worst_places(result.violation, window, count)
    ]
    return _captioned(rows)


def worst_places(violation: NDArray[np.float32], window: int, count: int) -> list[tuple[int, int]]:
    """Return the top left corners of up to `count` windows with violation in their middle, none overlapping.

    The worst comes first. There is always one; others only where there is any violation left.
    """
    height, width = violation.shape
    rows, columns = min(window, height), min(window, width)
    near = ndimage.gaussian_filter(violation.astype(np.float64), window / 8, mode="constant")
    # The windows that lie inside, by what is near their middle.
    left_over = near[
        rows // 2 : rows // 2 + height - rows + 1, columns // 2 : columns // 2 + width - columns + 1
    ].copy()
    places: list[tuple[int, int]] = []
    for _ in range(count):
        top, left = (int(index) for index in np.unravel_index(int(left_over.argmax()), left_over.shape))
        if places and left_over[top, left] <= 1e-6:
            break
        places.append((top, left))
        left_over[max(0, top - rows + 1) : top + rows, max(0, left - columns + 1) : left + columns] = -1
    return places


def _enlarged(plane: NDArray[np.float32], zoom: int) -> NDArray[np.uint8]:
    pixels = np.round(np.clip(plane, 0, 1) * 255).astype(np.uint8)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _captioned(rows: list[list[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Return rows of panels of one size, with a gap between them and titles above."""
    height, width = rows[0][0].shape[:2]
    size = (len(_TITLES) * (width + _GAP) - _GAP, _CAPTION + len(rows) * (height + _GAP) - _GAP)
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(16)
    for column, title in enumerate(_TITLES):
        left = column * (width + _GAP)
        draw.text((left + width // 2, _CAPTION // 2), title, fill="black", font=font, anchor="mm")
        for row, panels in enumerate(rows):
            picture.paste(Image.fromarray(panels[column]), (left, _CAPTION + row * (height + _GAP)))
    return np.asarray(picture)
