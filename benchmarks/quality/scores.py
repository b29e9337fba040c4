"""Scores of the shipped weights on a data set, without and with refinement and test-time augmentation.

`lsa evaluate` gives the same, one method at a time, with a line for each image.
"""

from __future__ import annotations

import argparse
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lsa_engine as lsa
from lsa_engine.evaluation import Row, evaluate_method, find_cases


def line(title: str, rows: list[Row]) -> str:
    """Return means of the four metrics and the median of the times as a row of a table."""
    sad, mse, grad, conn, _ = np.mean([astuple(row.scores) for row in rows], axis=0)
    seconds = np.median([row.seconds for row in rows if row.seconds is not None])
    return f"| {title} | {sad:.2f} | {mse:.4f} | {grad:.1f} | {conn:.2f} | {seconds:.2f} s |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="lsa-lite")
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args()
    cases = find_cases(options.folder)
    matter = lsa.Matter(options.weights, dtype=options.dtype)
    print(f"\n## Scores of {options.weights}, {len(cases)} cases, unknown region\n")
    print("| | SAD | MSE | Grad | Conn | an image |\n|---|---:|---:|---:|---:|---:|")
    for title, refined, tta in (
        ("plain", False, 0),
        ("8-fold test-time augmentation", False, 8),
        ("refinement (fast)", True, 0),
        ("both", True, 8),
    ):

        def predict(image: NDArray[Any], trimap: lsa.Trimap, refined: bool = refined, tta: int = tta) -> Any:
            matter.set_image(image)
            matter.set_trimap(trimap)
            return (matter.refine(tta=tta) if refined else matter.predict(tta=tta)).alpha

        rows = evaluate_method(cases, predict)
        if tta == 0 and not refined:
            for name in dict.fromkeys(case.trimap_name for case in cases):
                print(line(f"{title}, {name}", [row for row in rows if row.trimap == name]), flush=True)
        print(line(title, rows), flush=True)


if __name__ == "__main__":
    main()
