from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from foregrounds import METHODS, disc
from lsa_engine.errors import Cancelled, InputError
from lsa_engine.foreground import ForegroundReport, energy, multiscale_refine, refine_foreground, refinement
from lsa_engine.foreground.direct import minimise
from lsa_engine.progress import CancelToken, Progress

Plane = NDArray[np.float32]


def surely_unmoved(alpha: np.ndarray) -> np.ndarray:
    """Opaque pixels all of whose neighbours are opaque: nothing ties them to another."""
    padded = np.pad(alpha == alpha.dtype.type(255 if alpha.dtype == np.uint8 else 1), 1, constant_values=True)
    inner = padded[1:-1, 1:-1]
    return inner & padded[2:, 1:-1] & padded[:-2, 1:-1] & padded[1:-1, 2:] & padded[1:-1, :-2]


# What holds for whatever picture comes.

sizes = st.tuples(st.integers(1, 19), st.integers(1, 19))
alpha_values = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0625, 1, width=32))
pictures = sizes.flatmap(
    lambda size: st.tuples(
        arrays(np.float32, (*size, 2), elements=st.floats(0, 1, width=32, allow_subnormal=False)),
        arrays(np.float32, size, elements=alpha_values),
    )
)
quick = settings(max_examples=60, deadline=None)


@quick
@given(pictures, st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 0.1]))
def test_no_perturbation_beats_the_result(pair: tuple[Plane, Plane], seed: int, size: float) -> None:
    foreground, alpha = pair
    refined = refine_foreground(foreground, alpha, tolerance=1e-4)
    least = energy(refined, foreground, alpha)
    step = size * np.random.default_rng(seed).standard_normal(foreground.shape)
    nothing = 1e-9 * float((foreground**2).sum()) + 1e-9
    assert energy(refined + step, foreground, alpha) > least * (1 - 2e-4) - nothing
    assert least <= energy(foreground, foreground, alpha) * (1 + 1e-6) + nothing


@quick
@given(pictures)
def test_opaque_pixels_among_opaque_ones_are_returned_unchanged(pair: tuple[Plane, Plane]) -> None:
    foreground, alpha = pair
    still = surely_unmoved(alpha)
    np.testing.assert_allclose(refine_foreground(foreground, alpha)[still], foreground[still], atol=1e-6)


@quick
@given(pictures, st.floats(0, 1, width=32, allow_subnormal=False))
def test_a_constant_foreground_stays_constant(pair: tuple[Plane, Plane], value: float) -> None:
    foreground = np.full_like(pair[0], value)
    np.testing.assert_allclose(refine_foreground(foreground, pair[1]), foreground, atol=1e-5)


@quick
@given(pictures, st.sampled_from(["transposed", "flipped", "turned"]))
def test_turning_the_picture_turns_the_result(pair: tuple[Plane, Plane], how: str) -> None:
    foreground, alpha = pair
    turn: Callable[[np.ndarray], np.ndarray] = {
        "transposed": lambda x: np.swapaxes(x, 0, 1),
        "flipped": lambda x: x[:, ::-1],
        "turned": lambda x: x[::-1, ::-1],
    }[how]
    plain = refine_foreground(foreground, alpha, tolerance=1e-9)
    turned = refine_foreground(turn(foreground), turn(alpha), tolerance=1e-9)
    np.testing.assert_allclose(turned, turn(plain), atol=2e-3)


@quick
@given(pictures, st.floats(0.125, 8, width=32))
def test_a_brighter_foreground_gives_a_brighter_result(pair: tuple[Plane, Plane], factor: float) -> None:
    foreground, alpha = pair
    plain = refine_foreground(foreground, alpha, tolerance=1e-9)
    scaled = refine_foreground(np.float32(factor) * foreground, alpha, tolerance=1e-9)
    np.testing.assert_allclose(scaled, factor * plain, atol=2e-3 * factor)


