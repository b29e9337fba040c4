"""Narrow networks at equal cost, other losses, rates and batches: short runs from nothing, scored on unseen composites.

A run is too short to tell what a network can become; it tells what learns faster for the same work. DATA is a training
data folder. Every run sees the same examples; the plain one is repeated with another seed, which shows how much is
chance.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import lsa_engine as lsa
from lsa_engine.network import SIZES, build_network
from lsa_engine.network.lsanet import NetworkSize
from lsa_engine.training import trainer
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
    trainer.matting_loss = variant.loss
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = lsa.train(recipe, Path(folder) / "run", data=data, device="auto")
    return result.best_score, (time.perf_counter() - start) / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--examples", type=int, default=4000)
    parser.add_argument("--crop", type=int, default=192)
    parser.add_argument("--costs", action="store_true", help="print what the networks cost, and train none")
    options = parser.parse_args()
    print("| run | parameters | GFLOP at 512² | validation SAD | minutes |\n|---|---:|---:|---:|---:|", flush=True)
    for number, variant in enumerate(VARIANTS):
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
