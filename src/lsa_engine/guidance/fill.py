"""Smooth fills: the known colours of a region, continued into the rest of the image (Assumption 1's own prior)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lsa_engine.boxes import Box
from lsa_engine.progress import unchecked

_SWEEPS = 4
_FALLBACK = 0.5


def smooth_fill(colours: Tensor, known: Tensor, check: Callable[[], None] = unchecked) -> Tensor:
    """Continue known colours smoothly over the whole image: a membrane stretched between the known pixels.

    Solved coarse to fine: each level of a pyramid takes the coarser solution, enlarged, and relaxes it where nothing
    is known. The finest level is half the image's size, since the solution is smooth there and every known pixel is
    put back exactly.

    Parameters
    ----------
    colours : Tensor
        (N, C, H, W), any range.
    known : Tensor
        (N, 1, H, W) bool, where `colours` are to be kept.
    check : callable, optional
        Called between parts of the work, in several threads; may raise to stop.

    Returns
    -------
    Tensor
        (N, C, H, W), same dtype as `colours`; mid-gray (0.5) where an image of the batch has no known pixel at all.
    """
    if colours.device.type == "cpu" and colours.dtype == torch.float32:
        # The loops release the interpreter lock, so the images of a batch are filled side by side.
        with ThreadPoolExecutor(max(1, min(len(colours), torch.get_num_threads()))) as pool:
            filled = pool.map(partial(_fill_on_processor, check), colours.detach().numpy(), known[:, 0].numpy())
            result = torch.empty(colours.shape)
            for plane, target in zip(filled, result.numpy(), strict=True):
                target[...] = plane
            return result
    return _fill_in_torch(colours, known, check)


def _fill_on_processor(
    check: Callable[[], None], colours: NDArray[np.float32], known: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Fill one image (C, H, W) with loops that touch each pixel once where torch would pass over memory many times."""
    from lsa_engine.guidance.fill_kernels import halve, put_known

    if known.size == 1:
        return np.where(known, colours, np.float32(_FALLBACK))
    check()
    weight = known[None].astype(np.float32)
    half = fill_means(halve(colours * weight), halve(weight), check)
    filled = _enlarge(half, known.shape)
    check()
    put_known(filled, colours, known)
    return filled


def fill_means(
    weighted: NDArray[np.float32], weight: NDArray[np.float32], check: Callable[[], None] = unchecked
) -> NDArray[np.float32]:
    """Return the fill (C, h, w) of a reduced image, from coarse to fine.

    Parameters
    ----------
    weighted : ndarray
        (C, h, w) float32: means over cells of the known colours, with 0 where nothing is known.
    weight : ndarray
        (1, h, w) float32: share of each cell that is known.
    check : callable, optional
        Called between parts of the work; may raise to stop.
    """
    from lsa_engine.guidance.fill_kernels import halve

    levels = [_level(weighted, weight)]
    while max(weighted.shape[-2:]) > 1:
        weighted, weight = halve(weighted), halve(weight)
        levels.append(_level(weighted, weight))
    coarsest, present = levels.pop()
    filled = np.where(present, coarsest, np.float32(_FALLBACK))
    for values, present in reversed(levels):
        check()
        filled = _settle(_enlarge(filled, present.shape), values, present, check)
    return filled


def fill_window(
    filled: NDArray[np.float32],
    level: int,
    size: tuple[int, int],
    box: Box,
    colours: NDArray[np.float32],
    known: NDArray[np.bool_],
    check: Callable[[], None] = unchecked,
) -> NDArray[np.float32]:
    """Return a part of the fill that :func:`smooth_fill` gives of a whole image, from that of the reduced image.

    Parameters
    ----------
    filled : ndarray
        (C, h, w) float32 from :func:`fill_means`, of the image halved `level` times.
    level : int
        At least 1.
    size : (int, int)
        Height and width of the image.
    box : Box
        The part that is wanted.
    colours, known : ndarray
        (C, h, w) float32 and (h, w) bool, what is known in the part that :func:`fill_surroundings` names.
    check : callable, optional
        Called between parts of the work; may raise to stop.

    Returns
    -------
    ndarray
        (C, h, w) float32; the same as in the whole fill up to rounding.
    """
    from lsa_engine.guidance.fill_kernels import halve, put_known

    boxes, sizes = _windows(box, level, size), _sizes(size, level)
    given = fill_surroundings(box, level, size)
    weight = known[None].astype(np.float32)
    weighted = colours * weight
    levels = []
    for step in range(1, level):
        weighted, weight = halve(weighted), halve(weight)
        part = boxes[step].within(given.reduced(2**step))
        levels.append(_level(np.ascontiguousarray(part.cut(weighted)), np.ascontiguousarray(part.cut(weight))))
    window = np.ascontiguousarray(boxes[level].cut(filled))
    for step in reversed(range(1, level)):
        window = _enlarge(window, sizes[step], boxes[step], boxes[step + 1], sizes[step + 1])
        window = _settle(window, *levels[step - 1], check)
    check()
    window = _enlarge(window, size, box, boxes[1], sizes[1])
    inside = box.within(given)
    put_known(window, inside.cut(colours), inside.cut(known))
    return window


