"""The coarse matte: closed-form matting against its own definition, and its way back to full size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsa_engine.guidance import coarse_matte as room
from lsa_engine.guidance.closed_form_kernels import assemble, factorise, fit_lines, solve
from lsa_engine.guidance.coarse_matte import closed_form, coarse_matte

EPSILON = 1e-6
RED, BLUE = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.3, 0.8])

Mask = NDArray[np.bool_]
Picture = NDArray[np.float64]


def literal_laplacian(image: Picture) -> Picture:
    """The matting Laplacian as Levin et al. (2008) print it, equation 12: a sum over the windows of each pair."""
    height, width = image.shape[:2]
    laplacian = np.zeros((height * width, height * width))
    number = np.arange(height * width).reshape(height, width)
    for top in range(height - 2):
        for left in range(width - 2):
            window = number[top : top + 3, left : left + 3].ravel()
            colours = image.reshape(-1, 3)[window]
            mean = colours.mean(0)
            covariance = np.cov(colours.T, bias=True) + EPSILON / 9 * np.eye(3)
            for i, colour_i in zip(window, colours, strict=True):
                for j, colour_j in zip(window, colours, strict=True):
                    shared = (colour_i - mean) @ np.linalg.inv(covariance) @ (colour_j - mean)
                    laplacian[i, j] += (i == j) - (1 + shared) / 9
    return laplacian


def literal_matte(image: Picture, foreground: Mask, background: Mask) -> Picture:
    laplacian = literal_laplacian(image)
    unknown = ~(foreground | background).ravel()
    alpha = foreground.ravel().astype(float)
    right_hand = -laplacian[np.ix_(unknown, ~unknown)] @ alpha[~unknown]
    alpha[unknown] = np.linalg.solve(laplacian[np.ix_(unknown, unknown)], right_hand)
    return np.clip(alpha, 0, 1).reshape(foreground.shape)


def band(height: int, width: int, share: float = 0.25) -> tuple[Mask, Mask]:
    """Foreground known on the left, background on the right."""
    columns = np.broadcast_to(np.arange(width), (height, width))
    return columns < max(1, share * width), columns >= min(width - 1, (1 - share) * width)


def trimap_of(foreground: Mask, background: Mask) -> Tensor:
    values = np.where(foreground, 255, np.where(background, 0, 128)).astype(np.uint8)
    return torch.from_numpy(values)[None, None]


def two_colours(size: int = 64) -> tuple[Tensor, Tensor, Tensor]:
    """A soft edge between two plain colours, alpha (1, 1, H, W), and the trimap around it."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    alpha = ((size / 2 - columns + 6 * torch.sin(rows / 7)) / 9 + 0.5).clamp(0, 1)[None, None]
    image = alpha * RED.view(1, 3, 1, 1) + (1 - alpha) * BLUE.view(1, 3, 1, 1)
    return image, alpha, trimap_of(*band(size, size))


@pytest.mark.parametrize(("height", "width"), [(3, 3), (3, 11), (9, 8), (12, 14)])
def test_the_matte_is_that_of_the_printed_laplacian(rng: np.random.Generator, height: int, width: int) -> None:
    image = rng.random((height, width, 3))
    foreground, background = band(height, width)
    expected = literal_matte(image, foreground, background)
    np.testing.assert_allclose(closed_form(image, foreground, background), expected, atol=1e-4)


def test_islands_of_known_pixels_enter_the_system_too(rng: np.random.Generator) -> None:
    image = 0.5 + 0.1 * rng.random((11, 13, 3))
    foreground, background = np.zeros((11, 13), bool), np.zeros((11, 13), bool)
    foreground[2, 3] = foreground[8, 8] = background[5, 10] = background[0, 0] = True
    expected = literal_matte(image, foreground, background)
    np.testing.assert_allclose(closed_form(image, foreground, background), expected, atol=1e-4)


