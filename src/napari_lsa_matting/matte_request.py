"""What a matting run needs, collected on the main thread and frozen, and what it does with it in a worker thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.layers import fingerprint
from napari_lsa_matting.live_state import PackedLabels, Stroke, begun

if TYPE_CHECKING:
    from lsa_engine.inference.results import MatteResult
    from lsa_engine.trimap import Trimap
    from napari_lsa_matting.layers import ImagePlane
    from napari_lsa_matting.session import Session

NETWORK = "network"


@dataclass(frozen=True)
class MatteSettings:
    """How to matte.

    Attributes
    ----------
    method : str
        "network", or a classical method, which uses none of the others.
    weights, device, dtype : str
        As in :class:`lsa_engine.Matter`.
    tta : {0, 8, 24}
        Test-time augmentation.
    refinement : mapping, or None
        The arguments of :class:`lsa_engine.Refinement`; None leaves the network's matte as it is.
    """

    method: str = NETWORK
    weights: str = "lsa-lite"
    device: str = "auto"
    dtype: str = "auto"
    tta: int = 0
    refinement: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what matters for the method, as plain values that JSON can hold."""
        if self.method != NETWORK:
            return {"method": self.method}
        refinement = None if self.refinement is None else dict(self.refinement)
        return {**vars(self), "refinement": refinement}


@dataclass(frozen=True, eq=False)
class MatteOutcome:
    """What a run made, and from what.

    Attributes
    ----------
    result : MatteResult
        The matte.
    image : ImagePlane
        Its picture.
    labels : array (H, W)
        Its trimap as painted.
    settings : MatteSettings
        How it was made.
    inputs : dict of str to str
        SHA-256 of the picture's and the trimap's values, as "image_sha256" and "trimap_sha256".
    strokes : tuple of Stroke
        Of a live correction: the trimap that was encoded, and those that were answered after it.
    """

    result: MatteResult
    image: ImagePlane
    labels: NDArray[Any]
    settings: MatteSettings
    inputs: dict[str, str] = field(default_factory=dict)
    strokes: tuple[Stroke, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return how the matte was made, as plain values for a layer's metadata."""
        return {
            **self.image.record(),
            "settings": self.settings.to_dict(),
            **self.inputs,
            **({"corrections": len(self.strokes) - 1} if len(self.strokes) > 1 else {}),
            "report": self.result.report.to_dict(),
        }


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
    settings : MatteSettings
        How.
    """

    session: Session
    image: ImagePlane
    labels: NDArray[Any]
    settings: MatteSettings

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> MatteOutcome:
        """Return the matte.

        Raises
        ------
        ImageChangedError
            If the picture was drawn on while it was matted.
        LsaError
            As :func:`lsa_engine.matte`.
        """
        settings = self.settings
        what = settings.weights if settings.method == NETWORK else f"{settings.method} matting"
        steps = Steps(f"loading {what}", 1, progress, cancel)
        from lsa_engine.inference.one_call import matte
        from lsa_engine.trimap import Trimap

        image = self.image.colours()
        seen = fingerprint(image)
        trimap = Trimap.from_labels(self.labels)
        options: dict[str, Any] = {"data_range": self.image.data_range, "progress": progress, "cancel": cancel}
        if settings.method == NETWORK:
            with self.session.matter(settings.weights, settings.device, settings.dtype, steps.check) as matter:
                steps.advance()
                self.session.live = None
                matter.set_image(image, data_range=self.image.data_range)
                matter.set_trimap(trimap)
                result = _compute(matter, settings, progress, cancel)
                outcome = self._outcome(result, seen, trimap)
                state = begun(self.image, seen, settings, PackedLabels.of(self.labels), result)
                if state is not None:
                    state.outcome = outcome
                self.session.live = state
        else:
            outcome = self._outcome(matte(image, trimap, method=settings.method, **options), seen, trimap)
        if self.image.differs(seen):
            raise ImageChangedError(
                f"The pixels of {self.image.name!r} were changed while it was matted, so its matte was dropped: "
                "run once more."
            )
        return outcome

    def _outcome(self, result: MatteResult, seen: str, trimap: Trimap) -> MatteOutcome:
        inputs = {"image_sha256": seen, "trimap_sha256": fingerprint(trimap.values)}
        return MatteOutcome(result, self.image, self.labels, self.settings, inputs)


class ImageChangedError(InputError):
    """A picture was drawn on while it was worked on, so that the result belongs to neither state."""


def _compute(matter: Any, settings: MatteSettings, progress: ProgressCallback, cancel: CancelToken) -> MatteResult:
    """Return the matte of what a Matter has in hand."""
    refinement = as_refinement(settings)
    if refinement is None:
        return matter.predict(tta=settings.tta, progress=progress, cancel=cancel)
    return matter.refine(refinement, tta=settings.tta, progress=progress, cancel=cancel)


def as_refinement(settings: MatteSettings) -> Any:
    """Return the engine's settings of a refinement, or None without one."""
    from lsa_engine.inference.refinement import Refinement

    return None if settings.refinement is None else Refinement(**settings.refinement)
