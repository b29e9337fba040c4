"""What tests of the refinement of foregrounds share."""

from __future__ import annotations

import numpy as np

METHODS = ["multigrid", "paper"]


def disc(size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A noisy foreground whose soft disc is red on a green surround: the green must not stay near the edge."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    alpha = np.clip((size / 3 - np.hypot(y - size / 2, x - size / 2)) / 6 + 0.5, 0, 1)
    colours = np.where(alpha[..., None] > 0, (200, 30, 20), (0, 250, 0)) + rng.integers(-5, 6, (size, size, 3))
    return np.clip(colours, 0, 255).astype(np.uint8), (alpha * 255).astype(np.uint8)
