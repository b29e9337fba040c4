"""Algorithms 1 and 2 against a slow transcription of the paper in plain Python, one pixel and one number at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lsa_engine.errors import Cancelled, InputError
from lsa_engine.foreground.paper import multiscale_refine, simple_refine
from lsa_engine.progress import CancelToken, Progress


def literal_algorithm_1(tilde, alpha, initial, kappa, sweeps):
    """SimpleRefine as printed, on rows of pixels of channels; ∂{i} and the 4 count what lies inside the image."""
    h, w = len(alpha), len(alpha[0])
    channels = len(tilde[0][0])
    estimate = [[list(pixel) for pixel in row] for row in initial]
    for _ in range(sweeps):
        following = [[[0.0] * channels for _ in range(w)] for _ in range(h)]
        for y in range(h):
            for x in range(w):
                neighbours = [
                    (y + dy, x + dx)
                    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1))
                    if 0 <= y + dy < h and 0 <= x + dx < w
                ]
                a = alpha[y][x]
                denominator = a**2 + len(neighbours) * kappa * (1 - a) ** 2
                for v, u in neighbours:
                    denominator += kappa * (1 - alpha[v][u]) ** 2
                for c in range(channels):
                    numerator = a * tilde[y][x][c]
                    for v, u in neighbours:
                        numerator += kappa * ((1 - a) ** 2 + (1 - alpha[v][u]) ** 2) * estimate[v][u][c]
                    following[y][x][c] = numerator / denominator if denominator > 0 else estimate[y][x][c]
        estimate = following
    return estimate


def literal_resize(image, height, width):
    """Bilinear: the centre of a new pixel falls between the centres of four old ones, or beyond the outermost."""
    h, w, channels = len(image), len(image[0]), len(image[0][0])
    result = []
    for y in range(height):
        v = min(max((y + 0.5) * h / height - 0.5, 0), h - 1)
        v0 = min(math.floor(v), max(h - 2, 0))
        v1 = min(v0 + 1, h - 1)
        row = []
        for x in range(width):
            u = min(max((x + 0.5) * w / width - 0.5, 0), w - 1)
            u0 = min(math.floor(u), max(w - 2, 0))
            u1 = min(u0 + 1, w - 1)
            row.append(
                [
                    (1 - (v - v0)) * ((1 - (u - u0)) * image[v0][u0][c] + (u - u0) * image[v0][u1][c])
                    + (v - v0) * ((1 - (u - u0)) * image[v1][u0][c] + (u - u0) * image[v1][u1][c])
                    for c in range(channels)
                ]
            )
        result.append(row)
    return result


def literal_algorithm_2(foreground, alpha, scales, kappa, sweeps):
    """Multi-scale refinement as printed."""
    h, w = len(alpha), len(alpha[0])
    initial = foreground
    tilde = [[[alpha[y][x] * value for value in foreground[y][x]] for x in range(w)] for y in range(h)]
    for s in range(scales - 1, -1, -1):
        w_s, h_s = max(1, w // 2**s), max(1, h // 2**s)
        tilde_s = literal_resize(tilde, h_s, w_s)
        alpha_s = [
            [pixel[0] for pixel in row] for row in literal_resize([[[a] for a in row] for row in alpha], h_s, w_s)
        ]
        initial = literal_resize(initial, h_s, w_s)
        initial = literal_algorithm_1(tilde_s, alpha_s, initial, kappa, 2**s * sweeps)
    return initial


def picture(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random colours; alpha has opaque, invisible and mixed pixels, all three at the frame too."""
    rng = np.random.default_rng(seed)
    alpha = np.clip(rng.normal(0.5, 0.6, (height, width)), 0, 1).astype(np.float32)
    return rng.random((height, width, 3), dtype=np.float32), alpha


@pytest.mark.parametrize(("height", "width", "kappa"), [(9, 13, 1.0), (2, 7, 0.3), (11, 2, 5.0)])
def test_algorithm_1_matches_a_literal_transcription(height: int, width: int, kappa: float) -> None:
    foreground, alpha = picture(height, width, seed=1)
    initial = picture(height, width, seed=2)[0]
    tilde = alpha[..., None] * foreground
    expected = literal_algorithm_1(tilde.tolist(), alpha.tolist(), initial.tolist(), kappa, 25)
    result = simple_refine(tilde, alpha, initial, kappa, 25)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=2e-6)


@pytest.mark.parametrize(("height", "width"), [(37, 45), (32, 64), (21, 5)])
def test_algorithm_2_matches_a_literal_transcription_with_the_papers_parameters(height: int, width: int) -> None:
    foreground, alpha = picture(height, width, seed=3)
    expected = literal_algorithm_2(foreground.tolist(), alpha.tolist(), 6, 1.0, 20)
    np.testing.assert_allclose(multiscale_refine(foreground, alpha), expected, atol=5e-6)


