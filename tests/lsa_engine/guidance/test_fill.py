"""Smooth fills: known colours continued like a membrane, the same numbers by either way of computing them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import spsolve
from torch import Tensor

from lsa_engine.guidance.fill import project_alpha, smooth_fill

Mask = NDArray[np.bool_]


def disc(height: int, width: int, radius: float) -> Mask:
    """True outside a disc in the middle: what is known around a hole."""
    rows, columns = np.mgrid[:height, :width]
    return np.hypot(rows - height / 2, columns - width / 2) > radius


def as_batch(values: NDArray[np.floating], known: Mask) -> tuple[Tensor, Tensor]:
    colours = torch.tensor(np.atleast_3d(values), dtype=torch.float32).permute(2, 0, 1)[None]
    return colours, torch.tensor(known)[None, None]


def solve_laplace(values: NDArray[np.float64], known: Mask) -> NDArray[np.float64]:
    """The membrane itself, by a direct sparse solver: each unknown pixel is the mean of its neighbours in the image."""
    height, width = known.shape
    number = np.arange(height * width).reshape(height, width)
    rows, columns, entries = [number[known]], [number[known]], [np.ones(known.sum())]
    for here, there in (
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
    ):
        for a, b in ((here, there), (there, here)):
            free = ~known[a]
            rows += [number[a][free], number[a][free]]
            columns += [number[a][free], number[b][free]]
            entries += [np.ones(free.sum()), -np.ones(free.sum())]
    matrix = csr_matrix((np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))))
    return spsolve(matrix, np.where(known, values, 0).ravel()).reshape(known.shape)


@pytest.mark.parametrize(("height", "width"), [(1, 9), (7, 1), (31, 47), (64, 64), (65, 50)])
def test_the_compiled_loops_and_the_tensor_operations_agree(rng: np.random.Generator, height: int, width: int) -> None:
    colours = torch.from_numpy(rng.random((3, 3, height, width), np.float32))
    known = torch.from_numpy(rng.random((3, 1, height, width)) < 0.1)
    known[2] = False  # one image of the batch has nothing to start from
    loops = smooth_fill(colours, known)
    tensors = smooth_fill(colours.double(), known)
    assert loops.dtype == torch.float32
    assert tensors.dtype == torch.float64
    torch.testing.assert_close(loops.double(), tensors, atol=1e-5, rtol=0)


def test_images_of_any_memory_layout_are_filled_alike(rng: np.random.Generator) -> None:
    colours = torch.from_numpy(rng.random((2, 3, 20, 30), np.float32))
    known = torch.from_numpy(rng.random((2, 1, 20, 30)) < 0.2)
    pixels = colours.to(memory_format=torch.channels_last)
    torch.testing.assert_close(smooth_fill(pixels, known), smooth_fill(colours, known), atol=0, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_known_pixels_are_kept_exactly(rng: np.random.Generator, dtype: torch.dtype) -> None:
    colours = torch.from_numpy(rng.random((1, 3, 33, 41))).to(dtype)
    known = torch.from_numpy(rng.random((1, 1, 33, 41)) < 0.3)
    filled = smooth_fill(colours, known)
    where = known.expand_as(colours)
    assert torch.equal(filled[where], colours[where])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_constant_colour_fills_everything_with_it(dtype: torch.dtype) -> None:
    known = torch.from_numpy(~disc(50, 70, 9))[None, None]
    colours = torch.where(known, torch.tensor([0.2, 0.55, 0.9]).view(1, 3, 1, 1), torch.rand(1, 3, 50, 70)).to(dtype)
    filled = smooth_fill(colours, known)
    expected = torch.tensor([0.2, 0.55, 0.9]).to(dtype).view(1, 3, 1, 1).expand_as(filled)
    torch.testing.assert_close(filled, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_fill_never_leaves_the_range_of_the_known_colours(rng: np.random.Generator, dtype: torch.dtype) -> None:
    colours = torch.from_numpy(rng.normal(0, 5, (2, 3, 61, 45))).to(dtype)
    known = torch.from_numpy(rng.random((2, 1, 61, 45)) < 0.02)
    filled = smooth_fill(colours, known)
    for image, mask, result in zip(colours, known, filled, strict=True):
        for channel in range(3):
            given = image[channel][mask[0]]
            assert result[channel].min() >= given.min() - 1e-5
            assert result[channel].max() <= given.max() + 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_any_known_pixel_the_fill_is_mid_gray(dtype: torch.dtype) -> None:
    known = torch.zeros(1, 1, 21, 34, dtype=torch.bool)
    filled = smooth_fill(torch.rand(1, 3, 21, 34).to(dtype), known)
    torch.testing.assert_close(filled, torch.full_like(filled, 0.5), atol=1e-6, rtol=0)


def test_unknown_colours_do_not_bleed_into_the_fill(rng: np.random.Generator) -> None:
    known = torch.from_numpy(disc(40, 40, 12))[None, None]
    colours = torch.from_numpy(rng.random((1, 3, 40, 40), np.float32))
    other = torch.where(known, colours, torch.from_numpy(rng.random((1, 3, 40, 40), np.float32)))
    assert torch.equal(smooth_fill(colours, known), smooth_fill(other, known))


def test_between_two_sides_the_fill_is_nearly_a_ramp() -> None:
    columns = np.arange(80)
    known = np.broadcast_to((columns < 16) | (columns >= 64), (64, 80))
    values = np.broadcast_to((columns >= 40).astype(float), (64, 80))
    filled = smooth_fill(*as_batch(values, known))[0, 0].numpy()
    ramp = np.clip((columns - 15) / 49, 0, 1)
    assert np.abs(filled - ramp).max() < 0.05
    assert np.all(np.diff(filled, axis=1) > -1e-6)
    assert filled[:, 39:41].mean() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("radius", [10.0, 24.0])
def test_a_fill_is_close_to_the_membrane_of_laplaces_equation(radius: float) -> None:
    # Not a solver: a few sweeps a level, at half the image's size. It stays within 5 % of the known colours' range.
    known = disc(64, 80, radius)
    rows, columns = np.mgrid[:64, :80]
    values = 0.5 + 0.4 * np.sin(rows / 9) * np.cos(columns / 11)
    membrane = solve_laplace(values, known)
    filled = smooth_fill(*as_batch(values, known))[0, 0].numpy()
    span = values[known].max() - values[known].min()
    error = np.abs(filled - membrane)[~known]
    assert error.max() < 0.05 * span
    assert error.mean() < 0.015 * span


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 1.0])
def test_projection_recovers_the_alpha_of_a_composite(rng: np.random.Generator, alpha: float) -> None:
    foreground = torch.from_numpy(rng.uniform(0.6, 1.0, (1, 3, 8, 8)).astype(np.float32))
    background = torch.from_numpy(rng.uniform(0.0, 0.3, (1, 3, 8, 8)).astype(np.float32))
    image = alpha * foreground + (1 - alpha) * background
    projected = project_alpha(image, foreground, background, softness=0.0)
    assert projected.shape == (1, 1, 8, 8)
    torch.testing.assert_close(projected, torch.full_like(projected, alpha), atol=1e-5, rtol=0)


def test_projection_between_equal_colours_is_zero_and_overshoot_is_clipped() -> None:
    same = torch.full((1, 3, 2, 2), 0.4)
    assert project_alpha(torch.rand(1, 3, 2, 2), same, same).abs().max() == 0
    dark, bright = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.2)
    assert project_alpha(torch.ones(1, 3, 2, 2), bright, dark).unique().tolist() == [1.5]
    assert project_alpha(torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2), bright).min() >= -0.5
