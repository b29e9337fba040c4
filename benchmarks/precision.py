"""What half precision changes in the mattes of the samples, plain and refined, against float32."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import torch

import lsa_engine as lsa
from lsa_engine.devices import choose_device, choose_dtype
from lsa_engine.samples import SAMPLES, load_photograph, load_trimap

HALVES = ("bfloat16", "float16")


def matted(name: str, every: int, dtype: str, device: str, weights: str, passes: int) -> lsa.MatteResult:
    """Return the matte of every n-th row and column of a sample after fast refinement of so many passes, or none."""
    with lsa.Matter(weights, device=device, dtype=dtype, tiles="off") as matter:
        matter.set_image(np.ascontiguousarray(load_photograph(name)[::every, ::every]))
        matter.set_trimap(np.ascontiguousarray(load_trimap(name).values[::every, ::every]))
        return matter.refine(lsa.Refinement(iterations=passes, tolerance=0)) if passes else matter.predict()


def rows(name: str, every: int, device: str, weights: str, passes: int) -> Sequence[str]:
    """Return a sample's rows of the table, one for each half type."""
    unknown = load_trimap(name).unknown[::every, ::every]
    exact = matted(name, every, "float32", device, weights, passes)
    lines = []
    for dtype in HALVES:
        rough = matted(name, every, dtype, device, weights, passes)
        difference = np.abs(rough.alpha - exact.alpha)[unknown]
        costs = "–"
        if passes:
            before, after, exactly = rough.report.cost_before, rough.report.cost_after, exact.report.cost_after
            costs = f"{before:.2e} → {after:.2e} (float32 {exactly:.2e})"
        lines.append(
            f"| {name} | {passes} | {dtype} | {rough.report.dtype} | {difference.mean():.5f} | "
            f"{np.quantile(difference, 0.99):.4f} | {difference.max():.3f} | {costs} |"
        )
    return lines


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="lsa-lite")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--every", type=int, default=1, help="take every so many rows and columns of the samples (1)")
    parser.add_argument("--passes", type=int, nargs="*", default=[0, 15], help="of refinement, 0 for none (0 15)")
    options = parser.parse_args()
    device = choose_device(options.device)
    automatic = str(choose_dtype("auto", device)).removeprefix("torch.")
    print(f"## Half precision, {options.weights} on {device} ('auto' takes {automatic}), torch {torch.__version__}\n")
    print(
        "| sample | passes | asked for | computed in | mean difference of alpha (unknown region) | 99th percentile | "
        "largest | cost before → after |\n|---|---|---|---|---|---|---|---|"
    )
    for passes in options.passes:
        for name in SAMPLES:
            for line in rows(name, options.every, str(device), options.weights, passes):
                print(line, flush=True)
    print()


if __name__ == "__main__":
    main()
