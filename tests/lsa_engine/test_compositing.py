from __future__ import annotations

import numpy as np
import pytest

from lsa_engine.compositing import checkerboard, composite, cutout, premultiply, unpremultiply
from lsa_engine.errors import InputError

RNG = np.random.default_rng(5)
FOREGROUND = RNG.random((6, 7, 3), dtype=np.float32)
BACKGROUND = RNG.random((6, 7, 3), dtype=np.float32)
ALPHA = RNG.random((6, 7), dtype=np.float32)


def test_a_composite_is_equation_one_at_every_pixel() -> None:
    result = composite(FOREGROUND, BACKGROUND, ALPHA)
    assert result.dtype == np.float32
    for y, x, c in np.ndindex(6, 7, 3):
        expected = ALPHA[y, x] * FOREGROUND[y, x, c] + (1 - ALPHA[y, x]) * BACKGROUND[y, x, c]
        assert result[y, x, c] == pytest.approx(expected, abs=1e-6)


def test_opaque_pixels_show_only_foreground_and_clear_ones_only_background() -> None:
    np.testing.assert_allclose(composite(FOREGROUND, BACKGROUND, np.ones((6, 7))), FOREGROUND, atol=1e-7)
    np.testing.assert_array_equal(composite(FOREGROUND, BACKGROUND, np.zeros((6, 7))), BACKGROUND)


@pytest.mark.parametrize("colour", [[1, 1, 1], (1.0, 1.0, 1.0), np.array([255, 255, 255], np.uint8)])
def test_one_colour_serves_as_background(colour: object) -> None:
    result = composite(FOREGROUND, colour, ALPHA)
    np.testing.assert_allclose(result, ALPHA[..., None] * FOREGROUND + (1 - ALPHA[..., None]), atol=1e-6)


def test_integers_of_several_types_mix() -> None:
    result = composite(
        np.full((2, 2, 1), 255, np.uint8), np.zeros((2, 2, 1), np.uint16), np.full((2, 2), 128, np.uint8)
    )
    np.testing.assert_allclose(result, 128 / 255, atol=1e-7)


def test_the_inputs_of_a_composite_stay_as_they_were() -> None:
    copies = FOREGROUND.copy(), BACKGROUND.copy(), ALPHA.copy()
    composite(FOREGROUND, BACKGROUND, ALPHA)
    premultiply(cutout(FOREGROUND, ALPHA))
    for now, before in zip((FOREGROUND, BACKGROUND, ALPHA), copies, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize(
    ("foreground", "background", "alpha", "words"),
    [
        (FOREGROUND, BACKGROUND[:5], ALPHA, r"background has shape \(5, 7, 3\).*\(6, 7\)"),
        (FOREGROUND[:, :6], BACKGROUND, ALPHA, r"foreground has shape \(6, 6, 3\).*\(6, 7\)"),
        (FOREGROUND, BACKGROUND[..., :2], ALPHA, "3 channels and the background 2"),
        (FOREGROUND, [0.5], ALPHA, "3 channels and the background 1"),
        (FOREGROUND[..., 0], BACKGROUND, ALPHA, "foreground has shape"),
        (FOREGROUND[..., :0], BACKGROUND, ALPHA, "no channels"),
        (FOREGROUND, [255, 255, 255], ALPHA, "data_range"),
        (FOREGROUND, BACKGROUND, FOREGROUND, "alpha has shape"),
        (FOREGROUND * 300, BACKGROUND, ALPHA, "foreground holds floats"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    foreground: object, background: object, alpha: object, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        composite(foreground, background, alpha)


def test_a_cutout_keeps_straight_colours_even_where_it_is_clear() -> None:
    alpha = np.zeros((6, 7), np.float32)
    result = cutout((FOREGROUND * 255).astype(np.uint8), alpha)
    assert result.shape == (6, 7, 4)
    np.testing.assert_allclose(result[..., :3], np.floor(FOREGROUND * 255) / 255, atol=1e-6)
    assert (result[..., 3] == 0).all()


def test_a_cutout_needs_three_channels() -> None:
    with pytest.raises(InputError, match=r"4 channels.*foreground\[\.\.\., :3\]"):
        cutout(np.zeros((6, 7, 4)), ALPHA)


def test_premultiplied_colours_laid_on_a_background_give_the_composite() -> None:
    over = premultiply(cutout(FOREGROUND, ALPHA))
    np.testing.assert_allclose(over[..., 3], ALPHA)
    np.testing.assert_allclose(
        over[..., :3] + (1 - ALPHA[..., None]) * BACKGROUND, composite(FOREGROUND, BACKGROUND, ALPHA), atol=1e-6
    )


def test_unpremultiply_undoes_premultiply_where_something_is_visible() -> None:
    rgba = cutout(FOREGROUND, ALPHA)
    rgba[0, 0, 3] = 0
    rgba[0, 1, 3] = 1e-38
    back = unpremultiply(premultiply(rgba))
    np.testing.assert_array_equal(back[0, 0], 0)
    np.testing.assert_allclose(back[1:], rgba[1:], atol=1e-5)
    assert np.isfinite(back).all()


def test_colours_brighter_than_their_alpha_are_clipped() -> None:
    rgba = np.full((2, 2, 4), 0.9, np.float32)
    rgba[..., 3] = [[1e-40, 0.3], [0.9, 1]]
    np.testing.assert_allclose(unpremultiply(rgba)[..., 0], [[1, 1], [1, 0.9]], rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 1), (0, 4, 4)])
def test_premultiply_needs_an_alpha_channel(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="alpha as the last channel"):
        premultiply(np.zeros(shape))


def test_a_checkerboard_alternates_every_square() -> None:
    board = checkerboard((5, 7), square=2)
    assert board.shape == (5, 7, 3)
    assert board.dtype == np.float32
    for y, x in np.ndindex(5, 7):
        assert board[y, x, 0] == np.float32(0.6 if (y // 2 + x // 2) % 2 else 0.8)


@pytest.mark.parametrize(("shape", "square"), [((0, 4), 16), ((4, 4), 0)])
def test_a_checkerboard_without_squares_is_refused(shape: tuple[int, int], square: int) -> None:
    with pytest.raises(InputError, match="at least 1"):
        checkerboard(shape, square)
