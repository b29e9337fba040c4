"""The loss of section 3 against a transcription in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lsa_engine.training.loss import matting_loss

Array = NDArray[np.float64]


def halve(x: Array) -> Array:
    """Average pooling of (N, H, W) by 2; an odd last row or column is dropped, as pooling does."""
    rows, columns = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    x = x[:, :rows, :columns]
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def literal_loss(prediction: Array, alpha: Array, unknown: Array) -> float:
    """Section 3, level by level, with the published code's treatment of mask and overshoot."""
    difference = np.zeros_like(prediction)
    for index in np.ndindex(*prediction.shape):
        p, a = prediction[index], alpha[index]
        beyond = (a > 0.999 and p > 1) or (a < 0.001 and p < 0)
        difference[index] = 0.0 if beyond or not unknown[index] else p - a
    mask = unknown.astype(float)
    total = 0.0
    for level in range(5):
        error = np.sqrt(difference**2 + 1e-6)
        total += 2.0**-level * (error * mask).sum() / mask.sum()
        difference, mask = halve(difference), halve(mask)
    return total


def loss(prediction: Array, alpha: Array, unknown: Array) -> float:
    tensors = [torch.from_numpy(x)[:, None] for x in (prediction, alpha)]
    return float(matting_loss(*tensors, torch.from_numpy(unknown)[:, None]))


@pytest.mark.parametrize(("height", "width"), [(32, 48), (50, 67)])
def test_the_loss_is_that_of_the_paper(rng: np.random.Generator, height: int, width: int) -> None:
    shape = (3, height, width)
    alpha = np.clip(rng.normal(0.5, 0.5, shape), 0, 1)
    prediction = alpha + rng.normal(0, 0.3, shape)
    unknown = rng.random(shape) < 0.6
    assert loss(prediction, alpha, unknown) == pytest.approx(literal_loss(prediction, alpha, unknown), rel=1e-9)


def test_overshoot_beyond_a_solid_alpha_costs_nothing() -> None:
    alpha = np.ones((1, 32, 32))
    alpha[:, :16] = 0
    unknown = np.ones(alpha.shape, bool)
    exact = loss(alpha, alpha, unknown)
    assert exact == pytest.approx(1e-3 * (1 + 1 / 2 + 1 / 4 + 1 / 8 + 1 / 16))
    assert loss(np.where(alpha == 1, 1.7, -0.4), alpha, unknown) == pytest.approx(exact)
    assert loss(np.where(alpha == 1, 0.9, 0.0), alpha, unknown) > 10 * exact


def test_overshoot_has_no_gradient_and_a_shortfall_has() -> None:
    prediction = torch.full((1, 1, 32, 32), 1.2, requires_grad=True)
    matting_loss(prediction, torch.ones(1, 1, 32, 32), torch.ones(1, 1, 32, 32, dtype=torch.bool)).backward()
    assert prediction.grad is not None
    assert prediction.grad.abs().max() == 0
    short = torch.full((1, 1, 32, 32), 0.8, requires_grad=True)
    matting_loss(short, torch.ones(1, 1, 32, 32), torch.ones(1, 1, 32, 32, dtype=torch.bool)).backward()
    assert short.grad is not None
    assert short.grad.max() < 0


def test_known_pixels_do_not_count(rng: np.random.Generator) -> None:
    alpha, prediction = rng.random((2, 1, 32, 32))
    unknown = np.zeros((1, 32, 32), bool)
    unknown[:, 8:24, 8:24] = True
    other = np.where(unknown, prediction, rng.random((1, 32, 32)))
    assert loss(prediction, alpha, unknown) == loss(other, alpha, unknown)


def test_a_batch_with_nothing_unknown_has_no_loss() -> None:
    prediction = torch.rand(2, 1, 32, 32, requires_grad=True)
    value = matting_loss(prediction, torch.rand(2, 1, 32, 32), torch.zeros(2, 1, 32, 32, dtype=torch.bool))
    value.backward()
    assert value == 0
    assert prediction.grad is not None
    assert torch.isfinite(prediction.grad).all()