@pytest.mark.parametrize("shape", [(1, 13), (13, 1), (1, 293), (2, 273), (245, 2), (5, 188), (17, 800)])
def test_long_strips_of_which_little_is_seen_are_refined_too(shape: tuple[int, int]) -> None:
    # Multigrid cycles alone lead away from the optimum on some of them, to colours of a million and more.
    for seed in range(30):
        rng = np.random.default_rng(seed)
        foreground = rng.random((*shape, 2), np.float32)
        alpha = np.zeros(shape, np.float32)
        places = rng.integers(0, shape[0], 3), rng.integers(0, shape[1], 3)
        alpha[places] = rng.choice([1.0, 0.5, 0.1], 3)
        reports: list[ForegroundReport] = []
        refined = refine_foreground(foreground, alpha, report=reports.append)
        exact = minimise(foreground, alpha, 1.0)
        assert exact.min() >= foreground.min() - 1e-5
        assert exact.max() <= foreground.max() + 1e-5
        least = energy(exact, foreground, alpha)
        assert energy(refined, foreground, alpha) <= 1.002 * least + 1e-6
        assert not reports[0].notes
        assert np.abs(refined - exact).max() < 0.05


# What a user sees.


def test_bytes_come_back_as_the_rounded_result_of_algorithm_2() -> None:
    foreground, alpha = disc()
    refined = refine_foreground(foreground, alpha, method="paper")
    assert refined.dtype == np.uint8
    expected = multiscale_refine(foreground / np.float32(255), alpha / np.float32(255))
    np.testing.assert_array_equal(refined, np.rint(expected * 255).astype(np.uint8))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float16, np.float32, np.float64])
def test_every_type_comes_back_as_it_was_given(dtype: type, method: str) -> None:
    foreground, alpha = disc()
    expected = refine_foreground(foreground / np.float32(255), alpha, method=method)
    scale = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    refined = refine_foreground((foreground / 255 * scale).astype(dtype), alpha, method=method)
    assert refined.dtype == dtype
    np.testing.assert_allclose(refined / scale, expected, atol=5e-3 if dtype == np.uint8 else 1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [None, 1, 2, 4, 7])
def test_any_number_of_channels_comes_back_each_as_it_is_alone(channels: int | None, method: str) -> None:
    _, alpha = disc()
    rng = np.random.default_rng(1)
    foreground = rng.random((64, 64) if channels is None else (64, 64, channels), np.float32)
    refined = refine_foreground(foreground, alpha, method=method)
    assert refined.shape == foreground.shape
    for channel in range(channels or 0):
        alone = refine_foreground(foreground[..., channel], alpha, method=method)
        np.testing.assert_allclose(refined[..., channel], alone, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_the_visible_part_stays_and_the_surround_takes_its_colour(method: str) -> None:
    foreground, alpha = disc()
    refined = refine_foreground(foreground, alpha, method=method)
    still = surely_unmoved(alpha)
    np.testing.assert_array_equal(refined[still], foreground[still])
    surround = refined[alpha == 0].astype(int)
    assert np.abs(surround - (200, 30, 20)).max() < 15
    composite = alpha[..., None] / 255 * (refined.astype(float) - foreground)
    assert np.abs(composite).mean() < 0.5


def test_the_minimum_costs_less_than_algorithm_2() -> None:
    rng = np.random.default_rng(3)
    foreground, alpha = rng.random((64, 64, 3)), rng.random((64, 64))
    multigrid, paper = (energy(refine_foreground(foreground, alpha, method=m), foreground, alpha) for m in METHODS)
    assert multigrid < paper < 0.5 * energy(foreground, foreground, alpha)


@pytest.mark.parametrize("method", METHODS)
def test_a_larger_kappa_gives_a_smoother_foreground(method: str) -> None:
    foreground, alpha = disc()
    weak, strong = (refine_foreground(foreground / 255, alpha, kappa=k, method=method) for k in (0.1, 10.0))
    soft = (alpha > 0) & (alpha < 128)
    assert np.abs(np.diff(strong, axis=0))[soft[1:]].mean() < 0.8 * np.abs(np.diff(weak, axis=0))[soft[1:]].mean()


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 9), (13, 1), (2, 2), (3, 5), (31, 37)])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_any_size_and_any_uniform_alpha_will_do(shape: tuple[int, int], value: float) -> None:
    foreground = np.random.default_rng(2).random((*shape, 3), np.float32)
    refined = refine_foreground(foreground, np.full(shape, value, np.float32))
    assert np.isfinite(refined).all()
    if value == 1:
        np.testing.assert_allclose(refined, foreground, atol=1e-6)
    if value == 0:
        np.testing.assert_allclose(refined, np.broadcast_to(foreground.mean((0, 1)), refined.shape), atol=1e-6)


