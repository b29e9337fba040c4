"""What a run needs, collected on the main thread and frozen, and what it does with it in a worker thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps

if TYPE_CHECKING:
    from lsa_engine.inference.results import MatteResult
    from napari_lsa_matting.layers import ImagePlane
    from napari_lsa_matting.session import Session


@dataclass(frozen=True, eq=False)
class MatteRequest:
    """Matte one plane.

    Attributes
    ----------
    session : Session
        Lends the network.
    image : ImagePlane
        What to matte.
    labels : array (H, W)
        The trimap as painted: 0 unknown, 1 foreground, 2 background.
    weights, device : str
        As in :class:`lsa_engine.Matter`.
    iterations : int
        Refinement iterations (§4.3); 0 for no refinement.
    tta : {0, 8, 24}
        Test-time augmentation, without refinement only.
    """

    session: Session
    image: ImagePlane
    labels: NDArray[Any]
    weights: str
    device: str
    iterations: int
    tta: int

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> MatteResult:
        """Return the matte.

        Raises
        ------
        LsaError
            As :meth:`lsa_engine.Matter.predict` and :meth:`~lsa_engine.Matter.refine`.
        """
        steps = Steps(f"loading {self.weights}", 1, progress, cancel)
        from lsa_engine.inference.refinement import Refinement
        from lsa_engine.trimap import Trimap

        with self.session.matter(self.weights, self.device) as matter:
            steps.advance()
            matter.set_image(self.image.colours(), data_range=self.image.data_range)
            matter.set_trimap(Trimap.from_labels(self.labels))
            steps.check()
            if self.iterations:
                return matter.refine(Refinement(iterations=self.iterations), progress=progress, cancel=cancel)
            return matter.predict(tta=self.tta, progress=progress, cancel=cancel)


@dataclass(frozen=True, eq=False)
class ForegroundRequest:
    """Estimate foreground colours of one plane.

    Attributes
    ----------
    image : ImagePlane
        The composite.
    alpha : ImagePlane
        Its matte; integers go by their type, floats lie in [0, 1].
    method : {"multilevel", "closed-form"}
        As in :func:`lsa_engine.estimate_foreground`.
    wanted : tuple of str
        What to return: "cut-out", "foreground", "background".
    """

    image: ImagePlane
    alpha: ImagePlane
    method: str
    wanted: tuple[str, ...]

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> dict[str, NDArray[np.float32]]:
        """Return what is wanted, float32 in [0, 1]: colours (H, W, 3), and the cut-out (H, W, 4) with straight colours.

        Raises
        ------
        LsaError
            As :func:`lsa_engine.estimate_foreground`.
        """
        from lsa_engine.arrays import as_alpha, as_float_image
        from lsa_engine.compositing import cutout
        from lsa_engine.foreground import estimate_foreground

        image = as_float_image(self.image.colours(), data_range=self.image.data_range)
        alpha = as_alpha(np.asarray(self.alpha.pixels))
        foreground, background = estimate_foreground(
            image,
            alpha,
            method=self.method,  # type: ignore[arg-type]
            progress=progress,
            cancel=cancel,
        )
        results = {"foreground": foreground, "background": background}
        if "cut-out" in self.wanted:
            results["cut-out"] = cutout(foreground, alpha)
        return {kind: results[kind] for kind in self.wanted}


@dataclass(frozen=True, eq=False)
class TrimapRequest:
    """Make a trimap from a segmentation.

    Attributes
    ----------
    labels : array (H, W)
        All labels above 0 belong to the object.
    inner, outer : float
        Distances kept from its outline, in the unit of `spacing`.
    spacing : (float, float)
        Height and width of a pixel.
    """

    labels: NDArray[Any]
    inner: float
    outer: float
    spacing: tuple[float, float]

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> NDArray[np.uint8]:
        """Return labels (H, W): 0 unknown, 1 foreground, 2 background.

        Raises
        ------
        LsaError
            As :meth:`lsa_engine.Trimap.from_mask`.
        """
        from lsa_engine.trimap import Trimap

        steps = Steps("measuring distances", 1, progress, cancel)
        trimap = Trimap.from_mask(self.labels > 0, inner=self.inner, outer=self.outer, spacing=self.spacing)
        steps.advance()
        return trimap.to_labels()


@dataclass(frozen=True)
class Facilities:
    """What there is to compute with.

    Attributes
    ----------
    weights : dict of str to str
        Names of installed weights, and what they are.
    devices : tuple of str
        Names of devices that this machine has, "auto" first.
    automatic : str
        The device that "auto" takes.
    """

    weights: dict[str, str]
    devices: tuple[str, ...]
    automatic: str


def find_facilities(progress: ProgressCallback, cancel: CancelToken) -> Facilities:
    """Look for weights and devices: work for a job, because it loads torch."""
    from lsa_engine.devices import DEVICES, choose_device
    from lsa_engine.weights.registry import available_weights

    def present(name: str) -> bool:
        try:
            choose_device(name)
        except InputError:
            return False
        return True

    weights = {info.name: info.description or info.size for info in available_weights()}
    return Facilities(weights, tuple(filter(present, DEVICES)), str(choose_device("auto")))
