"""What a run needs, collected on the main thread and frozen, and what it does with it in a worker thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.versions import versions
from napari_lsa_matting.layers import fingerprint
from napari_lsa_matting.loading import COLOURS, NETWORK, load
from napari_lsa_matting.matte_request import ImageChangedError

if TYPE_CHECKING:
    from napari_lsa_matting.layers import ImagePlane


@dataclass(frozen=True, eq=False)
class ForegroundOutcome:
    """What a foreground run made.

    Attributes
    ----------
    colours : dict of str to array
        Pixels by kind, float32 in [0, 1].
    summary : str
        What a user should know, in words.
    profile : array (h, w, 4) uint8, or str
        Picture of the mean gradient against alpha, before and after; or why there is none, in words.
    before, after, alpha : array
        What the profile, and a figure, are drawn from.
    inputs : dict of str to str
        SHA-256 of what was given, as "image_sha256" and "alpha_sha256".
    versions : dict of str to str
        What it was made with.
    """

    colours: dict[str, NDArray[np.float32]]
    summary: str
    profile: NDArray[np.uint8] | str
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    alpha: NDArray[np.float32]
    inputs: dict[str, str]
    versions: dict[str, str]


@dataclass(frozen=True, eq=False)
class ForegroundRequest:
    """Estimate foreground colours of one plane.

    Attributes
    ----------
    image : ImagePlane
        The composite.
    alpha : ImagePlane
        Its matte; integers go by their type, floats lie in [0, 1].
    method : {"lsa", "multilevel", "closed-form"}
        As in :func:`lsa_engine.estimate_foreground`.
    wanted : tuple of str
        What to return: "cut-out", "foreground", "background".
    """

    image: ImagePlane
    alpha: ImagePlane
    method: str
    wanted: tuple[str, ...]

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> ForegroundOutcome:
        """Return what is wanted: colours (H, W, 3), and the cut-out (H, W, 4) with straight colours.

        Raises
        ------
        ImageChangedError
            If the picture or its alpha was drawn on meanwhile.
        LsaError
            As :func:`lsa_engine.estimate_foreground`.
        """
        load(COLOURS)
        from lsa_engine.compositing import cutout
        from lsa_engine.foreground import estimate_foreground

        image, alpha, inputs = _unit_planes(self.image, self.alpha)
        foreground, background = estimate_foreground(
            image,
            alpha,
            method=self.method,  # type: ignore[arg-type]
            progress=progress,
            cancel=cancel,
        )
        _refuse_changed(self.image, self.alpha, inputs)
        results = {"foreground": foreground, "background": background}
        if "cut-out" in self.wanted:
            results["cut-out"] = cutout(foreground, alpha)
        colours = {kind: results[kind] for kind in self.wanted}
        names = ("photograph", "foreground")
        profile = _profile(image, foreground, alpha, names, progress, cancel)
        made_with = versions("numba") if self.method == "lsa" else versions("numba", "pymatting")
        return ForegroundOutcome(colours, "", profile, image, foreground, alpha, inputs, made_with)


@dataclass(frozen=True, eq=False)
class RefineForegroundRequest:
    """Refine the foreground of a training image (§4.1).

    Attributes
    ----------
    image, alpha : ImagePlane
        Straight colours and their opacity.
    method : {"multigrid", "paper"}
        As in :func:`lsa_engine.refine_foreground`.
    kappa : float
        Weight of the smoothness term.
    """

    image: ImagePlane
    alpha: ImagePlane
    method: str
    kappa: float

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> ForegroundOutcome:
        """Return the refined colours (H, W, 3).

        Raises
        ------
        ImageChangedError
            If the foreground or its alpha was drawn on meanwhile.
        LsaError
            As :func:`lsa_engine.refine_foreground`.
        """
        load(COLOURS)
        from lsa_engine.foreground import ForegroundReport, energy, refine_foreground

        given, alpha, inputs = _unit_planes(self.image, self.alpha)
        reports: list[ForegroundReport] = []
        refined = refine_foreground(
            given,
            alpha,
            method=self.method,  # type: ignore[arg-type]
            kappa=self.kappa,
            report=reports.append,
            progress=progress,
            cancel=cancel,
        )
        _refuse_changed(self.image, self.alpha, inputs)
        report = reports[0]
        before = energy(given, given, alpha, self.kappa)
        after = energy(refined, given, alpha, self.kappa) if report.energy is None else report.energy
        words = [f"Cost {before:.4g} before, {after:.4g} after ({report.seconds:.2g} s)."]
        if report.relative_gap is not None and np.isfinite(report.relative_gap):
            words.append(f"At most {100 * report.relative_gap:.2g} % above the least there is.")
        names = ("as given", "refined")
        profile = _profile(given, refined, alpha, names, progress, cancel)
        summary = " ".join([*words, *report.notes])
        colours = {"refined foreground": refined}
        return ForegroundOutcome(colours, summary, profile, given, refined, alpha, inputs, versions("numba"))


@dataclass(frozen=True, eq=False)
class FigureRequest:
    """Draw the paper's Fig. 2 of a foreground run into a file.

    Attributes
    ----------
    outcome : ForegroundOutcome
        Where the pictures come from.
    path : Path
        Ends in .png, .pdf or .svg.
    """

    outcome: ForegroundOutcome
    path: Path

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> Path:
        """Write the figure and return its path.

        Raises
        ------
        LsaError
            If matplotlib is missing or the file cannot be written.
        """
        steps = Steps("drawing the figure", 2, progress, cancel)
        from lsa_engine.foreground.figure import draw_refinement
        from lsa_engine.image_io import atomic_path

        figure = draw_refinement(self.outcome.before, self.outcome.after, self.outcome.alpha)
        steps.advance()
        with atomic_path(self.path) as temporary:
            figure.savefig(temporary, dpi=150)
        steps.finish()
        return self.path


def _unit_planes(
    image: ImagePlane, alpha: ImagePlane
) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, str]]:
    """Return colours and opacity in [0, 1], and the SHA-256 of what they were given as."""
    from lsa_engine.arrays import as_alpha, as_float_image

    colours, opacity = image.colours(), alpha.colours()
    inputs = {"image_sha256": fingerprint(colours), "alpha_sha256": fingerprint(opacity)}
    return as_float_image(colours, data_range=image.data_range), as_alpha(opacity), inputs


def _refuse_changed(image: ImagePlane, alpha: ImagePlane, inputs: Mapping[str, str]) -> None:
    """Refuse colours of a picture or an alpha that was drawn on since they were begun."""
    for plane, name in ((image, "image_sha256"), (alpha, "alpha_sha256")):
        if plane.differs(inputs[name]):
            raise ImageChangedError(
                f"The pixels of {plane.name!r} were changed meanwhile, so its colours were dropped: run once more."
            )


def _profile(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    alpha: NDArray[np.float32],
    names: tuple[str, str],
    progress: ProgressCallback,
    cancel: CancelToken,
) -> NDArray[np.uint8] | str:
    """Return a picture of the mean gradient against alpha, in black and twice as fine as a screen, or why not."""
    steps = Steps("drawing the profile", 1, progress, cancel)
    from lsa_engine.foreground.figure import draw_profiles

    try:
        figure = draw_profiles(before, after, alpha, names=names)
    except InputError as error:  # colours are worth having without their plot
        return str(error)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.figure.set_dpi(200)
    canvas.draw()
    steps.advance()
    return np.array(canvas.buffer_rgba())


ON_PROCESSOR = "Computes on the processor (cpu)."
"""What is said of methods that know no other device."""


@dataclass(frozen=True)
class Facilities:
    """What there is to compute with.

    Attributes
    ----------
    weights : dict of str to str
        Names of installed weights, and what they are.
    precisions : dict of str to str
        Names of devices that this machine has, "auto" first, and the precision that is best for each.
    automatic : str
        The device that "auto" takes.
    """

    weights: dict[str, str]
    precisions: dict[str, str]
    automatic: str


def find_facilities(progress: ProgressCallback, cancel: CancelToken) -> Facilities:
    """Look for weights and devices: work for a job, because it loads torch."""
    load(NETWORK)
    from lsa_engine.devices import choose_dtype, present_devices
    from lsa_engine.weights.registry import available_weights

    weights = {info.name: info.description or info.size for info in available_weights()}
    devices = present_devices()
    precisions = {name: str(choose_dtype("auto", device)).removeprefix("torch.") for name, device in devices.items()}
    return Facilities(weights, precisions, str(devices["auto"]))
