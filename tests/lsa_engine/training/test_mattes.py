"""Procedural mattes: each a true alpha, and the same again from the same number."""

from __future__ import annotations

import numpy as np
import pytest

from lsa_engine.training.mattes import KINDS, _strands, smooth_noise, soft_threshold, sprite

SIZES = (48, 65)
SPRITE = np.clip(255 * np.hypot(*np.mgrid[-1:1:50j, -1:1:70j]), 0, 255).astype(np.uint8)
# The angle, length, curl and width of a strand.
STRAND = (np.array([0.3]), np.array([30.0]), 0.5, np.array([1.0]))


def draw(kind: str, number: int, size: int) -> np.ndarray:
    rng = np.random.default_rng((3, number))
    return (sprite(rng, size, [SPRITE]) if kind == "sprite" else KINDS[kind](rng, size)).alpha


@pytest.mark.parametrize("kind", [*KINDS, "sprite"])
def test_every_kind_is_an_alpha(kind: str) -> None:
    for size in SIZES:
        for number in range(6):
            alpha = draw(kind, number, size)
            assert alpha.shape == (size, size)
            # A net's thin threads are drawn in double precision; examples are cut to float32 and 8 bits anyway.
            assert alpha.dtype == np.float32 or (kind == "net" and alpha.dtype == np.float64)
            assert alpha.min() >= 0
            assert alpha.max() <= 1


@pytest.mark.parametrize("kind", [*KINDS, "sprite"])
def test_every_kind_is_the_same_again_and_another_with_another_number(kind: str) -> None:
    first = draw(kind, 1, 48)
    np.testing.assert_array_equal(first, draw(kind, 1, 48))
    assert np.abs(first - draw(kind, 2, 48)).max() > 0.1


@pytest.mark.parametrize("kind", [*KINDS, "sprite"])
def test_every_kind_has_soft_pixels(kind: str) -> None:
    soft = [((alpha > 0.02) & (alpha < 0.98)).mean() for alpha in (draw(kind, number, 64) for number in range(6))]
    assert np.mean(soft) > 0.005


@pytest.mark.parametrize("kind", ["hair", "fibres", "foliage", "shrub"])
def test_things_have_tones_of_their_own_where_they_are_and_none_elsewhere(kind: str) -> None:
    spreads = []
    for number in range(6):
        drawn = KINDS[kind](np.random.default_rng((4, number)), 65)
        assert drawn.tones is not None
        assert np.all(drawn.tones[drawn.alpha == 0] == 0)
        spreads.append(drawn.tones.std())
    assert 0.1 < np.mean(spreads) < 1.5


def test_hair_grows_out_of_its_body_without_a_gap() -> None:
    xs, ys, _, along = _strands(np.random.default_rng(0), np.array([5.0]), np.array([7.0]), *STRAND)
    assert (xs[0, 0], ys[0, 0], along[0], along[-1]) == (5, 7, 0, 1)
    assert np.hypot(np.diff(xs), np.diff(ys)).sum() == pytest.approx(30, rel=1e-5)


def test_noise_has_unit_variance_and_its_octaves_add_detail() -> None:
    rng = np.random.default_rng(0)
    coarse = np.stack([smooth_noise(rng, 64, 4) for _ in range(40)])
    fine = np.stack([smooth_noise(rng, 64, 4, 4) for _ in range(40)])
    for noise in (coarse, fine):
        assert noise.dtype == np.float32
        assert 0.4 < noise.var() < 1.3
    assert np.abs(np.diff(fine)).mean() > 1.5 * np.abs(np.diff(coarse)).mean()


def test_a_soft_threshold_is_half_at_the_outline_and_solid_half_an_edge_away() -> None:
    field = np.array([-9, -3, 0, 1.5, 3, 9], np.float32)
    alpha = soft_threshold(field, 6.0)
    np.testing.assert_allclose(alpha, [0, 0, 0.5, 0.84375, 1, 1], atol=1e-6)
