"""Live corrections, and the fast refinement beside a plain transcription of the published loop, on the same weights.

Takes the sample photographs, and the images of a data set's first trimap if it is given one (`lsa evaluate` says how it
is laid out).
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pictures import Picture, pictures
from PIL import Image
from torch import Tensor

import lsa_engine as lsa
from lsa_engine.arrays import as_float_image
from lsa_engine.inference.preparation import network_input
from lsa_engine.network import LSANet, build_network
from lsa_engine.samples import load_photograph, load_trimap
from lsa_engine.weights import find_weights, fit_state, load_weights

ITERATIONS = 100
RATE = 20.0


def scaled(picture: Picture, scale: float) -> tuple[NDArray[np.float32], lsa.Trimap]:
    """Return image and trimap of a picture at `scale` times its size."""
    image = Image.fromarray(picture.image)
    size = (round(image.width * scale), round(image.height * scale))
    values = Image.fromarray(picture.trimap.values).resize(size, Image.Resampling.NEAREST)
    return as_float_image(np.asarray(image.resize(size, Image.Resampling.BICUBIC))), lsa.Trimap(np.asarray(values))


def published_loop(network: LSANet, image: NDArray[np.float32], trimap: lsa.Trimap) -> tuple[list[float], list[float]]:
    """Refine as the published code does: the whole decoder, gradients for all weights, one memory layout.

    Returns the cost of each pass, and the time at which it was known.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].contiguous()
    values = torch.from_numpy(trimap.values.copy())[None, None]
    start = time.perf_counter()
    with torch.no_grad():
        inputs = network_input(pixels, values, network.size.guidance).contiguous()
        features = network.encode(inputs)
        initial = network.decode(inputs, features)
    background, foreground = (torch.from_numpy(plane) for plane in trimap.boundaries("paper"))
    unknown = torch.from_numpy(trimap.unknown)

    def cost_of(output: Tensor) -> Tensor:
        alpha = output[0, 0].clamp(0, 1)
        border = alpha[background].square().sum() + (1 - alpha[foreground]).square().sum()
        drift = F.l1_loss(alpha[unknown], initial[0, 0][unknown].clamp(0, 1))
        return border / (background.sum() + foreground.sum()) + 0.1 * drift.square()

    tensors = {
        stage: tuple(torch.zeros(1, *shape, requires_grad=True) for _ in range(2))
        for stage, shape in network.refinement_shapes().items()
    }
    leaves = [tensor for pair in tensors.values() for tensor in pair]
    costs, times = [], []
    for _ in range(ITERATIONS):
        cost = cost_of(network.decode(inputs, features, tensors))  # type: ignore[arg-type]
        costs.append(float(cost.detach()))
        times.append(time.perf_counter() - start)
        network.zero_grad()
        cost.backward()
        with torch.no_grad():
            for leaf in leaves:
                assert leaf.grad is not None
                leaf -= RATE * leaf.grad
                leaf.grad = None
    return costs, times


def time_corrections(matter: lsa.Matter, side: int, strokes: int = 12) -> str:
    """Return a row of a table: how long strokes of the brush, one after the other, take to be answered."""
    size = (side, side)
    photograph, values = Image.fromarray(load_photograph()), Image.fromarray(load_trimap().values)
    matter.set_image(np.asarray(photograph.resize(size, Image.Resampling.BICUBIC)))
    trimap = np.array(values.resize(size, Image.Resampling.NEAREST))
    matter.set_trimap(trimap)
    matter.refine(lsa.Refinement(iterations=2))
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side]
    seconds, passes = [], []
    for _ in range(strokes):
        unknown = np.argwhere(trimap == 128)
        row, column = unknown[rng.integers(len(unknown))]
        trimap[np.hypot(rows - row, columns - column) <= side / 150] = rng.choice([0, 255])
        start = time.perf_counter()
        report = matter.correct(trimap).report
        seconds.append(time.perf_counter() - start)
        passes.append(report.iterations)
    return (
        f"| {side**2 / 1e6:.1f} | {seconds[0]:.2f} | {statistics.median(seconds):.2f} | {max(seconds):.2f} | "
        f"{statistics.median(passes):g} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--weights", default="lsa-lite")
    parser.add_argument("--scale", type=float, default=0.5, help="of the images")
    options = parser.parse_args()
    loaded = load_weights(find_weights(options.weights))
    plain = build_network(loaded.metadata["size"])
    fit_state(plain, loaded)
    plain.eval()
    matter = lsa.Matter(options.weights, dtype="float32", tiles="off")
    print(f"## Corrections, {options.weights}, {torch.get_num_threads()} threads\n")
    print("| megapixels | first answer, s | median | longest | passes |\n|---|---|---|---|---|")
    for side in (500, 1000, 2000):
        print(time_corrections(matter, side), flush=True)
    print(f"\n## Backpropagating refinement, {options.weights}, {torch.get_num_threads()} threads\n")
    print(
        "| image | cost before | published, 100 passes | fast | its passes | passes to the published cost | "
        "published ÷ fast, time | published ÷ fast to the same cost |\n|---|---|---|---|---|---|---|---|"
    )
    ratios, equals, passes = [], [], []
    for picture in pictures(options.folder):
        image, trimap = scaled(picture, options.scale)
        costs, times = published_loop(plain, image, trimap)
        matter.set_image(image)
        matter.set_trimap(trimap)
        matter.refine()  # its first run does not count
        full = matter.refine().report
        needed, same = 0, None
        for needed in range(1, 16):
            same = matter.refine(lsa.Refinement(iterations=needed, tolerance=0)).report
            if same.cost_after is not None and same.cost_after <= costs[-1]:
                break
        assert same is not None
        ratios.append(times[-1] / full.seconds)
        equals.append(times[-1] / same.seconds)
        passes.append(needed)
        print(
            f"| {picture.name} | {costs[0]:.2e} | {costs[-1]:.2e} | {full.cost_after:.2e} | {full.iterations} | "
            f"{needed} | {ratios[-1]:.0f} | {equals[-1]:.0f} |",
            flush=True,
        )
    for title, of, of_passes in (("median", statistics.median, statistics.median), ("worst", min, max)):
        print(f"| {title} | | | | | {of_passes(passes):g} | {of(ratios):.0f} | {of(equals):.0f} |")


if __name__ == "__main__":
    main()
