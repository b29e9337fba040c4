"""Training examples: drawn from their numbers alone, with a trimap that never claims to know a soft pixel."""

from __future__ import annotations

import numpy as np
import pytest

from lsa_engine.training.composites import Example, ProceduralComposites, Style, draw_trimap, photograph
from lsa_engine.training.mattes import KINDS


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    rng = np.random.default_rng(8)
    return [rng.integers(0, 256, (60 + 20 * index, 90, 3), dtype=np.uint8) for index in range(3)]


@pytest.fixture(scope="module")
def sprites() -> list[np.ndarray]:
    rows, columns = np.mgrid[:40, :60]
    return [np.clip(300 - 12 * np.hypot(rows - 20, columns - 30), 0, 255).astype(np.uint8)]


@pytest.fixture(scope="module")
def composites(photos: list[np.ndarray], sprites: list[np.ndarray]) -> ProceduralComposites:
    return ProceduralComposites(photos, sprites, seed=4)


@pytest.fixture(scope="module")
def examples(composites: ProceduralComposites) -> list[Example]:
    return [composites.draw(number, 64) for number in range(40)]


def test_examples_are_bytes_of_the_asked_size(examples: list[Example]) -> None:
    for example in examples:
        assert example.image.shape == (64, 64, 3)
        assert example.alpha.shape == example.trimap.shape == (64, 64)
        assert example.image.dtype == example.alpha.dtype == example.trimap.dtype == np.uint8
        assert set(np.unique(example.trimap)) <= {0, 128, 255}


def test_a_number_gives_the_same_example_each_time(
    composites: ProceduralComposites, photos: list[np.ndarray], sprites: list[np.ndarray]
) -> None:
    again = ProceduralComposites(photos, sprites, seed=4)
    for number in (0, 7, 123_456):
        first, second = composites.draw(number, 48), again.draw(number, 48)
        np.testing.assert_array_equal(first.image, second.image)
        np.testing.assert_array_equal(first.alpha, second.alpha)
        np.testing.assert_array_equal(first.trimap, second.trimap)


@pytest.mark.parametrize(
    ("number", "colours", "alpha", "trimap"),
    [
        (4, (129.7, 129.3, 115.8), 87.5, 67.2),
        (5, (174.8, 179.5, 132.4), 142.2, 129.5),
        (6, (125.1, 127.4, 126.0), 107.2, 131.8),
    ],
)
def test_a_number_gives_the_example_that_it_gave_to_runs_before(
    composites: ProceduralComposites, number: int, colours: tuple[float, ...], alpha: float, trimap: float
) -> None:
    # Means, so that another processor's rounding passes; a random number more, less or in another order does not.
    example = composites.draw(number, 64, Style(parts=1.0))
    np.testing.assert_allclose(example.image.mean((0, 1)), colours, atol=1)
    np.testing.assert_allclose((example.alpha.mean(), example.trimap.mean()), (alpha, trimap), atol=1)


def test_another_number_or_another_seed_gives_another_example(
    composites: ProceduralComposites, photos: list[np.ndarray], sprites: list[np.ndarray]
) -> None:
    first = composites.draw(1, 48)
    assert np.any(first.image != composites.draw(2, 48).image)
    assert np.any(first.image != ProceduralComposites(photos, sprites, seed=5).draw(1, 48).image)


def test_a_trimap_never_marks_a_soft_pixel_as_known(examples: list[Example]) -> None:
    for example in examples:
        assert np.all(example.alpha[example.trimap == 255] == 255)
        assert np.all(example.alpha[example.trimap == 0] == 0)


def test_nearly_every_example_has_foreground_background_and_something_to_learn(examples: list[Example]) -> None:
    complete = [set(np.unique(example.trimap)) == {0, 128, 255} for example in examples]
    assert np.mean(complete) > 0.85
    soft = [((example.alpha > 5) & (example.alpha < 250)).any() for example in examples]
    assert np.mean(soft) > 0.95


def test_a_series_without_sprites_draws_the_other_kinds(photos: list[np.ndarray]) -> None:
    composites = ProceduralComposites(photos, [], seed=0)
    assert all(composites.draw(number, 32).alpha.any() for number in range(10))


@pytest.mark.parametrize("kind", KINDS)
def test_trimaps_widen_the_soft_region_of_every_kind(kind: str) -> None:
    for number in range(4):
        alpha = KINDS[kind](np.random.default_rng((1, number)), 61).alpha.astype(np.float32)
        trimap = draw_trimap(np.random.default_rng((2, number)), alpha)
        unknown = trimap == 128
        assert np.all(unknown[(alpha > 0) & (alpha < 1)])
        assert np.all(alpha[trimap == 255] == 1)
        assert np.all(alpha[trimap == 0] == 0)


def test_soft_pixels_at_the_border_of_an_odd_view_stay_unknown() -> None:
    # Distances are taken on a grid of half the size, which leaves the last row and column out.
    alpha = np.ones((33, 33), np.float32)
    alpha[32, ::2] = alpha[::2, 32] = 0.5
    for number in range(10):
        trimap = draw_trimap(np.random.default_rng(number), alpha)
        assert np.all(trimap[alpha == 0.5] == 128)


def test_a_matte_that_is_solid_everywhere_is_known_but_for_islands_or_in_spots_alone() -> None:
    for value, known in ((1.0, 255), (0.0, 0)):
        solid = np.full((32, 32), value, np.float32)
        trimaps = [draw_trimap(np.random.default_rng(seed), solid) for seed in range(40)]
        assert np.setdiff1d(trimaps, [known, 128]).size == 0
        whole = [bool((trimap == known).all()) for trimap in trimaps]
        assert 20 < sum(whole) < 40
        shares = [(trimap == known).mean() for trimap in trimaps]
        assert min(shares) > 0
        assert np.mean(np.array(shares) > 0.6) > 0.85


def test_a_camera_adds_light_more_often_than_stored_colours() -> None:
    # Half black, half white: stored values give 0.5, light anything up to 0.5 ** (1 / 2.2) = 0.73.
    shape = (16, 16, 3)
    front, back, alpha = np.ones(shape, np.float32), np.zeros(shape, np.float32), np.full((16, 16), 0.5, np.float32)
    values = [photograph(np.random.default_rng(number), front, back, alpha).mean() / 255 for number in range(60)]
    assert np.mean(np.array(values) > 0.53) > 0.5
    assert max(values) < 1
