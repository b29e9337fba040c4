"""What half precision changes in mattes, plain and refined, against float32, and how long it takes.

Takes the sample photographs, and the images of a data set's first trimap if it is given one (`lsa evaluate` says how it
is laid out), whose true alphas tell what the change is worth.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from pictures import Picture, pictures

import lsa_engine as lsa
from lsa_engine.devices import choose_device, choose_dtype


class Run(NamedTuple):
    """A matte, and the processor's seconds for it: other work beside it does not count."""

    result: lsa.MatteResult
    seconds: float


def matted(matter: lsa.Matter, passes: int) -> Run:
    """Return the matte after fast refinement of so many passes, or none."""
    start = time.process_time()
    result = matter.refine(lsa.Refinement(iterations=passes, tolerance=0)) if passes else matter.predict()
    return Run(result, time.process_time() - start)


def lines(picture: Picture, every: int, matters: dict[str, lsa.Matter], passes: int) -> list[str]:
    """Return a picture's lines of the table, one for each half type; every n-th row and column is taken."""
    unknown = picture.trimap.unknown[::every, ::every]
    runs = {}
    for dtype, matter in matters.items():
        matter.set_image(np.ascontiguousarray(picture.image[::every, ::every]))
        matter.set_trimap(np.ascontiguousarray(picture.trimap.values[::every, ::every]))
        runs[dtype] = matted(matter, passes)
    exact = runs.pop("float32")

    def error(run: Run) -> str:
        if picture.truth is None:
            return "–"
        return f"{np.abs(run.result.alpha - picture.truth[::every, ::every])[unknown].mean():.5f}"

    table = []
    for dtype, run in runs.items():
        difference = np.abs(run.result.alpha - exact.result.alpha)[unknown]
        costs = "–"
        if passes:
            report = run.result.report
            exactly = exact.result.report.cost_after
            costs = f"{report.cost_before:.2e} → {report.cost_after:.2e} (float32 {exactly:.2e})"
        table.append(
            f"| {picture.name} | {passes} | {dtype} | {run.result.report.dtype} | {difference.mean():.5f} | "
            f"{np.quantile(difference, 0.99):.4f} | {difference.max():.3f} | {costs} | {error(run)} ({error(exact)}) | "
            f"{run.seconds / exact.seconds:.2f} |"
        )
    return table


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--weights", default="lsa-lite")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--halves", nargs="*", default=["bfloat16", "float16"], help="(bfloat16 float16)")
    parser.add_argument("--every", type=int, default=1, help="take every so many rows and columns of the images (1)")
    parser.add_argument("--passes", type=int, nargs="*", default=[0, 15], help="of refinement, 0 for none (0 15)")
    options = parser.parse_args()
    device = choose_device(options.device)
    automatic = str(choose_dtype("auto", device)).removeprefix("torch.")
    print(f"## Half precision, {options.weights} on {device} ('auto' takes {automatic}), torch {torch.__version__}\n")
    print(
        "| image | passes | asked for | computed in | mean difference of alpha (unknown region) | 99th percentile | "
        "largest | cost before → after | error to the truth (float32's) | processor time, of float32's |\n"
        "|---|---|---|---|---|---|---|---|---|---|"
    )
    matters = {
        dtype: lsa.Matter(options.weights, device=str(device), dtype=dtype, tiles="off")
        for dtype in ("float32", *options.halves)
    }
    for number, picture in enumerate(pictures(options.folder)):
        for passes in options.passes:
            if number == 0:
                lines(picture, options.every, matters, passes)  # what runs first does not count
            for line in lines(picture, options.every, matters, passes):
                print(line, flush=True)
    print()


if __name__ == "__main__":
    main()
