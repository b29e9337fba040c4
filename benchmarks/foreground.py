"""Foreground refinement and estimation: time, distance from the optimum, memory and growth with the image.

The converged minimum E* comes from conjugate gradients in double precision, to a residual of 1e-10.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lsa_engine.bands import usable_cores
from lsa_engine.foreground import ForegroundReport, energy, estimate_foreground, refine_foreground
from lsa_engine.samples import load_photograph
from lsa_engine.training.mattes import KINDS

WIDTH, HEIGHT = 2040, 1320
ROUNDS = 5
MEGAPIXELS = (1, 4, 16, 49, 100)

Plane = NDArray[np.float32]


def scene(width: int, height: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a photograph as foreground, and a drawn matte with hair: both in 8 bits."""
    photo = Image.fromarray(load_photograph()).resize((width, height), Image.Resampling.BICUBIC)
    rng = np.random.default_rng(7)
    side = 1024
    drawn = np.maximum(KINDS["hair"](rng, side).alpha, KINDS["blob"](rng, side).alpha)
    alpha = Image.fromarray(np.round(255 * drawn.clip(0, 1)).astype(np.uint8)).resize((width, height))
    return np.asarray(photo), np.asarray(alpha)


def literal_algorithm_2(foreground: Plane, alpha: Plane, scales: int = 6, sweeps: int = 20) -> Plane:
    """Algorithm 2 with κ = 1 in plain numpy, operation by operation."""
    tilde = foreground * alpha[..., None]
    estimate = foreground
    height, width = alpha.shape
    for scale in reversed(range(scales)):
        size = (max(1, width >> scale), max(1, height >> scale))
        a = resize(alpha[..., None], size)[..., 0]
        premultiplied, estimate = resize(tilde, size), resize(estimate, size)
        inside = np.pad(np.ones_like(a), 1)
        q = np.pad((1 - a) ** 2, 1)
        around = [(slice(None, -2), slice(1, -1)), (slice(2, None), slice(1, -1))]
        around += [(slice(1, -1), slice(None, -2)), (slice(1, -1), slice(2, None))]
        for _ in range(2**scale * sweeps):
            padded = np.pad(estimate, ((1, 1), (1, 1), (0, 0)))
            total, weights = a[..., None] * premultiplied, a**2
            for there in around:
                weight = inside[there] * ((1 - a) ** 2 + q[there])
                total = total + weight[..., None] * padded[there]
                weights = weights + weight
            estimate = total / np.maximum(weights, 1e-12)[..., None]
    return estimate


def resize(image: Plane, size: tuple[int, int]) -> Plane:
    """Resize bilinearly between half-pixel centres, without antialiasing."""
    import torch
    import torch.nn.functional as F

    planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    return F.interpolate(planes, size[::-1], mode="bilinear")[0].permute(1, 2, 0).contiguous().numpy()


def converged(foreground: Plane, alpha: Plane, start: Plane) -> NDArray[np.float64]:
    """Return the minimum of the cost by conjugate gradients."""
    from scipy.sparse import csr_matrix, diags
    from scipy.sparse.linalg import LinearOperator, cg

    q, known = (1 - alpha.astype(np.float64)) ** 2, alpha.astype(np.float64) ** 2
    width = alpha.shape[1]
    east, south = np.zeros_like(q), np.zeros_like(q)
    east[:, :-1], south[:-1] = q[:, :-1] + q[:, 1:], q[:-1] + q[1:]
    total = known + east + south
    total[:, 1:] += east[:, :-1]
    total[1:] += south[:-1]
    e, s = east.ravel()[:-1], south.ravel()[:-width]
    matrix: csr_matrix = diags([total.ravel(), -e, -e, -s, -s], [0, 1, -1, width, -width]).tocsr()
    scaling = 1 / total.ravel()
    preconditioner = LinearOperator(matrix.shape, lambda r: scaling * r)
    planes = []
    for channel in range(foreground.shape[2]):
        right = (known * foreground[..., channel]).ravel()
        first = start[..., channel].ravel().astype(np.float64)
        solution, _ = cg(matrix, right, first, rtol=1e-10, maxiter=20000, M=preconditioner)
        planes.append(solution.reshape(alpha.shape))
    return np.stack(planes, -1)


