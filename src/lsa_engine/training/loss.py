"""The training loss of §3: a smooth absolute difference over the unknown region, at five scales."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_EPSILON_SQUARED = 1e-6
_SCALES = 5


def matting_loss(prediction: Tensor, alpha: Tensor, unknown: Tensor) -> Tensor:
    """Return Σ_{ℓ=0}^{4} 2^{−ℓ} · L(P^ℓ(α̂), P^ℓ(α)) (§3).

    L is the mean of √((α̂−α)² + ε²) over the unknown region with ε² = 1e-6, P^ℓ average pooling by 2^ℓ. Difference
    and mask are pooled together, and the pooled mask weights the pooled levels. A prediction beyond 1 where α >
    0.999, or below 0 where α < 0.001, is not an error, since the matte is clamped afterwards.

    Parameters
    ----------
    prediction : Tensor
        (N, 1, H, W) float32, not clamped.
    alpha : Tensor
        (N, 1, H, W) float32 in [0, 1].
    unknown : Tensor
        (N, 1, H, W) bool.

    Returns
    -------
    Tensor
        A scalar; 0 where nothing is unknown.
    """
    overshoot = ((alpha > 0.999) & (prediction > 1)) | ((alpha < 0.001) & (prediction < 0))
    mask = unknown.to(prediction.dtype)
    difference = torch.where(overshoot, torch.zeros_like(prediction), prediction - alpha) * mask
    total = prediction.new_zeros(())
    for level in range(_SCALES):
        if level > 0:
            difference = F.avg_pool2d(difference, 2)
            mask = F.avg_pool2d(mask, 2)
        error = torch.sqrt(difference.square() + _EPSILON_SQUARED) * mask
        total = total + 2.0**-level * error.sum() / mask.sum().clamp_min(1e-6)
    return total
