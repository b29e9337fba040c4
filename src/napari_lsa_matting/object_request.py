"""One matte for each object of a segmentation: what a run needs, and what it does in a worker thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.layers import fingerprint
from napari_lsa_matting.matte_request import NETWORK, ImageChangedError, MatteSettings, as_refinement

if TYPE_CHECKING:
    from lsa_engine.inference.results import Report
    from napari_lsa_matting.layers import ImagePlane
    from napari_lsa_matting.session import Session


@dataclass(frozen=True)
class Band:
    """What is unknown of an object: so far into it, and so far out of it, in the unit of the pixel's height and width.

    Attributes
    ----------
    inner, outer : float
        Distances from the outline.
    spacing : (float, float)
        Height and width of a pixel.
    """

    inner: float
    outer: float
    spacing: tuple[float, float]


@dataclass(frozen=True, eq=False)
class ObjectsOutcome:
    """Mattes by object.

    Attributes
    ----------
    alphas : dict of int to array
        (H, W) float32 in [0, 1], by label.
    reports : dict of int to Report
        What was done, by label.
    problems : tuple of str
        Sentences about objects without a matte.
    image : ImagePlane
        The picture.
    labels : array (H, W)
        The segmentation.
    band : Band
        How the trimaps were made.
    settings : MatteSettings
        How the mattes were made.
    inputs : dict of str to str
        SHA-256 of the picture's and the labels' values, as "image_sha256" and "labels_sha256".
    """

    alphas: dict[int, NDArray[np.float32]]
    reports: dict[int, Report]
    problems: tuple[str, ...]
    image: ImagePlane
    labels: NDArray[Any]
    band: Band
    settings: MatteSettings
    inputs: dict[str, str] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return how the mattes were made, as plain values for a layer's metadata."""
        return {
            **self.image.record(),
            "settings": self.settings.to_dict(),
            "band": {"inner": self.band.inner, "outer": self.band.outer, "spacing": list(self.band.spacing)},
            **self.inputs,
        }


@dataclass(frozen=True, eq=False)
class ObjectsRequest:
    """Matte every object of one plane.

    Attributes
    ----------
    session : Session
        Lends the network.
    image : ImagePlane
        What to matte.
    labels : array (H, W)
        The segmentation; 0 is no object.
    names : mapping of int to str
        What the objects are called, every one.
    band : Band
        What is unknown of each.
    settings : MatteSettings
        How.
    """

    session: Session
    image: ImagePlane
    labels: NDArray[Any]
    names: Mapping[int, str]
    band: Band
    settings: MatteSettings

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> ObjectsOutcome:
        """Return the mattes.

        Raises
        ------
        InputError
            If no object has a matte, or the picture was drawn on while they were made.
        LsaError
            As :func:`lsa_engine.inference.objects.matte_objects`.
        """
        settings = self.settings
        steps = Steps(f"loading {settings.weights}", 1, progress, cancel)
        from lsa_engine.inference.objects import matte_objects

        image = self.image.colours()
        seen = fingerprint(image)
        options: dict[str, Any] = {
            "inner": self.band.inner,
            "outer": self.band.outer,
            "spacing": self.band.spacing,
            "method": settings.method,
            "data_range": self.image.data_range,
            "progress": progress,
            "cancel": cancel,
        }
        if settings.method == NETWORK:
            with self.session.matter(settings.weights, settings.device, settings.dtype, steps.check) as matter:
                self.session.live = None
                options |= {"weights": matter, "refinement": as_refinement(settings), "tta": settings.tta}
                made = list(matte_objects(image, self.labels, **options))
        else:
            made = list(matte_objects(image, self.labels, **options))
        if self.image.differs(seen):
            raise ImageChangedError(
                f"The pixels of {self.image.name!r} were changed while it was matted, so its mattes were dropped: "
                "run once more."
            )
        problems = tuple(f"{self.names[matte.label]}: {matte.problem}" for matte in made if matte.result is None)
        done = {matte.label: matte for matte in made if matte.result is not None}
        if not done:
            raise InputError(f"No object could be matted. {problems[0]} Give smaller distances.")
        return ObjectsOutcome(
            alphas={label: matte.alpha for label, matte in done.items()},
            reports={label: matte.result.report for label, matte in done.items() if matte.result is not None},
            problems=problems,
            image=self.image,
            labels=self.labels,
            band=self.band,
            settings=settings,
            inputs={"image_sha256": seen, "labels_sha256": fingerprint(self.labels)},
        )
