"""Smooth fills: the known colours of a region, continued into the rest of the image (Assumption 1's own prior)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

_SWEEPS = 4
_FALLBACK = 0.5


def smooth_fill(colours: Tensor, known: Tensor) -> Tensor:
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

    Returns
    -------
    Tensor
        (N, C, H, W), same dtype as `colours`; mid-gray (0.5) where an image of the batch has no known pixel at all.
    """
    if colours.device.type == "cpu" and colours.dtype == torch.float32:
        # The loops release the interpreter lock, so the images of a batch are filled side by side.
        with ThreadPoolExecutor(max(1, min(len(colours), torch.get_num_threads()))) as pool:
            filled = pool.map(_fill_on_processor, colours.detach().numpy(), known[:, 0].numpy())
            result = torch.empty(colours.shape)
            for plane, target in zip(filled, result.numpy(), strict=True):
                target[...] = plane
            return result
    return _fill_in_torch(colours, known)


def _fill_on_processor(colours: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill one image (C, H, W) with loops that touch each pixel once where torch would pass over memory many times."""
    from lsa_engine.guidance.fill_kernels import enlarge, halve, put_known, relax

    weight = known[None].astype(np.float32)
    weighted = colours * weight
    levels = []
    while max(weighted.shape[-2:]) > 1:
        weighted, weight = halve(weighted), halve(weight)
        levels.append((weighted / np.maximum(weight, 1e-12), weight[0] > 0))
    if not levels:
        return np.where(known, colours, np.float32(_FALLBACK))
    coarsest, present = levels.pop()
    filled = np.where(present, coarsest, np.float32(_FALLBACK))
    for values, present in reversed(levels):
        filled = enlarge(filled, *present.shape)
        put_known(filled, values, present)
        filled = relax(filled, present, _SWEEPS)
    filled = enlarge(filled, *known.shape)
    put_known(filled, colours, known)
    return filled


def _fill_in_torch(colours: Tensor, known: Tensor) -> Tensor:
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
