"""The outline's length and the surface's area against scikit-image's own marching squares and cubes of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import measure

from lsa_engine.measure.outline import LEVEL, outline_length

SPACING = (0.3, 0.7, 2.0)


def noisy(shape: tuple[int, ...], levels: int | None) -> np.ndarray:
    """Return noise, of a few values only or of any; saddles and values of exactly a half are frequent in it."""
    noise = np.random.default_rng(7).random(shape, dtype=np.float32)
    return noise if levels is None else np.round(noise * levels) / np.float32(levels)


def weighted(sizes: np.ndarray, middles: np.ndarray, shape: tuple[int, ...]) -> float:
    """Return the sum of what lies within the frame, half of what crosses it."""
    outside = ((middles < 1) | (middles > np.array(shape))).sum(axis=1)
    return float((sizes * 0.5**outside).sum())


@pytest.mark.parametrize("levels", [None, 1, 4])
@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (3, 3), (40, 50), (3, 30_000), (300, 700)])
def test_the_outline_is_as_long_as_all_contours_together(shape: tuple[int, int], levels: int | None) -> None:
    alpha = noisy(shape, levels)
    contours = measure.find_contours(np.pad(alpha, 1, mode="edge"), LEVEL)
    assert contours
    lengths = [np.linalg.norm(np.diff(points, axis=0) * SPACING[:2], axis=1) for points in contours]
    middles = [(points[1:] + points[:-1]) / 2 for points in contours]
    expected = weighted(np.concatenate(lengths), np.concatenate(middles), shape)
    assert outline_length(alpha, SPACING[:2]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("levels", [None, 1, 4])
@pytest.mark.parametrize("shape", [(1, 5, 6), (9, 20, 30), (7, 150, 160)])
def test_the_surface_is_as_large_as_that_of_the_whole_volume(shape: tuple[int, int, int], levels: int | None) -> None:
    alpha = noisy(shape, levels)
    vertices, faces, _, _ = measure.marching_cubes(np.pad(alpha, 1, mode="edge"), LEVEL)
    corners = vertices.astype(np.float64)[faces]
    first, second = ((corners[:, side] - corners[:, 0]) * SPACING for side in (1, 2))
    areas = np.linalg.norm(np.cross(first, second), axis=1) / 2
    assert outline_length(alpha, SPACING) == pytest.approx(weighted(areas, corners.mean(axis=1), shape), rel=1e-6)
