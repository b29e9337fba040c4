"""Colours of things: light falls on them as their shape has it, and they throw shadows."""

from __future__ import annotations

import numpy as np

from lsa_engine.training.colours import edge_lit, shadowed


def _disc(size: int) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size].astype(np.float32) - size / 2
    return np.clip(size / 4 - np.hypot(rows, columns), 0, 1).astype(np.float32)


def test_light_makes_a_rim_another_brightness_than_the_middle_and_stays_a_colour() -> None:
    alpha, gray = _disc(64), np.full((64, 64, 3), 0.4, np.float32)
    ratios = []
    for number in range(20):
        lit = edge_lit(np.random.default_rng(number), gray, alpha)
        assert lit.dtype == np.float32
        assert lit.min() >= 0
        assert lit.max() <= 1
        ratios.append(lit[32, 17].mean() / lit[32, 32].mean())
    assert min(ratios) < 0.9
    assert max(ratios) > 1.1


def test_a_shadow_darkens_the_background_and_never_brightens_it() -> None:
    alpha, white = _disc(64), np.ones((64, 64, 3), np.float32)
    for number in range(10):
        dark = shadowed(np.random.default_rng(number), white, alpha)
        assert dark.max() <= 1 + 1e-6
        assert 0.3 < dark.min() < 0.95
        assert dark.mean() < 0.99
