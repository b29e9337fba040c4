"""Shapes whose areas and moments are known, drawn with exact coverage: the share of every pixel's square inside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

Draw = Callable[..., np.ndarray]


def _overlap(low: np.ndarray, high: np.ndarray, count: int) -> np.ndarray:
    """Return the length of the intervals [low, high] within each of the pixels 0 … count − 1, of width 1."""
    edges = np.arange(count + 1) - 0.5
    inside = np.clip(edges, low[..., None], np.maximum(low, high)[..., None])
    return np.diff(inside, axis=-1)


@pytest.fixture(scope="session")
def rectangle() -> Draw:
    """Draw the rectangle between two corners, (y, x) each, exactly."""

    def draw(shape: tuple[int, int], first: tuple[float, float], second: tuple[float, float]) -> np.ndarray:
        sides = [_overlap(np.array(first[i]), np.array(second[i]), shape[i]) for i in range(2)]
        return np.multiply.outer(*sides)

    return draw


@pytest.fixture(scope="session")
def ellipse() -> Draw:
    """Draw an ellipse whose first half-axis points `angle` from the rows' axis towards positive x.

    Along x the coverage is exact; along y it is summed over 256 chords a pixel.
    """

    def draw(
        shape: tuple[int, int], centre: tuple[float, float], half_axes: tuple[float, float], angle: float = 0.0
    ) -> np.ndarray:
        chords = 256
        y = (np.arange(shape[0] * chords) + 0.5) / chords - 0.5 - centre[0]
        (a, b), c, s = half_axes, np.cos(angle), np.sin(angle)
        # ((y c + x s) / a)² + ((x c − y s) / b)² = 1, solved for x.
        square = (s / a) ** 2 + (c / b) ** 2
        linear = y * c * s * (1 / a**2 - 1 / b**2)
        root = np.sqrt(np.maximum(linear**2 - square * (y**2 * ((c / a) ** 2 + (s / b) ** 2) - 1), 0))
        x = centre[1] - linear / square
        rows = _overlap(x - root / square, x + root / square, shape[1])
        return rows.reshape(shape[0], chords, shape[1]).mean(axis=1)

    return draw
