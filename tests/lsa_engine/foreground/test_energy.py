from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from lsa_engine.errors import InputError
from lsa_engine.foreground.energy import energy
from lsa_engine.foreground.paper import simple_refine

KAPPA = 0.7


def picture(height: int = 7, width: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    alpha = np.clip(rng.normal(0.5, 0.5, (height, width)), 0, 1)
    return rng.random((height, width, 3)), rng.random((height, width, 3)), alpha


def neighbours(y: int, x: int, shape: tuple[int, int]) -> list[tuple[int, int]]:
    """∂{i} inside the image."""
    around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
    return [(v, u) for v, u in around if 0 <= v < shape[0] and 0 <= u < shape[1]]


def literal_energy(estimate: np.ndarray, given: np.ndarray, alpha: np.ndarray, kappa: float) -> float:
    total = 0.0
    for y, x in np.ndindex(alpha.shape):
        for c in range(given.shape[2]):
            total += alpha[y, x] ** 2 * (estimate[y, x, c] - given[y, x, c]) ** 2
            for v, u in neighbours(y, x, alpha.shape):
                total += kappa * (1 - alpha[y, x]) ** 2 * (estimate[y, x, c] - estimate[v, u, c]) ** 2
    return total / 2


def printed_derivative(estimate: np.ndarray, given: np.ndarray, alpha: np.ndarray, kappa: float) -> np.ndarray:
    """∂C/∂F̂ as the paper prints it, the 4 being the number of neighbours."""
    result = np.zeros_like(given)
    for y, x in np.ndindex(alpha.shape):
        around = neighbours(y, x, alpha.shape)
        own = (1 - alpha[y, x]) ** 2
        factor = alpha[y, x] ** 2 + len(around) * kappa * own + kappa * sum((1 - alpha[j]) ** 2 for j in around)
        result[y, x] = factor * estimate[y, x] - alpha[y, x] ** 2 * given[y, x]
        for j in around:
            result[y, x] -= kappa * (own + (1 - alpha[j]) ** 2) * estimate[j]
    return result


def minimum(given: np.ndarray, alpha: np.ndarray, kappa: float) -> np.ndarray:
    """Solve ∂C/∂F̂ = 0 directly: the Hessian's columns are the derivative's answers to unit vectors, with F = 0."""
    h, w = alpha.shape
    matrix = lil_matrix((h * w, h * w))
    zero = np.zeros((h, w, 1))
    for k in range(h * w):
        unit = zero.copy()
        unit.reshape(-1)[k] = 1
        matrix[:, k] = printed_derivative(unit, zero, alpha, kappa).reshape(-1, 1)
    right = (alpha[..., None] ** 2 * given).reshape(h * w, -1)
    return spsolve(matrix.tocsc(), right).reshape(given.shape)


def test_the_energy_is_the_printed_sum_over_pixels_channels_and_neighbours_inside() -> None:
    estimate, given, alpha = picture()
    assert energy(estimate, given, alpha, KAPPA) == pytest.approx(
        literal_energy(estimate, given, alpha, KAPPA), rel=1e-12
    )


def test_the_energy_of_two_pixels_is_the_hand_computed_one() -> None:
    # ½ (0.5² · 0.2² + 1 · 0 + κ (0.25 + 0) · 0.4²), the pair counted from either end.
    value = energy(np.array([[0.6, 1.0]]), np.array([[0.4, 1.0]]), np.array([[0.5, 1.0]]), kappa=2.0)
    assert value == pytest.approx(0.5 * (0.25 * 0.04 + 2 * 0.25 * 0.16))


def test_the_printed_derivative_agrees_with_finite_differences_everywhere() -> None:
    estimate, given, alpha = picture(5, 6)
    numeric = np.zeros_like(estimate)
    step = 1e-4
    for index in np.ndindex(estimate.shape):
        higher, lower = estimate.copy(), estimate.copy()
        higher[index] += step
        lower[index] -= step
        # The cost is quadratic, so that a central difference is exact but for rounding.
        numeric[index] = (energy(higher, given, alpha, KAPPA) - energy(lower, given, alpha, KAPPA)) / (2 * step)
    np.testing.assert_allclose(printed_derivative(estimate, given, alpha, KAPPA), numeric, atol=1e-9)


def test_the_minimum_is_where_the_updates_rest_at_the_frame_too() -> None:
    _, given, alpha = picture()
    lowest = minimum(given, alpha, KAPPA)
    tilde = alpha[..., None] * given
    np.testing.assert_allclose(simple_refine(tilde, alpha, lowest, KAPPA, 1), lowest, atol=1e-6)
    np.testing.assert_allclose(simple_refine(tilde, alpha, given, KAPPA, 3000), lowest, atol=1e-5)


def test_no_other_foreground_has_a_lower_energy_than_the_minimum() -> None:
    estimate, given, alpha = picture()
    lowest = minimum(given, alpha, KAPPA)
    least = energy(lowest, given, alpha, KAPPA)
    rng = np.random.default_rng(1)
    for size in (1e-3, 1e-1):
        other = lowest + size * rng.standard_normal(lowest.shape)
        assert energy(other, given, alpha, KAPPA) > least
    assert least < energy(given, given, alpha, KAPPA)
    assert least < energy(estimate, given, alpha, KAPPA)


def test_sweeps_from_the_given_foreground_bring_the_energy_down_to_the_minimum() -> None:
    _, given, alpha = picture()
    tilde = alpha[..., None] * given
    least = energy(minimum(given, alpha, KAPPA), given, alpha, KAPPA)
    gaps = [energy(simple_refine(tilde, alpha, given, KAPPA, t), given, alpha, KAPPA) - least for t in (0, 5, 50)]
    assert gaps[0] > 10 * gaps[1] > 10 * gaps[2]


def test_bytes_and_floats_of_the_same_picture_have_the_same_energy() -> None:
    rng = np.random.default_rng(2)
    estimate, given = (rng.integers(0, 256, (6, 5, 3), dtype=np.uint8) for _ in range(2))
    alpha = rng.integers(0, 256, (6, 5), dtype=np.uint8)
    assert energy(estimate, given, alpha) == pytest.approx(energy(estimate / 255, given / 255, alpha / 255), rel=1e-12)


def test_small_terms_are_not_lost_in_a_large_sum() -> None:
    given = np.zeros((400, 400), np.float32)
    estimate = np.full((400, 400), 1e-4, np.float32)
    estimate[0, 0] = 1000
    alpha = np.ones((400, 400), np.float32)
    small = energy(estimate, given, alpha) - 0.5 * 1000**2
    assert small == pytest.approx(0.5 * (400 * 400 - 1) * 1e-8, rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alpha": np.zeros((6, 9))}, "alpha"),
        ({"alpha": np.full((7, 9), 1.5)}, r"spans 1\.5 to 1\.5"),
        ({"alpha": np.full((7, 9, 1), 0.5)}, "one non-empty plane"),
        ({"foreground": np.zeros((7, 9))}, "foreground_hat has shape"),
        ({"foreground_hat": np.full((7, 9, 3), np.nan)}, "NaN"),
        ({"foreground": np.zeros((7, 9, 3), np.int32)}, "int32"),
        ({"kappa": 0.0}, "kappa"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(changes: dict, said: str) -> None:
    estimate, given, alpha = picture()
    arguments = {"foreground_hat": estimate, "foreground": given, "alpha": alpha} | changes
    with pytest.raises(InputError, match=said):
        energy(**arguments)


@pytest.mark.parametrize("values", [1, 60, 1000])
def test_blocks_of_rows_do_not_change_the_sum(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    estimate, given, alpha = picture(13, 9)
    whole = energy(estimate, given, alpha, KAPPA)
    # The package has a function of the module's name.
    monkeypatch.setattr(import_module("lsa_engine.foreground.energy"), "_BLOCK", values)
    assert energy(estimate, given, alpha, KAPPA) == pytest.approx(whole, rel=1e-12)
