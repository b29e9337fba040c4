"""Narrow networks at equal cost, and other ways to train: short runs from nothing, scored on unseen composites.

A run is too short to tell what a network can become; it tells what learns faster for the same work. DATA is a training
data folder. Every run sees the same examples; the plain one is repeated with another seed, which shows how much is
chance.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import lsa_engine as lsa
from lsa_engine.network import SIZES, LSANet, build_network
from lsa_engine.network.lsanet import NetworkSize
from lsa_engine.training import trainer
from lsa_engine.training.datasets import Batch, stack_examples
from lsa_engine.training.loss import matting_loss
from lsa_engine.training.recipe import Recipe

LITE = SIZES["lsanet-lite"]
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def one_scale(prediction: Tensor, alpha: Tensor, unknown: Tensor) -> Tensor:
    """Return the mean absolute difference over the unknown region, of single pixels only."""
    return ((prediction - alpha).abs() * unknown).sum() / unknown.sum().clamp_min(1)


def with_gradient(prediction: Tensor, alpha: Tensor, unknown: Tensor) -> Tensor:
    """Return the loss of section 3, and the mean absolute difference of the gradients over the unknown region."""
    difference = (prediction - alpha) * unknown
    slopes = sum(difference.diff(dim=axis).abs().sum() for axis in (2, 3))
    return matting_loss(prediction, alpha, unknown) + 0.5 * slopes / unknown.sum().clamp_min(1)


def with_slow_statistics(size: str) -> LSANet:
    """Build a network whose batch norms move their statistics by a hundredth at a step, not by a tenth."""
    network = build_network(size)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.01
    return network


def with_measured_statistics(run: trainer._Run, validation: Batch) -> None:
    """Validate with statistics of the averaged weights themselves, measured on 320 training examples."""
    norms = [module for module in run.average.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
    run.average.train()
    with torch.no_grad():
        for first in range(0, 320, 8):
            batch = stack_examples(run.composites, range(first, first + 8), 192, run.network.size.guidance)
            run._predict(run.average, batch[0].to(run.device))
    _VALIDATE(run, validation)


_VALIDATE = trainer._Run._validate


@dataclass(frozen=True)
class Variant:
    """What one run does otherwise than the plain one."""

    title: str
    size: NetworkSize = LITE
    loss: Loss = matting_loss
    rate: float = 1e-3
    batch: int = 8
    ema: float = 0.99
    seed: int = 0
    optimiser: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW
    build: Callable[[str], LSANet] = build_network
    validate: Callable[[trainer._Run, Batch], None] = _VALIDATE


def changed(**fields: Any) -> NetworkSize:
    """Return the narrow network's size with some fields changed."""
    return replace(LITE, **fields)


VARIANTS = (
    Variant("lsanet-lite as it is"),
    Variant("the same, another seed", seed=1),
    Variant("half as deep, wider", changed(widths=(68, 132, 224, 360), depths=(1, 1, 1, 1))),
    Variant("twice as deep, narrower", changed(widths=(36, 72, 112, 176), depths=(4, 4, 4, 4))),
    Variant("channels early", changed(widths=(58, 102, 136, 184))),
    Variant("channels late", changed(widths=(36, 84, 192, 352))),
    Variant("thin stem, wider head", changed(stem=(12, 12, 24), head=20)),
    Variant("wide stem, thin head", changed(stem=(22, 22, 40), head=12)),
    Variant("wide encoder, thin decoder", changed(widths=(54, 106, 180, 288), decoder=(112, 80, 48, 28, 20))),
    Variant("loss of one scale", loss=one_scale),
    Variant("loss with gradients", loss=with_gradient),
    Variant("rate 5e-4", rate=5e-4),
    Variant("rate 2e-3", rate=2e-3),
    Variant("batches of 4, twice the steps", batch=4),
    Variant("loss with gradients, another seed", loss=with_gradient, seed=1),
    Variant("no averaging of weights", ema=0),
    Variant("average over 10 steps (0.9)", ema=0.9),
    Variant("statistics at 0.01 a step", build=with_slow_statistics),
    Variant("statistics measured under the average", validate=with_measured_statistics),
    Variant("SGD, momentum 0.9, rate 0.1", optimiser=partial(torch.optim.SGD, momentum=0.9, nesterov=True), rate=0.1),
    Variant("AdamW, second moment over 100 steps", optimiser=partial(torch.optim.AdamW, betas=(0.9, 0.99))),
    Variant("NAdam", optimiser=partial(torch.optim.NAdam, decoupled_weight_decay=True)),
)


def cost(size: NetworkSize) -> float:
    """Return the GFLOP of a forward pass at 512 × 512 (a multiplication and an addition count as two)."""
    network = build_network(size.name).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, size.input_channels, 512, 512))
    return counter.get_total_flops() / 1e9


def run(variant: Variant, name: str, data: Path, examples: int, crop: int) -> tuple[float, float]:
    """Train one variant; return the SAD of its averaged weights on the validation composites, and the minutes."""
    steps = examples // variant.batch
    recipe = Recipe.model_validate(
        {
            "name": name,
            "size": name,
            "seed": variant.seed,
            "data": {
                "photos": ["photos"],
                "sprites": ["alphas", "alphas-keyed"],
                "validation_photos": ["photos-validation"],
            },
            "phases": [{"steps": steps, "crop": crop, "batch": variant.batch}],
            "optimiser": {
                "learning_rate": variant.rate,
                "warmup_steps": steps // 10,
                "decay_steps": steps // 2,
                "ema": variant.ema,
            },
            "validation": {"every_steps": steps, "examples": 64, "crop": 256},
        }
    )
    start = time.perf_counter()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(patch.object(torch.optim, "AdamW", variant.optimiser))
        stack.enter_context(patch.object(trainer, "matting_loss", variant.loss))
        stack.enter_context(patch.object(trainer, "build_network", variant.build))
        stack.enter_context(patch.object(trainer._Run, "_validate", variant.validate))
        result = lsa.train(recipe, Path(folder) / "run", data=data, device="auto")
    return result.best_score, (time.perf_counter() - start) / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--examples", type=int, default=4000)
    parser.add_argument("--crop", type=int, default=192)
    parser.add_argument("--costs", action="store_true", help="print what the networks cost, and train none")
    parser.add_argument("--rows", type=int, nargs="*", help="numbers of the runs to make, from 0; all without it")
    options = parser.parse_args()
    print("| run | parameters | GFLOP at 512² | validation SAD | minutes |\n|---|---:|---:|---:|---:|", flush=True)
    for number, variant in enumerate(VARIANTS):
        if options.rows is not None and number not in options.rows:
            continue
        name = f"variant-{number}"
        SIZES[name] = replace(variant.size, name=name)
        parameters = sum(weight.numel() for weight in build_network(name).parameters()) / 1e6
        row = f"| {variant.title} | {parameters:.2f} M | {cost(SIZES[name]):.1f} |"
        if options.costs:
            print(row, flush=True)
            continue
        sad, minutes = run(variant, name, options.data, options.examples, options.crop)
        print(f"{row} {sad:.3f} | {minutes:.1f} |", flush=True)


if __name__ == "__main__":
    main()
