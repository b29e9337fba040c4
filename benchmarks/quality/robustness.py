"""How the shipped weights stand up to wider trimaps, noise, JPEG, other sizes and gray images, beside closed-form.

Give it a data set with true alphas (`lsa evaluate` says how it is laid out). Errors are over the unknown region; with
other sizes and trimaps that region changes, so that the mean squared error is the figure to compare. Prints a table and
draws it as curves.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt

from lsa_engine.arrays import as_float_image
from lsa_engine.evaluation import evaluate, find_cases
from lsa_engine.image_io import read_alpha, read_image, read_trimap
from lsa_engine.inference import Matter
from lsa_engine.inference.classical import classical_matte
from lsa_engine.trimap import BACKGROUND, FOREGROUND, UNKNOWN, Trimap

WIDTHS = (5, 10, 20, 40, 60)
NOISE = (0.01, 0.02, 0.05, 0.1)
QUALITIES = (90, 70, 50, 30)
SIZES = (0.25, 0.5, 2.0)

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """An image (H, W, 3) in [0, 1], its alpha (H, W) and its trimap (H, W) of 0, 128, 255."""

    image: Pixels
    alpha: Pixels
    trimap: NDArray[np.uint8]


Change = Callable[[Scene], Scene]


def with_band(width: float) -> Change:
    """Make the trimap from alpha, unknown up to so many pixels from what is neither 0 nor 1."""

    def change(scene: Scene) -> Scene:
        # Alphas of photographs are never quite 0 or 1.
        soft = (scene.alpha > 0.02) & (scene.alpha < 0.98)
        solid = scene.alpha >= 0.5
        edge = soft | (solid ^ np.roll(solid, 1, 0)) | (solid ^ np.roll(solid, 1, 1))
        known = distance_transform_edt(~edge) > width
        return Scene(scene.image, scene.alpha, np.where(~known, UNKNOWN, np.where(solid, FOREGROUND, BACKGROUND)))

    return change


def with_noise(sigma: float) -> Change:
    """Add Gaussian noise and round to 8 bits."""

    def change(scene: Scene) -> Scene:
        noise = np.random.default_rng(0).normal(0, sigma, scene.image.shape)
        noisy = np.round(np.clip(scene.image + noise, 0, 1) * 255) / 255
        return Scene(noisy.astype(np.float32), scene.alpha, scene.trimap)

    return change


def with_jpeg(quality: int) -> Change:
    """Save as JPEG and read again."""

    def change(scene: Scene) -> Scene:
        buffer = io.BytesIO()
        Image.fromarray(np.round(scene.image * 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
        pixels = np.asarray(Image.open(buffer), np.float32) / 255
        return Scene(pixels, scene.alpha, scene.trimap)

    return change


def with_size(factor: float) -> Change:
    """Resize everything."""

    def change(scene: Scene) -> Scene:
        size = (round(scene.alpha.shape[1] * factor), round(scene.alpha.shape[0] * factor))

        def resize(plane: Pixels) -> Pixels:
            return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC)).clip(0, 1)

        image = np.stack([resize(np.ascontiguousarray(scene.image[..., c])) for c in range(3)], -1)
        trimap = Image.fromarray(scene.trimap)
        lowest, highest = (np.asarray(trimap.resize(size, Image.Resampling.BOX)) == value for value in (0, 255))
        return Scene(image, resize(scene.alpha), np.where(highest, FOREGROUND, np.where(lowest, BACKGROUND, UNKNOWN)))

    return change


def gray(scene: Scene) -> Scene:
    """Leave the brightness only."""
    brightness = scene.image @ np.array([0.299, 0.587, 0.114], np.float32)
    return Scene(np.repeat(brightness[..., None], 3, 2), scene.alpha, scene.trimap)


@dataclass(frozen=True)
class Trial:
    """A change of the images, and where it stands on which curve; on none if `place` is None.

    Attributes
    ----------
    name : str
        What is done, in words.
    change : callable
        Does it.
    curve : str
        The axis of its curve, with its unit.
    place : float or None
        Where it stands on that axis.
    slow : bool
        Whether closed-form matting takes minutes an image of it.
    """

    name: str
    change: Change
    curve: str = ""
    place: float | None = None
    slow: bool = False


BAND, GRAIN, JPEG, SIZE = "band (pixels)", "noise σ", "JPEG quality", "size"


def trials() -> Iterator[Trial]:
    """Yield what is tried."""
    yield Trial("as it is", lambda scene: scene)
    for width in WIDTHS:
        yield Trial(f"band of {width} pixels", with_band(width), BAND, width, slow=width > 40)
    for sigma in NOISE:
        yield Trial(f"noise σ = {sigma}", with_noise(sigma), GRAIN, sigma, slow=True)
    for quality in QUALITIES:
        yield Trial(f"JPEG quality {quality}", with_jpeg(quality), JPEG, quality, slow=True)
    for size in SIZES:
        yield Trial(f"{size:g} times the size", with_size(size), SIZE, size, slow=size > 1)
    yield Trial("gray", gray)


def read_scenes(folder: Path) -> list[Scene]:
    """Return the cases of the data set's first trimap."""
    cases = find_cases(folder)
    return [
        Scene(as_float_image(read_image(case.image)), read_alpha(case.alpha), read_trimap(case.trimap).values)
        for case in cases
        if case.trimap_name == cases[0].trimap_name
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="lsa-lite")
    parser.add_argument(
        "--no-classical",
        action="store_true",
        help="leave closed-form matting out: minutes an image where there is noise",
    )
    parser.add_argument("--curves", type=Path, help="draw the mean squared errors into this picture")
    options = parser.parse_args()
    scenes = read_scenes(options.folder)
    matter = Matter(options.weights)

    def network(scene: Scene) -> Pixels:
        matter.set_image(scene.image)
        matter.set_trimap(Trimap(scene.trimap.astype(np.uint8)))
        return matter.predict().alpha

    def closed_form(scene: Scene) -> Pixels:
        return classical_matte(scene.image, Trimap(scene.trimap.astype(np.uint8)), "closed-form").alpha

    methods = [network] if options.no_classical else [network, closed_form]
    titles = [f"{options.weights}: SAD | MSE", "closed-form: SAD | MSE"][: len(methods)]
    print(f"| image | {' | '.join(titles)} |\n|---|{'---:|---:|' * len(methods)}")
    squares: dict[Trial, list[float]] = {}
    for trial in trials():
        changed = [trial.change(scene) for scene in scenes]
        cells, squares[trial] = [], []
        for method in methods:
            if method is closed_form and trial.slow:
                cells += ["–", "–"]
                continue
            scores = [evaluate(method(scene), scene.alpha, Trimap(scene.trimap.astype(np.uint8))) for scene in changed]
            squares[trial].append(float(np.mean([s.mse for s in scores])))
            cells += [f"{np.mean([s.sad for s in scores]):.2f}", f"{squares[trial][-1]:.4f}"]
        print(f"| {trial.name} | {' | '.join(cells)} |", flush=True)
    if options.curves is not None:
        draw(squares, [options.weights, "closed-form"], options.curves)


