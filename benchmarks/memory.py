"""Peak memory and time of matting with lsa-lite, by the size of the image and by how much of it is unknown.

Every line is a fresh process. The picture is the sample photograph repeated, as bytes in memory; its unknown region is
a ring around the middle.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

PROGRAM = """
import resource, sys, time
import numpy as np
import lsa_engine as lsa
from lsa_engine.samples import load_photograph, load_trimap

megapixels, share, refine, tiles, limit = sys.argv[1:]
side = round((float(megapixels) * 1e6) ** 0.5)
photograph = load_photograph()
times = -(-side // min(photograph.shape[:2]))
image = np.ascontiguousarray(np.tile(photograph, (times, times, 1))[:side, :side])
trimap = np.zeros((side, side), np.uint8)
columns = np.arange(side) - side / 2
# A ring of this share of the area around a disc of a twentieth of it.
inner = side * (0.05 / np.pi) ** 0.5
outer = side * ((0.05 + float(share)) / np.pi) ** 0.5
for row in range(side):
    radius = np.hypot(row - side / 2, columns)
    trimap[row] = np.where(radius < inner, 255, np.where(radius < outer, 128, 0))
unknown = int((trimap == 128).sum())
tiles = int(tiles) if tiles.isdigit() else tiles
with lsa.Matter("lsa-lite", tiles=tiles, memory_limit=float(limit)) as matter:
    # What is compiled on first use is no part of the time.
    matter.set_image(photograph)
    matter.set_trimap(load_trimap())
    matter.predict()
    matter.set_image(image)
    matter.set_trimap(trimap)
    start = time.perf_counter()
    run = matter.refine if refine == "fast" else matter.predict
    report = run().report
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"{unknown / 1e6:.2f}|{report.tiles or 'whole'}|{report.dtype}|{peak / 2**20:.2f} GiB|{seconds:.1f} s")
"""


def line(megapixels: float, share: float, refine: str, tiles: str, limit: float) -> str:
    """Return a row of the table, from a process of its own."""
    values = [str(value) for value in (megapixels, share, refine, tiles, limit)]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *values], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"killed ({done.returncode})"
        return f"| {megapixels:g} | {refine} | | | | {reason} | |"
    unknown, side, dtype, peak, seconds = done.stdout.strip().split("|")
    return f"| {megapixels:g} | {refine} | {unknown} | {side} | {dtype} | {peak} | {seconds} |"


def table(
    title: str, rows: Sequence[tuple[float, float]], refinements: Sequence[str], tiles: str, limit: float
) -> None:
    """Print one table, line by line as they are measured."""
    print(f"## {title}\n")
    print("| megapixels | refinement | unknown megapixels | tiles | precision | peak memory | time |")
    print("|---|---|---|---|---|---|---|")
    for refine in refinements:
        for megapixels, share in rows:
            print(line(megapixels, share, refine, tiles, limit), flush=True)
    print()


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("megapixels", type=float, nargs="*", default=[1, 4, 12, 25, 50, 100])
    parser.add_argument("--share", type=float, default=0.05, help="of the image that is unknown (0.05)")
    parser.add_argument("--areas", type=float, nargs="*", default=[0.005, 0.01, 0.02, 0.05, 0.1, 0.2])
    parser.add_argument("--areas-at", type=float, default=25, help="megapixels of the image for these (25)")
    parser.add_argument("--refine", nargs="*", default=["none", "fast"], choices=("none", "fast"))
    parser.add_argument("--tiles", default="auto", help="auto, off or a size in pixels (auto)")
    parser.add_argument("--memory-limit", type=float, default=4.0, help="GB (4)")
    options = parser.parse_args()
    how = (options.refine, options.tiles, options.memory_limit)
    title = f"Memory by size, {options.share:.0%} unknown, tiles {options.tiles}, limit {options.memory_limit:g} GB"
    table(title, [(size, options.share) for size in options.megapixels], *how)
    if options.areas:
        title = f"Cost by unknown area, {options.areas_at:g} megapixels"
        table(title, [(options.areas_at, share) for share in options.areas], *how)


if __name__ == "__main__":
    main()
