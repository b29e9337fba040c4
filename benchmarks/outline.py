"""The outline's length and the surface's area: seconds, and how long another thread, such as a window's, has to wait.

Beside them scikit-image's contours and triangles of the whole at once, which the same figures can be had from.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from lsa_engine.measure.outline import LEVEL, outline_length

_EVERY_S = 0.002


class Wait(threading.Thread):
    """Wakes up every two milliseconds, and notes the longest time between, in milliseconds."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.longest = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        last = time.perf_counter()
        while not self._over.wait(_EVERY_S):
            now = time.perf_counter()
            self.longest = max(self.longest, 1000 * (now - last))
            last = now

    def end(self) -> float:
        self._over.set()
        self.join()
        return self.longest


def balls(shape: tuple[int, ...], radius: float) -> NDArray[np.float32]:
    """Return a disc or a ball with an edge of one pixel, in the middle."""
    axes = np.meshgrid(*(np.arange(length) - length / 2 for length in shape), indexing="ij", sparse=True)
    return np.clip(radius + 0.5 - np.sqrt(sum(axis**2 for axis in axes)), 0, 1).astype(np.float32)


def at_once(alpha: NDArray[np.float32]) -> None:
    """Find what the length or area is measured of, in the whole."""
    if alpha.ndim == 2:
        measure.find_contours(alpha, LEVEL)
    else:
        measure.marching_cubes(alpha, LEVEL)


def timed(run: Callable[[], object]) -> str:
    wait = Wait()
    wait.start()
    began = time.perf_counter()
    run()
    seconds = time.perf_counter() - began
    return f"{seconds:.2f} s, {wait.end():.0f} ms"


def main() -> None:
    noise = np.random.default_rng(0)
    print("\n## Outlines and surfaces\n")
    print("| alpha | in parts: seconds, longest wait | at once: seconds, longest wait |\n|---|---|---|")
    for title, alpha in (
        ("disc, 3000 × 4000", balls((3000, 4000), 1000)),
        ("noise, 1500 × 2000", noise.random((1500, 2000), dtype=np.float32)),
        ("ball, 256 × 256 × 256", balls((256, 256, 256), 100)),
        ("noise, 20 × 200 × 200", noise.random((20, 200, 200), dtype=np.float32)),
    ):
        spacing = (1.0,) * alpha.ndim
        parts, whole = timed(lambda: outline_length(alpha, spacing)), timed(lambda: at_once(alpha))  # noqa: B023
        print(f"| {title} | {parts} | {whole} |", flush=True)


if __name__ == "__main__":
    main()
