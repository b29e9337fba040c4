"""Brushes of sub-pixel width: they cover as much as their geometry says, wherever they fall between pixels."""

from __future__ import annotations

import numpy as np
import pytest

from lsa_engine.training.strokes import draw_leaf, draw_strand, draw_strands


def strand(width: float, offset: float, opacity: float = 1.0) -> np.ndarray:
    """A vertical strand through a 40 × 21 view."""
    alpha = np.zeros((40, 21), np.float32)
    ys = np.linspace(-5, 45, 12, dtype=np.float32)
    xs = np.full(12, 10 + offset, np.float32)
    draw_strand(alpha, alpha.copy(), xs, ys, np.full(12, width, np.float32), np.full(12, opacity, np.float32), 0.0)
    return alpha


@pytest.mark.parametrize("offset", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("width", [0.25, 1.0, 3.0])
def test_a_strand_covers_its_width(width: float, offset: float) -> None:
    np.testing.assert_allclose(strand(width, offset).sum(1), width, atol=0.02)


def test_a_strand_has_its_opacity_and_lies_over_what_is_there() -> None:
    once = strand(5.0, 0.0, 0.5)
    assert once.max() == pytest.approx(0.5)
    twice = once.copy()
    ys = np.linspace(-5, 45, 12, dtype=np.float32)
    xs = np.full(12, 10, np.float32)
    width, opacity = np.full((1, 12), 5.0, np.float32), np.full((1, 12), 0.5, np.float32)
    draw_strands(twice, np.zeros_like(twice), xs[None], ys[None], width, opacity, np.zeros(1, np.float32))
    np.testing.assert_allclose(twice, 1 - (1 - once) ** 2, atol=1e-6)


def test_a_pixel_has_the_tone_of_its_strands_as_they_cover_each_other() -> None:
    alpha, tones = np.zeros((2, 40, 21), np.float32)
    xs, ys = np.full((2, 12), 10, np.float32), np.tile(np.linspace(-5, 45, 12, dtype=np.float32), (2, 1))
    widths, opacities = np.full((2, 12), 5.0, np.float32), np.repeat(np.array([[0.5], [0.8]], np.float32), 12, 1)
    draw_strands(alpha, tones, xs, ys, widths, opacities, np.array([1.0, -1.0], np.float32))
    # A colour of 1 and 0.5 opaque, below one of -1 and 0.8 opaque: what is seen, divided by alpha.
    assert alpha[20, 10] == pytest.approx(0.9)
    assert tones[20, 10] == pytest.approx((0.8 * -1 + 0.2 * 0.5 * 1) / 0.9, abs=1e-6)
    assert tones[20, 0] == 0


def test_a_strand_outside_the_view_draws_nothing() -> None:
    assert strand(2.0, 500.0).max() == 0


@pytest.mark.parametrize("angle", [0.0, 0.7, np.pi / 2])
def test_a_leaf_has_the_area_of_its_two_parabolas(angle: float) -> None:
    alpha = np.zeros((81, 81), np.float32)
    draw_leaf(alpha, alpha.copy(), 40.3, 39.8, angle, 24.0, 9.0, 1.0, 1.0, 0.0)
    assert alpha.sum() == pytest.approx(4 / 3 * 9 * 24 * 2, rel=0.03)
    assert alpha.max() == 1
    assert alpha.min() == 0
