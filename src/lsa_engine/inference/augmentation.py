"""Test-time augmentation (§5.1): the mean over quarter turns, mirror images and three scales."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from numbers import Integral
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lsa_engine.errors import Cancelled, InputError
from lsa_engine.scalars import is_number

SCALES: dict[int, tuple[float, ...]] = {8: (1.0,), 24: (0.8, 1.0, 1.25)}
_SMALLEST = 2


class AugmentedMatte(NamedTuple):
    """Mean of the mattes of many copies, their standard deviation once clamped to [0, 1], and how many there were."""

    mean: Tensor
    spread: Tensor
    copies: int


def checked_copies(copies: int) -> int:
    """Return a number of augmented copies, 0 for none.

    Raises
    ------
    InputError
        If there is no rule for it.
    """
    if not (is_number(copies, Integral) and copies in (0, *SCALES)):
        raise InputError(f"Got test-time augmentation {copies!r}, expected 0, 8 or 24; choose one of these.")
    return int(copies)


def augmented_matte(
    image: Tensor,
    trimap: Tensor,
    folds: int,
    predict: Callable[[Tensor, Tensor], Tensor],
    batch: int,
    *,
    keep_begun: bool = False,
) -> AugmentedMatte:
    """Return mean and spread of the mattes of 8 or 24 turned, mirrored and scaled copies.

    Parameters
    ----------
    image : Tensor
        (1, 3, H, W) float32 in [0, 1].
    trimap : Tensor
        (1, 1, H, W) uint8 with 0, 128, 255.
    folds : {8, 24}
        8: four quarter turns, mirrored or not. 24: the same at the scales 0.8, 1 and 1.25, as in the paper.
    predict : callable
        Takes images (N, 3, h, w) and trimaps (N, 1, h, w), returns mattes (N, K, h, w), not clamped.
    batch : int
        Most copies in one call.
    keep_begun : bool
        Cancelled after some copies, return the mean of those.

    Returns
    -------
    AugmentedMatte
        Mean and spread are (1, K, H, W); the mean is not clamped.
    """
    checked_copies(folds)
    size = image.shape[-2:]
    total, sums, squares = (torch.zeros_like(image[:, :1]) for _ in range(3))
    copies = 0
    try:
        for scale, turns in _plans(folds, batch):
            scaled_image, scaled_trimap = resize_pair(image, trimap, scale)
            images = torch.cat([turn(scaled_image, *t) for t in turns])
            trimaps = torch.cat([turn(scaled_trimap, *t) for t in turns])
            mattes = predict(images, trimaps)
            for matte, t in zip(mattes.split(1), turns, strict=True):
                matte = turn_back(matte, *t)
                if scale != 1.0:
                    matte = F.interpolate(matte, size, mode="bilinear", align_corners=False, antialias=True)
                total = total + matte
                # Clamped, as a user sees it; about 1/2, so that little is lost in the difference below.
                shown = matte.clamp(0, 1) - 0.5
                sums = sums + shown
                squares = squares + shown.square()
                copies += 1
    except Cancelled:
        if not (keep_begun and copies):
            raise
    variance = squares / copies - (sums / copies).square()
    return AugmentedMatte(total / copies, variance.clamp_min(0).sqrt(), copies)


def work_of(folds: int) -> float:
    """Return how many times an image's pixels all copies have together."""
    return sum(8 * scale**2 for scale in SCALES[folds])


def _plans(folds: int, batch: int) -> Iterator[tuple[float, list[tuple[int, bool]]]]:
    """Yield a scale and (quarter turns, mirrored) in groups whose pictures have one shape."""
    for scale, parity in product(SCALES[folds], (0, 1)):
        group = [(quarters, mirrored) for quarters in (parity, parity + 2) for mirrored in (False, True)]
        for start in range(0, len(group), batch):
            yield scale, group[start : start + batch]


def turn(x: Tensor, quarters: int, mirrored: bool) -> Tensor:
    """Return pictures mirrored left to right, then turned by quarters of a circle."""
    return torch.rot90(x.flip(-1) if mirrored else x, quarters, (-2, -1))


def turn_back(x: Tensor, quarters: int, mirrored: bool) -> Tensor:
    """Undo :func:`turn`."""
    x = torch.rot90(x, -quarters, (-2, -1))
    return x.flip(-1) if mirrored else x


def resize_pair(image: Tensor, trimap: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Return image and trimap at another scale; a pixel stays known only if all that it is made of was known alike."""
    if scale == 1.0:
        return image, trimap
    size = [max(_SMALLEST, round(length * scale)) for length in image.shape[-2:]]
    resized = F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True).clamp(0, 1)
    known = torch.cat([trimap == 0, trimap == 255], 1).to(image.dtype)
    share = F.interpolate(known, size, mode="bilinear", align_corners=False, antialias=True)
    coarse = torch.full_like(share[:, :1], 128)
    coarse[share[:, :1] > 0.999] = 0
    coarse[share[:, 1:] > 0.999] = 255
    return resized, coarse.to(torch.uint8)