def fill_surroundings(box: Box, level: int, size: tuple[int, int]) -> Box:
    """Return the part of an image that :func:`fill_window` has to see."""
    steps = max(level - 1, 0)
    return _windows(box, level, size)[steps].enlarged(2**steps, size)


def _windows(box: Box, level: int, size: tuple[int, int]) -> list[Box]:
    """Return a box, and on every coarser level what its part of the next finer one is made from."""
    boxes = [box]
    for coarser in _sizes(size, level)[1:]:
        boxes.append(boxes[-1].halved().grown(_SWEEPS + 2, coarser))
    return boxes


def _sizes(size: tuple[int, int], level: int) -> list[tuple[int, int]]:
    return [(-(-size[0] // 2**step), -(-size[1] // 2**step)) for step in range(level + 1)]


def _level(weighted: NDArray[np.float32], weight: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the mean colours of what is known in each cell, and where there is any."""
    return np.divide(weighted, np.maximum(weight, 1e-12), dtype=np.float32), weight[0] > 0


def _settle(
    filled: NDArray[np.float32], values: NDArray[np.float32], present: NDArray[np.bool_], check: Callable[[], None]
) -> NDArray[np.float32]:
    """Return a coarser level's fill, in place where it can be, with what is known put back and the rest relaxed."""
    from lsa_engine.guidance.fill_kernels import put_known, relax

    put_known(filled, values, present)
    other = filled.copy()
    for _ in range(_SWEEPS):
        check()
        relax(filled, other, present)
        filled, other = other, filled
    return filled


def _enlarge(
    coarse: NDArray[np.float32],
    size: tuple[int, ...],
    window: Box | None = None,
    given: Box | None = None,
    coarse_size: tuple[int, ...] | None = None,
) -> NDArray[np.float32]:
    """Return a map (C, h, w) enlarged to `size`, or a window of it from the part `given` of one of `coarse_size`."""
    from lsa_engine.guidance.fill_kernels import enlarge

    coarse_size = coarse_size or coarse.shape[-2:]
    given = given or Box(0, coarse_size[0], 0, coarse_size[1])
    window = window or Box(0, size[0], 0, size[1])
    enlarged: NDArray[np.float32] = enlarge(coarse, given.top, given.left, *coarse_size, tuple(window), *size)
    return enlarged


def _fill_in_torch(colours: Tensor, known: Tensor, check: Callable[[], None]) -> Tensor:
    """Fill a batch with tensor operations, on any device."""
    weight = known.to(colours.dtype)
    weighted = colours * weight
    levels: list[tuple[Tensor, Tensor]] = []
    while max(weighted.shape[-2:]) > 1:
        weighted, weight = _half(weighted), _half(weight)
        levels.append((weighted / weight.clamp_min(1e-12), weight > 0))
    if not levels:
        return torch.where(known, colours, torch.full_like(colours, _FALLBACK))
    coarsest, present = levels.pop()
    filled = torch.where(present, coarsest, torch.full_like(coarsest, _FALLBACK))
    for values, present in reversed(levels):
        filled = F.interpolate(filled, values.shape[-2:], mode="bilinear", align_corners=False)
        filled = torch.where(present, values, filled)
        for _ in range(_SWEEPS):
            check()
            relaxed = F.avg_pool2d(filled, 3, 1, 1, count_include_pad=False)
            filled = torch.where(present, values, relaxed)
    filled = F.interpolate(filled, colours.shape[-2:], mode="bilinear", align_corners=False)
    return torch.where(known, colours, filled)


def _half(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False)


def project_alpha(image: Tensor, foreground: Tensor, background: Tensor, *, softness: float = 0.003) -> Tensor:
    """Return where each colour lies on the line from its background to its foreground colour.

    Least squares of the compositing equation (1) for α alone: ⟨I−B, F−B⟩ / (|F−B|² + softness), clipped to [−0.5,
    1.5]: outside [0, 1] the overshoot says that the fills are wrong there.

    Parameters
    ----------
    image, foreground, background : Tensor
        (N, 3, H, W) in [0, 1].
    softness : float
        Added to the squared distance of the two colours, so that equal colours give 0 instead of a division by zero.

    Returns
    -------
    Tensor
        (N, 1, H, W).
    """
    line = foreground - background
    along = ((image - background) * line).sum(1, keepdim=True)
    return (along / (line.square().sum(1, keepdim=True) + softness)).clamp(-0.5, 1.5)
