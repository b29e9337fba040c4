"""Peak memory and cost of matting with lsa-lite, by the size of the image and by how much of it is unknown.

Every line is a fresh process. The picture is a sample photograph repeated, as bytes in memory; its unknown region is
a ring around the middle. Cost is counted so that other work on the machine hardly disturbs it: seconds of the processor
rather than of the clock, and pixels that the network sees.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import lsa_engine as lsa
from lsa_engine.devices import peak_memory
from lsa_engine.inference import tiled
from lsa_engine.inference.tiling import masks_within, plan_tiles
from lsa_engine.network import build_network
from lsa_engine.samples import load_photograph, load_trimap

WEIGHTS = "lsa-lite"


@dataclass(frozen=True)
class Request:
    """What one process measures; `passes` of refinement, 0 for none."""

    megapixels: float
    unknown: float  # megapixels
    passes: int
    tiles: str
    memory_limit: float


@dataclass(frozen=True)
class Measured:
    """What came of it; `error` in place of the rest."""

    unknown: float = 0.0
    tiles: str = ""
    network_megapixels: float = 0.0
    dtype: str = ""
    peak: float = 0.0  # GB
    processor_seconds: float = 0.0
    seconds: float = 0.0
    error: str = ""


def ring(side: int, unknown: float) -> NDArray[np.uint8]:
    """Return a trimap (side, side): a disc of foreground as large as the unknown ring around it."""
    trimap = np.zeros((side, side), np.uint8)
    columns = np.arange(side) - side / 2
    inner, outer = (float(np.sqrt(times * unknown * 1e6 / np.pi)) for times in (1, 2))
    for row in range(side):
        radius = np.hypot(row - side / 2, columns)
        trimap[row] = np.where(radius < inner, 255, np.where(radius < outer, 128, 0))
    return trimap


def network_pixels(trimap: lsa.Trimap, side: int | None) -> int:
    """Return how many pixels the encoder sees: those of all tiles with their surroundings, and of the reduced image."""
    pixels = trimap.values.size
    if side is None:
        return pixels
    network = build_network(lsa.Matter(WEIGHTS).size)
    places = [tile.place.area for tile in plan_tiles(masks_within(trimap, "paper"), trimap.shape, side, network)]
    factor = 1
    while pixels > tiled._GATE_PIXELS * factor**2:
        factor *= 2
    return sum(places) + pixels // factor**2


def measure(request: Request) -> Measured:
    """Measure in this process, which must not have done anything large before."""
    side = round((request.megapixels * 1e6) ** 0.5)
    photograph = load_photograph()
    times = -(-side // min(photograph.shape[:2]))
    image = np.ascontiguousarray(np.tile(photograph, (times, times, 1))[:side, :side])
    trimap = lsa.Trimap(ring(side, request.unknown))
    tiles = int(request.tiles) if request.tiles.isdigit() else request.tiles
    refinement = lsa.Refinement(iterations=max(1, request.passes), tolerance=0)
    with lsa.Matter(WEIGHTS, tiles=tiles, memory_limit=request.memory_limit) as matter:  # type: ignore[arg-type]
        # What is compiled on first use is no part of the time.
        matter.set_image(photograph)
        matter.set_trimap(load_trimap())
        matter.predict()
        matter.set_image(image)
        matter.set_trimap(trimap)
        start, used = time.perf_counter(), sum(os.times()[:2])
        report = (matter.refine(refinement) if request.passes else matter.predict()).report
        seconds, used = time.perf_counter() - start, sum(os.times()[:2]) - used
    peak = peak_memory(matter.device) or 0
    return Measured(
        trimap.unknown.sum() / 1e6,
        "whole" if report.tiles is None else str(report.tiles),
        network_pixels(trimap, report.tiles) / 1e6,
        report.dtype,
        peak / 1e9,
        used,
        seconds,
    )


def measure_apart(request: Request) -> Measured:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--one", json.dumps(asdict(request))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Measured(**json.loads(done.stdout))
    lines = done.stderr.strip().splitlines()
    return Measured(error=lines[-1] if lines else f"killed ({done.returncode})")


def table(title: str, requests: Sequence[Request]) -> list[tuple[Request, Measured]]:
    """Print one table, line by line as they are measured, and return what it shows."""
    print(f"## {title}\n")
    print(
        "| megapixels | refinement | unknown megapixels | tiles | network megapixels | precision | peak memory | "
        "processor time | time |\n|---|---|---|---|---|---|---|---|---|"
    )
    rows = []
    for request in requests:
        found = measure_apart(request)
        rows.append((request, found))
        start = f"| {request.megapixels:g} | {f'{request.passes} passes' if request.passes else 'none'} |"
        if found.error:
            print(f"{start} | | | | {found.error} | | |", flush=True)
            continue
        print(
            f"{start} {found.unknown:.2f} | {found.tiles} | {found.network_megapixels:.2f} | {found.dtype} | "
            f"{found.peak:.2f} GB | {found.processor_seconds:.1f} s | {found.seconds:.1f} s |",
            flush=True,
        )
    print()
    return rows


def draw(path: Path, rows: Sequence[tuple[Request, Measured]]) -> None:
    """Draw peak memory by the size of the image."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for passes in sorted({request.passes for request, _ in rows}):
        points = [
            (request.megapixels, found.peak) for request, found in rows if request.passes == passes and not found.error
        ]
        axes.plot(*zip(*points, strict=True), "o-", label=f"refinement, {passes} passes" if passes else "no refinement")
    axes.axhline(6, color="0.6", linestyle="--", label="aim, 6 GB")
    axes.set(xscale="log", xlabel="megapixels", ylabel="peak memory of the process, GB", ylim=(0, 7.5))
    axes.set_xticks([request.megapixels for request, _ in rows], [f"{request.megapixels:g}" for request, _ in rows])
    axes.minorticks_off()
    axes.legend(loc="upper left", fontsize="small", ncols=3)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("megapixels", type=float, nargs="*", default=[1, 4, 16, 36, 100])
    parser.add_argument("--share", type=float, default=0.05, help="of the image that is unknown (0.05)")
    parser.add_argument("--area", type=float, default=0.2, help="unknown megapixels of the tables by area (0.2)")
    parser.add_argument("--area-sizes", type=float, nargs="*", default=[1, 4, 16, 64], help="megapixels around that")
    parser.add_argument("--area-times", type=float, nargs="*", default=[1, 2, 4, 8], help="that, so many times")
    parser.add_argument("--area-tiles", default="512", help="size of the tiles of these tables (512)")
    parser.add_argument("--passes", type=int, nargs="*", default=[0, 3], help="of refinement, 0 for none (0 3)")
    parser.add_argument("--tiles", default="auto", help="auto, off or a size in pixels (auto)")
    parser.add_argument("--memory-limit", type=float, default=4.0, help="GB (4)")
    parser.add_argument("--plot", type=Path, help="where to draw memory by size")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(asdict(measure(Request(**json.loads(options.one))))))
        return

    def requests(sizes_and_areas: Sequence[tuple[float, float]], tiles: str) -> list[Request]:
        return [
            Request(size, area, passes, tiles, options.memory_limit)
            for passes in options.passes
            for size, area in sizes_and_areas
        ]

    if options.megapixels and options.share:
        title = f"Memory by size, {options.share:.0%} unknown, tiles {options.tiles}, limit {options.memory_limit:g} GB"
        by_size = [(size, options.share * size) for size in options.megapixels]
        rows = table(title, requests(by_size, options.tiles))
        if options.plot:
            draw(options.plot, rows)
    if options.area_sizes:
        by_image = [(size, options.area) for size in options.area_sizes]
        table(
            f"The same unknown area in larger images, tiles {options.area_tiles}",
            requests(by_image, options.area_tiles),
        )
    if options.area_times:
        by_area = [(16.0, times * options.area) for times in options.area_times]
        table(f"More unknown area in 16 megapixels, tiles {options.area_tiles}", requests(by_area, options.area_tiles))


if __name__ == "__main__":
    main()