def test_large_images_are_refined_channel_by_channel_to_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    foreground, alpha = disc()
    expected = refine_foreground(foreground, alpha, tolerance=1e-6)
    monkeypatch.setattr(refinement, "_CHANNELWISE_FROM", 100)
    np.testing.assert_allclose(refine_foreground(foreground, alpha, tolerance=1e-6).astype(int), expected, atol=1)


# What is reported.


def test_the_report_tells_the_cost_and_how_far_it_may_be_from_the_least() -> None:
    foreground, alpha = (array / 255 for array in disc())
    reports: list[ForegroundReport] = []
    refined = refine_foreground(foreground, alpha, tolerance=1e-4, report=reports.append)
    (report,) = reports
    assert report.method == "multigrid"
    assert report.device == "cpu"
    assert report.energy == pytest.approx(energy(refined, foreground, alpha), rel=1e-4)
    assert report.relative_gap is not None
    assert 0 < report.relative_gap <= 1.01e-4
    assert report.cycles >= 1
    assert report.notes == ()


def test_a_tolerance_out_of_reach_is_noted() -> None:
    foreground, alpha = disc(16)
    reports: list[ForegroundReport] = []
    refine_foreground(foreground, alpha, tolerance=1e-30, report=reports.append)
    assert "1e-30 was not reached" in reports[0].notes[0]


@pytest.mark.parametrize("method", METHODS)
def test_progress_rises_to_one(method: str) -> None:
    seen: list[Progress] = []
    refine_foreground(*disc(), method=method, progress=seen.append)
    fractions = [step.fraction for step in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == 1
    assert len(seen) > 5


@pytest.mark.parametrize("method", METHODS)
def test_cancelling_stops_it(method: str) -> None:
    token = CancelToken()
    with pytest.raises(Cancelled):
        refine_foreground(*disc(), method=method, progress=lambda step: step.done > 3 and token.cancel(), cancel=token)


SCRIPT = """
import numpy as np
from lsa_engine.foreground import refine_foreground
said = []
foreground = np.random.default_rng(0).random((9, 9, 3), np.float32)
refine_foreground(foreground, foreground[..., 0], progress=lambda step: said.append(step.message))
print(said[0])
refine_foreground(foreground, foreground[..., 0], progress=lambda step: said.append(step.message))
print(said[-1])
"""


def test_the_first_call_says_that_it_compiles_and_needs_no_place_for_a_cache(tmp_path: Path) -> None:
    # NUMBA_CACHE_DIR names a place that cannot be made: below a file.
    (tmp_path / "file").touch()
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "file" / "cache")}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=True)
    first, last = done.stdout.splitlines()
    assert "compiling" in first
    assert last == "refining the foreground"


# What is refused.


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alpha": np.zeros((63, 64))}, r"\(64, 64, 3\) and alpha \(63, 64\)"),
        ({"alpha": np.full((64, 64), 1.5)}, "alpha holds floats from 1.5"),
        ({"alpha": np.full((64, 64), np.nan)}, "alpha holds 4096 NaN"),
        ({"foreground": np.full((64, 64, 3), np.inf)}, "infinite"),
        ({"foreground": np.zeros((64, 64, 3), np.int32)}, "int32"),
        ({"foreground": np.zeros((0, 64, 3)), "alpha": np.zeros((0, 64))}, "without an empty axis"),
        ({"foreground": np.zeros(5), "alpha": np.zeros(5)}, r"has shape \(5,\)"),
        ({"kappa": 0}, "kappa"),
        ({"kappa": -1.0}, "kappa"),
        ({"tolerance": 0}, "tolerance is 0"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
        ({"method": "fast"}, "'fast', but one of multigrid, paper"),
        ({"device": "abacus"}, "'abacus', expected one of auto"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(changes: dict, said: str) -> None:
    foreground, alpha = disc()
    arguments = {"foreground": foreground, "alpha": alpha} | changes
    with pytest.raises(InputError, match=said):
        refine_foreground(**arguments)
