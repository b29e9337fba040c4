"""Refinement of tensors where they lie: nothing but a few sums comes to the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lsa_engine.arrays import ROUNDING
from lsa_engine.foreground.multigrid import Convergence
from lsa_engine.foreground.multigrid_torch import solve_tensors

_PLAIN = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.bool)

# Of so many rows and columns one is looked at to tell how bright an image is.
_SAMPLED = 4


def usable_tensors(foreground: Tensor, alpha: Any) -> tuple[Tensor, Tensor] | None:
    """Return colours (N, H, W, C) and alphas (N, H, W), both float32, if they can be used as they are.

    None if not: because of their type, their place, or a fault, which a look from the host will name.
    """
    if not isinstance(alpha, Tensor) or alpha.device != foreground.device:
        return None
    if foreground.dtype not in _PLAIN or alpha.dtype not in _PLAIN:
        return None
    if foreground.ndim not in (2, 3, 4) or foreground.numel() == 0:
        return None
    if foreground.ndim == 3 and alpha.ndim == 3 and alpha.shape[2] == 1:
        alpha = alpha[..., 0]
    batched = foreground.ndim == 4
    if alpha.shape != foreground.shape[: 3 if batched else 2]:
        return None
    colours, opacity = _unit(foreground), _unit(alpha)
    if foreground.ndim == 2:
        colours = colours[..., None]
    lowest, highest = opacity.aminmax()
    # A comparison with NaN is false.
    good = colours.isfinite().all() & (lowest >= -ROUNDING) & (highest <= 1 + ROUNDING)
    if not bool(good):
        return None
    opacity = opacity.clamp(0, 1)
    return (colours, opacity) if batched else (colours[None], opacity[None])


def refine_tensors(
    colours: Tensor, alpha: Tensor, kappa: float, tolerance: float, after_cycle: Callable[[], None] = lambda: None
) -> tuple[Tensor, Convergence]:
    """Return the refined colours (N, H, W, C) of images and alphas (N, H, W), float32 on one device.

    Raises
    ------
    torch.OutOfMemoryError
        If the device has too little memory.
    """
    with torch.inference_mode():
        planes = colours.permute(0, 3, 1, 2).contiguous()
        # A cost that is nothing beside the colours, for images whose optimum costs nothing.
        squares = planes[..., ::_SAMPLED, ::_SAMPLED].square().mean((1, 2, 3)) * planes[0].numel()
        floor = 1e-6 * tolerance * squares.cpu().numpy().astype(float)
        refined, outcome = solve_tensors(planes, alpha[:, None].contiguous(), kappa, tolerance, floor, after_cycle)
        # An image of which nothing is seen gets its mean colour: of the constants, which all cost 0, the nearest.
        blank = ~alpha.any(2).any(1)
        refined = torch.where(blank[:, None, None, None], planes.mean((2, 3), keepdim=True), refined)
        return refined.permute(0, 2, 3, 1).contiguous(), outcome


def as_type(refined: Tensor, dtype: torch.dtype) -> Tensor:
    """Return colours in the type of a foreground: integers rounded, booleans as float32."""
    if dtype == torch.uint8:
        return (refined.clamp(0, 1) * 255).round().to(dtype)
    return refined.to(dtype) if dtype.is_floating_point else refined


def _unit(values: Tensor) -> Tensor:
    """Scale integers by their range; floats as they are."""
    return values.float() / 255 if values.dtype == torch.uint8 else values.float()