def median_seconds(run: Callable[[], Any]) -> float:
    """Return the median time of several runs, after one that does not count."""
    run()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def refinement() -> None:
    """Print how near to the optimum each method comes, and in what time."""
    from pymatting import estimate_foreground_ml

    foreground, alpha = (pixels / np.float32(255) for pixels in scene(WIDTH, HEIGHT))
    reports: list[ForegroundReport] = []
    exact = refine_foreground(foreground, alpha, tolerance=1e-7)
    least = energy(converged(foreground, alpha, exact), foreground, alpha)
    start = time.perf_counter()
    literal = literal_algorithm_2(foreground, alpha)
    slow = time.perf_counter() - start
    rows: list[tuple[str, float, Plane | None]] = [("Algorithm 2, literal numpy (one run)", slow, literal)]
    methods: list[tuple[str, dict[str, Any]]] = [("Algorithm 2, fused sweeps", {"method": "paper"})]
    methods += [(f"multigrid, tolerance {t:g}", {"tolerance": t}) for t in (1e-2, 1e-3, 1e-5)]
    for name, options in methods:
        seconds = median_seconds(lambda options=options: refine_foreground(foreground, alpha, **options))
        refined = refine_foreground(foreground, alpha, report=reports.append, **options)
        rows.append((name, seconds, refined))
    multilevel = median_seconds(lambda: estimate_foreground_ml(foreground, alpha))
    rows.append(("PyMatting estimate_foreground_ml (another cost)", multilevel, None))
    print(f"## Foreground refinement, {WIDTH} × {HEIGHT}, {usable_cores()} threads (medians of {ROUNDS})\n")
    before = energy(foreground, foreground, alpha)
    print(f"{platform.processor() or platform.machine()}, E* = {least:.6g}, E before {before:.6g}\n")
    print("| method | time | literal ÷ it | PyMatting ÷ it | (E − E*)/E* | its own bound |\n|---|---|---|---|---|---|")
    bounds = iter(["–", *(f"{r.relative_gap:.1e}" if r.relative_gap is not None else "–" for r in reports), "–"])
    for name, seconds, refined in rows:
        gap = "–" if refined is None else f"{(energy(refined, foreground, alpha) - least) / least:.2g}"
        ratios = f"{slow / seconds:.1f} | {multilevel / seconds:.2f}"
        print(f"| {name} | {1000 * seconds:.0f} ms | {ratios} | {gap} | {next(bounds)} |")
    print()


def estimation() -> None:
    """Print time and error of the estimation from a composite whose colours are known."""
    front, alpha = (pixels / np.float32(255) for pixels in scene(WIDTH, HEIGHT))
    back = np.ascontiguousarray(front[::-1, ::-1])
    image = alpha[..., None] * front + (1 - alpha[..., None]) * back
    soft = (alpha > 0) & (alpha < 1)
    print(f"## Foreground estimation, {WIDTH} × {HEIGHT}, {usable_cores()} threads (medians of {ROUNDS})\n")
    print("| method | time | mean absolute error of αF × 255 | mean squared × 1000 |\n|---|---|---|---|")
    for method in ("lsa", "multilevel"):
        seconds = median_seconds(lambda method=method: estimate_foreground(image, alpha, method=method))
        error = (alpha[..., None] * (estimate_foreground(image, alpha, method=method)[0] - front))[soft]
        squared = 1000 * np.square(error, dtype=np.float64).mean()
        print(f"| {method} | {1000 * seconds:.0f} ms | {255 * np.abs(error).mean():.3f} | {squared:.4f} |")
    print()


def on_a_gpu() -> None:
    """Print time on a CUDA GPU, with the image there already, and the difference from the processor's answer."""
    import torch

    if not torch.cuda.is_available():
        print("## Foreground refinement on a CUDA GPU\n\nThere is none here.\n")
        return
    foreground, alpha = (pixels / np.float32(255) for pixels in scene(WIDTH, HEIGHT))
    tensors = torch.from_numpy(foreground).cuda(), torch.from_numpy(alpha).cuda()

    def run() -> torch.Tensor:
        refined = refine_foreground(*tensors)
        torch.cuda.synchronize()
        return refined

    seconds = median_seconds(run)
    difference = np.abs(run().cpu().numpy() - refine_foreground(foreground, alpha, device="cpu")).max()
    print(f"## Foreground refinement on {torch.cuda.get_device_name()}, {WIDTH} × {HEIGHT} (median of {ROUNDS})\n")
    print("| time a megapixel | largest difference from the processor |\n|---|---|")
    print(f"| {1000 * seconds / (WIDTH * HEIGHT / 1e6):.2f} ms | {difference:.1e} |\n")


def measure_size(megapixels: float) -> None:
    """Refine one image of 8 bits in this process; print time and peak memory."""
    import resource

    width = round((megapixels * 1.5e6) ** 0.5)
    foreground, alpha = scene(width, round(width / 1.5))
    # The first run does not count: a virtual machine gets its memory from its host when it first writes to it.
    refine_foreground(foreground, alpha)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        refine_foreground(foreground, alpha)
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times)
    print(f"{seconds:.3f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} {alpha.size / 1e6:.1f}")


def growth() -> None:
    """Print time and memory for images of many sizes, each in a process of its own."""
    print("## Foreground refinement of 8-bit RGB images of many sizes\n")
    print("| megapixels | time | time a megapixel | peak memory |\n|---|---|---|---|")
    for megapixels in MEGAPIXELS:
        command = [sys.executable, __file__, "--size", str(megapixels)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, peak, pixels = (float(value) for value in done.stdout.split())
        print(f"| {pixels:.0f} | {seconds:.2f} s | {1000 * seconds / pixels:.0f} ms | {peak:.2f} GiB |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=float, help="measure one size, in megapixels, and nothing else")
    options = parser.parse_args()
    if options.size is not None:
        measure_size(options.size)
        return
    refinement()
    estimation()
    on_a_gpu()
    growth()


if __name__ == "__main__":
    main()