def test_algorithm_2_matches_a_literal_transcription_with_other_parameters() -> None:
    foreground, alpha = picture(23, 30, seed=4)
    expected = literal_algorithm_2(foreground.tolist(), alpha.tolist(), 3, 0.25, 3)
    result = multiscale_refine(foreground, alpha, scales=3, kappa=0.25, iterations=3)
    np.testing.assert_allclose(result, expected, atol=5e-6)


def test_sweeping_in_blocks_of_rows_does_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    foreground, alpha = picture(29, 17, seed=5)
    whole = multiscale_refine(foreground, alpha, scales=2)
    monkeypatch.setattr("lsa_engine.bands._PARALLEL_FROM", 1)
    for values in (1, 3 * 17 * 4):
        monkeypatch.setattr("lsa_engine.bands._PIECE", values)
        np.testing.assert_array_equal(multiscale_refine(foreground, alpha, scales=2), whole)


def test_no_sweep_returns_the_initial_foreground_and_inputs_stay_as_they_were() -> None:
    foreground, alpha = picture(6, 8, seed=6)
    tilde = alpha[..., None] * foreground
    copies = tilde.copy(), alpha.copy(), foreground.copy()
    result = simple_refine(tilde, alpha, foreground, 1.0, 0)
    np.testing.assert_array_equal(result, foreground)
    result[:] = -1
    for iterations in (1, 2, 3):
        simple_refine(tilde, alpha, foreground, 1.0, iterations)
    for array, copy in zip((tilde, alpha, foreground), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_an_opaque_foreground_is_returned_exactly() -> None:
    foreground, _ = picture(40, 33, seed=7)
    np.testing.assert_array_equal(multiscale_refine(foreground, np.ones((40, 33), np.float32)), foreground)


def test_a_constant_foreground_stays_constant_where_it_is_invisible() -> None:
    _, alpha = picture(40, 33, seed=8)
    constant = np.full((40, 33, 3), (0.2, 0.5, 0.9), np.float32)
    np.testing.assert_allclose(multiscale_refine(constant, alpha), constant, atol=5e-6)


def test_colours_stay_between_the_darkest_and_the_brightest_given() -> None:
    foreground, alpha = picture(64, 50, seed=9)
    refined = multiscale_refine(0.25 + 0.5 * foreground, alpha)
    assert refined.min() >= 0.25 - 1e-6
    assert refined.max() <= 0.75 + 1e-6


def test_a_grey_foreground_gives_what_each_channel_gives() -> None:
    foreground, alpha = picture(20, 24, seed=10)
    colour = multiscale_refine(foreground, alpha)
    np.testing.assert_array_equal(multiscale_refine(foreground[..., 1], alpha), colour[..., 1])


def test_progress_rises_to_the_end_in_proportion_to_the_work() -> None:
    foreground, alpha = picture(32, 32, seed=11)
    seen: list[Progress] = []
    multiscale_refine(foreground, alpha, scales=2, iterations=3, progress=seen.append)
    # Six sweeps of 256 pixels, then three of 1024.
    assert [step.done for step in seen] == [0, 256, 512, 768, 1024, 1280, 1536, 2560, 3584, 4608]
    assert seen[-1].fraction == 1


def test_cancelling_stops_after_the_sweep() -> None:
    foreground, alpha = picture(16, 16, seed=12)
    token, seen = CancelToken(), []

    def stop_at_the_third(step: Progress) -> None:
        seen.append(step)
        if len(seen) == 3:
            token.cancel()

    with pytest.raises(Cancelled):
        multiscale_refine(foreground, alpha, progress=stop_at_the_third, cancel=token)
    assert len(seen) == 3


@pytest.mark.parametrize("kappa", [0.0, -1.0, float("nan"), float("inf")])
def test_a_kappa_that_is_not_positive_is_refused(kappa: float) -> None:
    foreground, alpha = picture(4, 4, seed=13)
    with pytest.raises(InputError, match="kappa"):
        multiscale_refine(foreground, alpha, kappa=kappa)


@pytest.mark.parametrize("options", [{"scales": 0}, {"scales": 2.5}, {"iterations": -1}, {"iterations": True}])
def test_counts_that_are_not_whole_numbers_in_range_are_refused(options: dict) -> None:
    foreground, alpha = picture(4, 4, seed=14)
    with pytest.raises(InputError, match=next(iter(options))):
        multiscale_refine(foreground, alpha, **options)


def test_an_initial_foreground_of_another_size_is_refused() -> None:
    foreground, alpha = picture(4, 4, seed=15)
    with pytest.raises(InputError, match=r"initial has shape \(4, 3, 3\)"):
        simple_refine(foreground, alpha, foreground[:, :3], 1.0, 1)
