"""Steps of a refinement: those of torch's own optimisers, without what these load."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from lsa_engine.inference.stepping import Adam, GradientDescent, Stepper

SHAPES = ((1, 5, 4, 4), (1, 3, 8, 8))
RATE, DECAYS = 0.03, (0.8, 0.99)


def tensors() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in SHAPES]


def descend(leaves: list[Tensor], stepper: Stepper | torch.optim.Optimizer, turns: range) -> None:
    """Step by gradients of very different sizes."""
    for turn in turns:
        generator = torch.Generator().manual_seed(turn)
        for leaf in leaves:
            leaf.grad = 10.0 ** (turn % 5 - 4) * torch.randn(leaf.shape, generator=generator)
        stepper.step()


@pytest.mark.parametrize("kind", ["adam", "descent"])
def test_steps_are_those_of_torchs_optimiser(kind: str) -> None:
    ours, theirs = tensors(), tensors()
    if kind == "adam":
        descend(ours, Adam(ours, RATE, DECAYS), range(12))
        descend(theirs, torch.optim.Adam(theirs, RATE, DECAYS), range(12))
    else:
        descend(ours, GradientDescent(ours, RATE), range(12))
        descend(theirs, torch.optim.SGD(theirs, RATE), range(12))
    for mine, other, before in zip(ours, theirs, tensors(), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-6, rtol=1e-6)
        assert (mine - before).abs().max() > 1e-3
        assert mine.grad is None


def test_adam_goes_on_from_its_moments_as_if_it_had_not_stopped() -> None:
    whole, parted = tensors(), tensors()
    descend(whole, Adam(whole, RATE, DECAYS), range(8))
    first = Adam(parted, RATE, DECAYS)
    descend(parted, first, range(5))
    seen = first.moments
    kept = [mean.clone() for mean in seen.means]
    descend(parted, Adam(parted, RATE, DECAYS, seen), range(5, 8))
    for one, other in zip(whole, parted, strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)
    assert seen.steps == 5
    for mean, before in zip(seen.means, kept, strict=True):
        torch.testing.assert_close(mean, before, atol=0, rtol=0)


def test_what_has_no_gradient_stays() -> None:
    for stepper in (lambda leaves: Adam(leaves, RATE, DECAYS), lambda leaves: GradientDescent(leaves, RATE)):
        leaves = tensors()
        leaves[0].grad = torch.ones_like(leaves[0])
        stepper(leaves).step()
        assert not torch.equal(leaves[0], tensors()[0])
        assert torch.equal(leaves[1], tensors()[1])


def test_a_refinement_does_not_load_torchs_compiler() -> None:
    # It would take two seconds, in which a window beside it stops for 0.3 s at a time.
    code = """
import sys
import numpy as np
import lsa_engine as lsa
image = np.random.default_rng(0).random((48, 48, 3), np.float32)
trimap = np.full((48, 48), 128, np.uint8)
trimap[:16], trimap[32:] = 0, 255
matter = lsa.Matter("lsa-lite", device="cpu")
matter.set_image(image)
matter.set_trimap(trimap)
for method in ("paper", "fast"):
    matter.refine(lsa.Refinement(method=method, iterations=3))
trimap[16:18] = 0
matter.correct(trimap)
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
