from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import bmat, coo_matrix, diags
from scipy.sparse.linalg import spsolve

from lsa_engine.bands import Bands
from lsa_engine.errors import Cancelled, InputError
from lsa_engine.foreground import estimate_foreground
from lsa_engine.foreground.estimation_grids import build_pair_grids, load_composite
from lsa_engine.foreground.multigrid import full_multigrid
from lsa_engine.foreground.multigrid_processor import read_colours
from lsa_engine.progress import CancelToken, Progress
from lsa_engine.training.colours import background_colours, foreground_colours
from lsa_engine.training.mattes import KINDS

METHODS = ["lsa", "multilevel", "closed-form"]
RED, BLUE = np.array([0.9, 0.2, 0.1]), np.array([0.1, 0.3, 0.8])


def composite(size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A plain red foreground over plain blue, alpha rising from left to right."""
    alpha = np.broadcast_to(np.clip(np.linspace(-0.3, 1.3, size), 0, 1), (size, size))
    return alpha[..., None] * RED + (1 - alpha[..., None]) * BLUE, np.array(alpha)


@pytest.mark.parametrize("method", METHODS)
def test_plain_colours_are_found_again_from_their_composite(method: str) -> None:
    image, alpha = composite()
    foreground, background = estimate_foreground(image, alpha, method=method)
    for colours in (foreground, background):
        assert colours.dtype == np.float32
        assert colours.shape == image.shape
        assert colours.min() >= 0
        assert colours.max() <= 1
    assert np.abs(foreground - RED)[alpha > 0.1].max() < 0.05
    assert np.abs(background - BLUE)[alpha < 0.9].max() < 0.05
    again = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
    assert np.abs(again - image).max() < 0.02


def test_bytes_give_what_floats_give() -> None:
    image, alpha = ((array * 255).round().astype(np.uint8) for array in composite())
    from_bytes = estimate_foreground(image, alpha)[0]
    np.testing.assert_allclose(from_bytes, estimate_foreground(image / 255, alpha / 255)[0], atol=1e-5)


def test_a_channel_that_is_black_everywhere_stays_black_in_the_closed_form_solution() -> None:
    image, alpha = composite(16)
    image[..., 1] = 0
    foreground, background = estimate_foreground(image, alpha, method="closed-form")
    assert foreground[..., 1].max() == 0
    assert background[..., 1].max() == 0
    assert np.abs(foreground - RED * (1, 0, 1))[alpha > 0.5].max() < 0.05


@pytest.mark.parametrize("method", METHODS)
def test_progress_ends_at_one(method: str) -> None:
    image, alpha = composite(16)
    seen: list[Progress] = []
    estimate_foreground(image, alpha, method=method, progress=seen.append)
    assert seen[0].fraction == 0
    assert ("loading PyMatting" in seen[0].message) == (method != "lsa")
    assert seen[-1].fraction == 1


def test_cancelling_stops_the_closed_form_solver_between_channels() -> None:
    image, alpha = composite(16)
    token = CancelToken()

    def stop_after_one_channel(step: Progress) -> None:
        if step.done == 2:  # PyMatting is loaded, one channel is solved
            token.cancel()

    with pytest.raises(Cancelled):
        estimate_foreground(image, alpha, method="closed-form", progress=stop_after_one_channel, cancel=token)


@pytest.mark.parametrize("method", METHODS)
def test_a_token_already_set_stops_before_any_work(method: str) -> None:
    image, alpha = composite(16)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        estimate_foreground(image, alpha, method=method, cancel=token)


def test_sizes_that_differ_and_unknown_methods_are_refused() -> None:
    image, alpha = composite(16)
    with pytest.raises(InputError, match="16×16 and alpha 16×15"):
        estimate_foreground(image, alpha[:, 1:])
    with pytest.raises(InputError, match="'magic', but one of lsa, multilevel, closed-form"):
        estimate_foreground(image, alpha, method="magic")


def test_importing_the_foreground_room_does_not_import_pymatting_or_torch() -> None:
    code = "import sys, lsa_engine.foreground; print([m for m in ('pymatting', 'torch', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def minimum(image: NDArray, alpha: NDArray, kappa: float, floor: float) -> tuple[NDArray, NDArray]:
    """Solve for both images directly: the cost that estimate_foreground documents for "lsa"."""
    size, number = alpha.size, np.arange(alpha.size).reshape(alpha.shape)
    one = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    other = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])

    def smoothness(squares: NDArray) -> coo_matrix:
        # Each pair is counted from either end, with that end's weight and half the floor.
        edge = kappa * (squares.ravel()[one] + squares.ravel()[other]) + floor
        rows, columns = np.concatenate([one, other, one, other]), np.concatenate([other, one, one, other])
        return coo_matrix((np.concatenate([-edge, -edge, edge, edge]), (rows, columns)), (size, size))

    a = alpha.ravel().astype(float)
    b = 1 - a
    blocks = [
        [diags(a * a) + smoothness((1 - alpha) ** 2), diags(a * b)],
        [diags(a * b), diags(b * b) + smoothness(alpha**2)],
    ]
    matrix = bmat(blocks).tocsc()
    right = np.concatenate([a[:, None] * image.reshape(size, -1), b[:, None] * image.reshape(size, -1)])
    solved = np.stack([spsolve(matrix, right[:, c]) for c in range(right.shape[1])], -1)
    return solved[:size].reshape(image.shape), solved[size:].reshape(image.shape)


@pytest.mark.parametrize("size", [(40, 53), (17, 6), (2, 2)])
def test_the_cycles_of_lsa_go_to_the_minimum_of_its_cost(size: tuple[int, int], rng: np.random.Generator) -> None:
    alpha = np.clip(1.5 * rng.random(size) - 0.25, 0, 1).astype(np.float32)
    image = rng.random((*size, 3), np.float32)
    expected = minimum(image, alpha, 0.3, 0.2)
    distances = []
    with Bands(threads=1) as bands:
        grids = build_pair_grids(alpha, 3, 0.3, 0.2, bands)
        load_composite(grids[0], image, alpha)
        for sweeps in (1, 5, 25):
            full_multigrid(grids, before=sweeps, after=sweeps)
            found = np.empty_like(image), np.empty_like(image)
            read_colours(grids[0].front, found[0])
            read_colours(grids[0].back, found[1])
            distances.append(max(np.abs(x - y).max() for x, y in zip(found, expected, strict=True)))
    assert distances == sorted(distances, reverse=True)
    assert distances[0] < 0.2
    assert distances[-1] < 0.002


def truly_composed(number: int, size: int = 96) -> tuple[NDArray, NDArray, NDArray]:
    """Return image, alpha and true foreground of a drawn scene."""
    rng = np.random.default_rng(number)
    kinds = ["hair", "smoke", "blob", "foliage", "net"]
    alpha = np.clip(KINDS[kinds[number % len(kinds)]](rng, size).alpha, 0, 1)
    photo = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    front, back = foreground_colours(rng, photo, size).clip(0, 1), background_colours(rng, photo, size).clip(0, 1)
    return alpha[..., None] * front + (1 - alpha[..., None]) * back, alpha, front


def test_lsa_comes_nearer_to_the_true_colours_than_the_multilevel_method() -> None:
    errors = {"lsa": [], "multilevel": []}
    for number in range(15):
        image, alpha, front = truly_composed(number)
        for method, found in errors.items():
            difference = alpha[..., None] * (estimate_foreground(image, alpha, method=method)[0] - front)
            found.append(float(np.square(difference).mean()))
    assert np.mean(errors["lsa"]) < 0.95 * np.mean(errors["multilevel"])


def test_the_colours_of_lsa_make_up_the_image_again() -> None:
    for number in range(5):
        image, alpha, _ = truly_composed(number)
        foreground, background = estimate_foreground(image, alpha)
        again = alpha[..., None] * foreground + (1 - alpha[..., None]) * background
        # But for what clipping to [0, 1] takes away.
        assert np.abs(again - image).mean() < 1e-3
        np.testing.assert_allclose(foreground[alpha == 1], image[alpha == 1], atol=1e-6)
        np.testing.assert_allclose(background[alpha == 0], image[alpha == 0], atol=1e-6)


@pytest.mark.parametrize("size", [(2, 2), (2, 31), (13, 2), (37, 41)])
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_lsa_serves_any_size_and_any_uniform_alpha(size: tuple[int, int], value: float) -> None:
    image = np.random.default_rng(0).random((*size, 3), np.float32)
    foreground, background = estimate_foreground(image, np.full(size, value, np.float32))
    again = value * foreground + (1 - value) * background
    np.testing.assert_allclose(again, image, atol=0.3 if 0 < value < 1 else 1e-6)


def test_cancelling_stops_lsa() -> None:
    image, alpha = composite(64)
    token = CancelToken()
    with pytest.raises(Cancelled):
        estimate_foreground(image, alpha, progress=lambda step: step.done > 20 and token.cancel(), cancel=token)
