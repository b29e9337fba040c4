from __future__ import annotations

import numpy as np
import pytest

from lsa_engine.errors import InputError
from lsa_engine.foreground import energy, multiscale_refine, refine_foreground


def disc(size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A noisy foreground whose soft disc is red on a green surround: the green must not stay near the edge."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    alpha = np.clip((size / 3 - np.hypot(y - size / 2, x - size / 2)) / 6 + 0.5, 0, 1)
    colours = np.where(alpha[..., None] > 0, (200, 30, 20), (0, 250, 0)) + rng.integers(-5, 6, (size, size, 3))
    return np.clip(colours, 0, 255).astype(np.uint8), (alpha * 255).astype(np.uint8)


def test_bytes_come_back_as_the_rounded_result_of_algorithm_2() -> None:
    foreground, alpha = disc()
    refined = refine_foreground(foreground, alpha)
    assert refined.dtype == np.uint8
    expected = multiscale_refine(foreground / np.float32(255), alpha / np.float32(255))
    np.testing.assert_array_equal(refined, np.rint(expected * 255).astype(np.uint8))


@pytest.mark.parametrize("dtype", [np.uint16, np.float16, np.float32, np.float64])
def test_every_type_comes_back_as_it_was_given(dtype: type) -> None:
    foreground, alpha = disc()
    expected = refine_foreground(foreground / np.float32(255), alpha)
    scale = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    refined = refine_foreground((foreground / 255 * scale).astype(dtype), alpha)
    assert refined.dtype == dtype
    np.testing.assert_allclose(refined / scale, expected, atol=1e-3)


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 1)])
def test_one_channel_comes_back_in_its_own_shape(shape: tuple[int, ...]) -> None:
    foreground, alpha = disc()
    refined = refine_foreground(foreground[..., 0].reshape(shape), alpha)
    np.testing.assert_array_equal(refined, refine_foreground(foreground, alpha)[..., 0].reshape(shape))


def test_the_visible_part_stays_and_the_surround_takes_its_colour() -> None:
    foreground, alpha = disc()
    refined = refine_foreground(foreground, alpha)
    inner = alpha == 255
    # Opaque pixels with an opaque neighbourhood are not touched at all.
    deep = inner[1:-1, 1:-1] & inner[2:, 1:-1] & inner[:-2, 1:-1] & inner[1:-1, 2:] & inner[1:-1, :-2]
    np.testing.assert_array_equal(refined[1:-1, 1:-1][deep], foreground[1:-1, 1:-1][deep])
    surround = refined[alpha == 0].astype(int)
    assert np.abs(surround - (200, 30, 20)).max() < 15
    composite = alpha[..., None] / 255 * (refined.astype(float) - foreground)
    assert np.abs(composite).mean() < 0.5


def test_the_energy_falls() -> None:
    foreground, alpha = disc()
    refined = refine_foreground(foreground, alpha)
    assert energy(refined, foreground, alpha) < 0.02 * energy(foreground, foreground, alpha)


def test_a_larger_kappa_gives_a_smoother_foreground() -> None:
    foreground, alpha = disc()
    weak, strong = (refine_foreground(foreground / 255, alpha, kappa=kappa) for kappa in (0.1, 10.0))
    soft = (alpha > 0) & (alpha < 128)
    assert np.abs(np.diff(strong, axis=0))[soft[1:]].mean() < 0.8 * np.abs(np.diff(weak, axis=0))[soft[1:]].mean()


def test_sizes_that_differ_are_refused_with_both_named() -> None:
    foreground, alpha = disc()
    with pytest.raises(InputError, match="64×64 and alpha 63×64"):
        refine_foreground(foreground, alpha[1:])


def test_an_unknown_method_is_refused_with_those_there_are() -> None:
    foreground, alpha = disc()
    with pytest.raises(InputError, match=r"'fast', but one of paper"):
        refine_foreground(foreground, alpha, method="fast")


def test_a_kappa_of_zero_is_refused() -> None:
    foreground, alpha = disc()
    with pytest.raises(InputError, match="kappa"):
        refine_foreground(foreground, alpha, kappa=0)
