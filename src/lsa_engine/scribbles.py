"""A trimap from a few strokes: a random walker fills in, and what it is not sure of stays unknown."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import as_float_image, to_numpy
from lsa_engine.distances import Spacing, checked_distance, checked_spacing, count_steps, within
from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.trimap import BACKGROUND, FOREGROUND, UNKNOWN, Trimap

_WALKED_PIXELS = 120_000
_ROWS_AT_ONCE = 128


def trimap_from_scribbles(
    image: Any,
    strokes: Trimap,
    *,
    certainty: float = 0.8,
    width: float = 5.0,
    spacing: float | Spacing = (1.0, 1.0),
    contrast: float = 600.0,
    data_range: tuple[float, float] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Trimap:
    """Fill in a trimap from strokes.

    From every pixel a random walker sets out, who seldom crosses edges of the image. The probability that he meets a
    foreground stroke before a background stroke says how surely the pixel belongs to the object. Images of more than
    120,000 pixels are walked in reduced size.

    Parameters
    ----------
    image : array_like
        (H, W) or (H, W, 3), as :func:`lsa_engine.arrays.as_float_image` takes it.
    strokes : Trimap
        (H, W), unknown but for the strokes; both kinds are needed. They stay as they are.
    certainty : float
        Pixels that reach a stroke of one kind with this probability or more become known: over 0.5, below 1.
    width : float
        What is no farther than this from the outline between the likelier object and the likelier background stays
        unknown in any case; in the units of `spacing`.
    spacing : float or (float, float)
        Height and width of a pixel; the default counts in pixels.
    contrast : float
        How much the walker shuns edges (β of Grady's paper).
    data_range : (float, float), optional
        Values that mean black and white, for float images outside [0, 1].
    progress, cancel
        As everywhere in the engine.

    Returns
    -------
    Trimap

    Raises
    ------
    TrimapError
        If a kind of stroke is missing.
    InputError
        If sizes differ, the certainty is not between 0.5 and 1, or another option does not make sense.
    Cancelled
        If the token is set.

    References
    ----------
    L. Grady, Random walks for image segmentation, IEEE TPAMI 28 (2006); skimage.segmentation.random_walker.
    """
    if not 0.5 < certainty < 1:
        raise InputError(f"The certainty is {certainty}, but it must lie between 0.5 and 1: choose for example 0.8.")
    spacing, width = checked_spacing(spacing), checked_distance(width, "width")
    strokes.require_known()
    shape = strokes.shape
    steps = Steps("walking at random", 3 + 2 * count_steps(shape, width, spacing), progress, cancel)
    pixels = to_numpy(image, "image")
    if pixels.shape[:2] != shape:
        raise InputError(
            f"The image has shape {pixels.shape} and the strokes {shape}, but height and width must be the same: "
            "choose layers that belong together."
        )
    factor = max(1, math.ceil(math.sqrt(shape[0] * shape[1] / _WALKED_PIXELS)))
    small = as_float_image(_reduced(pixels, factor, steps), data_range=data_range or _range_of(pixels.dtype))
    seeds = _reduced_strokes(strokes, factor, steps)
    steps.advance()
    likely = _walk(small, seeds, spacing, contrast)
    steps.advance()
    values = np.full(shape, UNKNOWN, np.uint8)
    object_likelier = np.empty(shape, bool)
    for top in range(0, shape[0], _ROWS_AT_ONCE):
        rows = slice(top, min(top + _ROWS_AT_ONCE, shape[0]))
        chance = _enlarged(likely, rows, shape, factor)
        values[rows][chance >= certainty] = FOREGROUND
        values[rows][chance <= 1 - certainty] = BACKGROUND
        object_likelier[rows] = chance > 0.5
        steps.check()
    steps.advance()
    for region in (object_likelier, ~object_likelier):
        # The outline lies half a pixel from the centres on either side.
        values[within(max(width - 0.5 * min(spacing), 0.0), region, spacing, steps) & ~region] = UNKNOWN
    for kind in (FOREGROUND, BACKGROUND):
        values[strokes.values == kind] = kind
    return Trimap(values)


def _range_of(dtype: np.dtype[Any]) -> tuple[float, float] | None:
    """Return what means black and white in integers, whose means are floats."""
    return (0.0, float(np.iinfo(dtype).max)) if dtype.kind in "ui" else None


def _reduced(pixels: NDArray[Any], factor: int, steps: Steps) -> NDArray[np.float32]:
    """Return means over squares of pixels; those at the right and lower frame are narrower."""
    rows = _sums(np.asarray(pixels), factor, 0, steps)
    sums = _sums(rows, factor, 1, steps)
    counts = [np.diff([*range(0, length, factor), length]) for length in pixels.shape[:2]]
    areas = np.outer(*counts).reshape(*sums.shape[:2], *[1] * (sums.ndim - 2))
    return np.asarray(sums / areas, np.float32)


def _sums(pixels: NDArray[Any], factor: int, axis: int, steps: Steps) -> NDArray[np.float32]:
    """Return sums of `factor` neighbours along an axis."""
    shape = list(pixels.shape)
    shape[axis] = -(-shape[axis] // factor)
    sums = np.zeros(shape, np.float32)
    for start in range(factor):
        part = pixels[(slice(None),) * axis + (slice(start, None, factor),)]
        sums[(slice(None),) * axis + (slice(part.shape[axis]),)] += part
        steps.check()
    return sums


def _reduced_strokes(strokes: Trimap, factor: int, steps: Steps) -> NDArray[np.int32]:
    """Return seeds: 1 where more of a square is foreground than background, 2 where less, 0 where neither is."""
    foreground, background = (_reduced(kind, factor, steps) for kind in (strokes.foreground, strokes.background))
    seeds = np.zeros(foreground.shape, np.int32)
    seeds[foreground > background] = 1
    seeds[background > foreground] = 2
    return seeds


def _walk(
    colours: NDArray[np.float32], seeds: NDArray[np.int32], spacing: Spacing, contrast: float
) -> NDArray[np.float32]:
    """Return the probability (h, w) that a walker from a pixel meets a foreground stroke first."""
    from skimage.segmentation import random_walker

    if not ((seeds == 1).any() and (seeds == 2).any()):
        raise InputError(
            "The strokes of foreground and background lie so close together that a reduced image does not tell them "
            "apart: paint them farther from each other."
        )
    chances = random_walker(
        colours,
        seeds,
        beta=contrast,
        mode="cg_j",
        tol=1e-3,
        spacing=(spacing[0] / min(spacing), spacing[1] / min(spacing)),
        channel_axis=-1 if colours.ndim == 3 else None,
        return_full_prob=True,
        prob_tol=1.0,
    )
    return np.clip(chances[0], 0, 1).astype(np.float32)


def _enlarged(reduced: NDArray[np.float32], rows: slice, shape: tuple[int, int], factor: int) -> NDArray[np.float32]:
    """Return rows of a map at full size, interpolated linearly between the centres of its squares."""
    if factor == 1:
        return reduced[rows]
    upper, lower, down = _weights(np.arange(rows.start, rows.stop), reduced.shape[0], factor)
    left, right, across = _weights(np.arange(shape[1]), reduced.shape[1], factor)
    bands = reduced[upper] * (1 - down[:, None]) + reduced[lower] * down[:, None]
    return np.asarray(bands[:, left] * (1 - across) + bands[:, right] * across, np.float32)


def _weights(
    pixels: NDArray[np.int64], length: int, factor: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    place = np.clip((pixels + 0.5) / factor - 0.5, 0, length - 1)
    low = np.floor(place).astype(np.int64)
    return low, np.minimum(low + 1, length - 1), (place - low).astype(np.float32)
