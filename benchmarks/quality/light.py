"""In which colours real photographs obey the compositing equation: stored ones, light, or something between.

Give it a data set with true alphas (`lsa evaluate` says how it is laid out). Colours are raised to powers from 0.6 to
3; 1 are the stored ones, about 2.2 is light. Prints for each image what share of alpha's variance in windows of 5 × 5
pixels no line of colour (Levin et al. 2008) explains, in proportion to that of the best power, and for all images the
error of the mattes that the priors alone give.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from robustness import Pixels, Scene, read_scenes
from scipy.ndimage import uniform_filter

from lsa_engine.evaluation import evaluate
from lsa_engine.guidance.coarse_matte import coarse_matte
from lsa_engine.guidance.sampled_matte import sampled_matte
from lsa_engine.trimap import Trimap

POWERS = (0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.2, 2.6, 3.0)
WINDOW = 5
SOFT = 0.02  # variance of alpha in a window from which on it counts
RIDGE = 1e-2  # of the colours' mean variance, so that no power is favoured


def unexplained(colours: Pixels, scene: Scene) -> float:
    """Return the share of alpha's variance in soft windows that is no affine function of the window's colours."""

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return uniform_filter(values, (WINDOW, WINDOW))

    alpha = scene.alpha.astype(np.float64)
    variance = mean(alpha * alpha) - mean(alpha) ** 2
    soft = (scene.trimap == 128) & (variance > SOFT)
    planes = [plane.astype(np.float64) for plane in np.moveaxis(colours, -1, 0)]
    means = [mean(plane) for plane in planes]
    covariance = np.empty((int(soft.sum()), 3, 3))
    along = np.empty((len(covariance), 3))
    for i, first in enumerate(planes):
        along[:, i] = (mean(first * alpha) - means[i] * mean(alpha))[soft]
        for j, second in enumerate(planes):
            covariance[:, i, j] = (mean(first * second) - means[i] * means[j])[soft]
    spread = np.trace(covariance, axis1=1, axis2=2)[:, None, None] / 3
    slopes = np.linalg.solve(covariance + np.eye(3) * (RIDGE * spread + 1e-9), along[..., None])[..., 0]
    left = np.clip(variance[soft] - (slopes * along).sum(1), 0, None)
    return float(left.sum() / variance[soft].sum())


def prior_errors(colours: Pixels, scene: Scene) -> tuple[float, float]:
    """Return the SAD of the coarse and of the sampled matte of some colours."""
    image = torch.from_numpy(np.ascontiguousarray(np.moveaxis(colours, -1, 0)))[None]
    trimap = torch.from_numpy(scene.trimap.astype(np.uint8))[None, None]
    mattes = (coarse_matte(image, trimap), sampled_matte(image, trimap))
    known = Trimap(scene.trimap.astype(np.uint8))
    coarse, sampled = (evaluate(matte[0, 0].numpy(), scene.alpha, known).sad for matte in mattes)
    return coarse, sampled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    scenes = read_scenes(parser.parse_args().folder)
    print(f"| image | best power | {' | '.join(f'{power:g}' for power in POWERS)} |")
    print(f"|---|---|{'---:|' * len(POWERS)}")
    errors = np.zeros((len(POWERS), 2))
    for number, scene in enumerate(scenes):
        powered = [np.power(scene.image, np.float32(power)) for power in POWERS]
        shares = np.array([unexplained(colours, scene) for colours in powered])
        errors += np.array([prior_errors(colours, scene) for colours in powered]) / len(scenes)
        cells = " | ".join(f"{share:.2f}" for share in shares / shares.min())
        print(f"| {number + 1} | {POWERS[int(shares.argmin())]:g} | {cells} |", flush=True)
    for name, column in (("coarse matte, SAD", 0), ("sampled matte, SAD", 1)):
        row = errors[:, column]
        print(f"| {name} | {POWERS[int(row.argmin())]:g} | {' | '.join(f'{value:.2f}' for value in row)} |")


if __name__ == "__main__":
    main()