def test_the_solver_converges_where_the_plain_factorisation_breaks_down() -> None:
    # Wide flat regions beside strong edges, where pivots cancel away.
    rows, columns = np.mgrid[:60, :60]
    image = np.stack([(columns // 7 + rows // 9) % 2, rows // 30, columns // 40], -1).astype(float)
    foreground, background = band(60, 60, 0.05)
    *matrix, right_hand = assemble(image, foreground.astype(float), ~(foreground | background), EPSILON / 9)
    solution, iterations = solve(*matrix, right_hand, *factorise(*matrix), 1e-9, 2000)
    diagonal, values, neighbours = matrix
    product = diagonal * solution
    for row, slot in zip(*np.nonzero(neighbours >= 0), strict=True):
        other = neighbours[row, slot]
        product[row] += values[row, slot] * solution[other]
        product[other] += values[row, slot] * solution[row]
    assert iterations < 2000
    assert np.linalg.norm(product - right_hand) < 2e-9 * np.linalg.norm(right_hand)


def test_a_line_is_fitted_exactly_where_alpha_is_one(rng: np.random.Generator) -> None:
    image = rng.random((7, 9, 3))
    slope, offset = np.array([0.3, -0.2, 0.5]), 0.1
    lines = fit_lines(image, image @ slope + offset, np.ones((7, 9), bool), 1e-12)
    np.testing.assert_allclose(lines.transpose(1, 2, 0), np.broadcast_to([*slope, offset], (7, 9, 4)), atol=1e-4)


def test_two_plain_colours_are_told_apart_at_full_size() -> None:
    image, alpha, trimap = two_colours()
    assert (coarse_matte(image, trimap) - alpha).abs().max() < 0.02


def test_it_beats_the_small_matte_enlarged_as_it_is(rng: np.random.Generator) -> None:
    image, alpha, trimap = two_colours()
    stripes = (torch.arange(64) % 5 < 2).float().expand(1, 1, 64, 64)
    alpha = torch.where(trimap == 128, alpha * stripes, alpha)
    image = alpha * RED.view(1, 3, 1, 1) + (1 - alpha) * BLUE.view(1, 3, 1, 1)
    image = image + 0.005 * torch.from_numpy(rng.standard_normal(image.shape).astype(np.float32))
    small = torch.nn.functional.avg_pool2d(alpha, 4)
    blurred = torch.nn.functional.interpolate(small, scale_factor=4.0, mode="bilinear")
    unknown = trimap == 128
    ours = (coarse_matte(image, trimap) - alpha).abs()[unknown].mean()
    assert ours < 0.25 * (blurred - alpha).abs()[unknown].mean()


def test_known_pixels_are_kept(rng: np.random.Generator) -> None:
    image = torch.from_numpy(rng.random((1, 3, 30, 41), np.float32))
    trimap = torch.from_numpy(rng.choice(np.array([0, 128, 255], np.uint8), (1, 1, 30, 41)))
    matte = coarse_matte(image, trimap)
    assert matte.shape == (1, 1, 30, 41)
    assert matte.dtype == torch.float32
    assert torch.equal(matte[trimap == 255].unique(), torch.ones(1))
    assert torch.equal(matte[trimap == 0].unique(), torch.zeros(1))
    assert torch.isfinite(matte).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (3, 3), (1, 40), (13, 17), (64, 5)])
def test_any_size_is_served(rng: np.random.Generator, size: tuple[int, int]) -> None:
    image = torch.from_numpy(rng.random((1, 3, *size), np.float32))
    matte = coarse_matte(image, trimap_of(*band(*size)))
    assert matte.shape == (1, 1, *size)
    assert 0 <= matte.min() <= matte.max() <= 1


@pytest.mark.parametrize(("value", "expected"), [(128, 0.5), (0, 0.0), (255, 1.0)])
def test_what_is_not_known_at_all_is_half_and_one_region_spreads(value: int, expected: float) -> None:
    trimap = torch.full((1, 1, 32, 32), 128, dtype=torch.uint8)
    trimap[..., :8] = value
    matte = coarse_matte(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), trimap)
    torch.testing.assert_close(matte, torch.full_like(matte, expected), atol=1e-4, rtol=0)


def test_an_image_comes_out_the_same_alone_and_in_a_batch(rng: np.random.Generator) -> None:
    images = torch.from_numpy(rng.random((3, 3, 40, 36), np.float32))
    trimaps = trimap_of(*band(40, 36)).repeat(3, 1, 1, 1)
    trimaps[1] = trimaps[1].flip(-1)
    together = coarse_matte(images, trimaps)
    for index in range(3):
        alone = coarse_matte(images[index : index + 1], trimaps[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-6, rtol=0)


def test_turning_the_image_turns_the_matte(rng: np.random.Generator) -> None:
    image = torch.from_numpy(rng.random((1, 3, 40, 48), np.float32))
    trimap = trimap_of(*band(40, 48))
    for axes in ((-1,), (-2,), (-2, -1)):
        flipped = coarse_matte(image.flip(axes), trimap.flip(axes)).flip(axes)
        torch.testing.assert_close(flipped, coarse_matte(image, trimap), atol=2e-3, rtol=0)


def test_large_unknown_regions_are_solved_at_a_smaller_size(monkeypatch: pytest.MonkeyPatch) -> None:
    image, alpha, trimap = two_colours(128)
    monkeypatch.setattr(room, "_MOST_UNKNOWN", 200)
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(room, "closed_form", lambda *a: seen.append(a[0].shape) or closed_form(*a))
    assert (coarse_matte(image, trimap) - alpha).abs().max() < 0.02
    assert seen == [(16, 16, 3)]