def draw(squares: dict[Trial, list[float]], names: list[str], path: Path) -> None:
    """Draw the mean squared errors as curves, with that of the images as they are and in gray as lines across."""
    from matplotlib.figure import Figure

    plain, gray_ones = (next(trial for trial in squares if trial.name == name) for name in ("as it is", "gray"))
    figure = Figure(figsize=(11, 3), layout="constrained")
    axes = figure.subplots(1, 4, sharey=True)
    for axis, curve in zip(axes, (BAND, GRAIN, JPEG, SIZE), strict=True):
        for number, (name, colour) in enumerate(zip(names, ("#1f6fb4", "#d9822b"), strict=True)):
            points = [(t.place, s[number]) for t, s in squares.items() if t.curve == curve and len(s) > number]
            if points:
                axis.plot(*zip(*points, strict=True), marker="o", color=colour, label=name)
        axis.axhline(squares[plain][0], color="#1f6fb4", linestyle=":", label=f"{names[0]}, as it is")
        axis.axhline(squares[gray_ones][0], color="#777777", linestyle="--", label=f"{names[0]}, gray")
        axis.set_xlabel(curve)
        axis.grid(alpha=0.3)
    axes[2].invert_xaxis()
    axes[3].set_xscale("log", base=2)
    axes[3].set_xticks(list(SIZES), [f"{size:g}×" for size in SIZES])
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel("mean squared error")
    axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
