"""What making and changing a trimap needs, collected on the main thread, and done in a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.versions import versions
from napari_lsa_matting.layers import ImagePlane, LazyPlane, fingerprint
from napari_lsa_matting.matte_request import ImageChangedError
from napari_lsa_matting.plane_writer import PlaneChanges, find_changes

if TYPE_CHECKING:
    from lsa_engine.trimap import Trimap

Spacing = tuple[float, float]


class LabelsRequest(Protocol):
    """Makes the labels (H, W) of a trimap: 0 unknown, 1 foreground, 2 background."""

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> NDArray[np.uint8]:
        """Return the labels."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return how they are made, as plain values for a layer's metadata."""
        ...

    def given(self) -> dict[str, NDArray[Any]]:
        """Return what they are made from, by name."""
        ...


@dataclass(frozen=True, eq=False)
class SegmentationRequest:
    """Make a trimap from a segmentation.

    Attributes
    ----------
    labels : array_like (H, W)
        All labels above 0 belong to the object; may be lazy.
    inner, outer : float
        Distances kept from its outline, in the unit of `spacing`.
    spacing : (float, float)
        Height and width of a pixel.
    """

    labels: Any
    inner: float
    outer: float
    spacing: Spacing

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> NDArray[np.uint8]:
        """Return labels (H, W).

        Raises
        ------
        LsaError
            As :meth:`lsa_engine.Trimap.from_mask`; also if nothing is labelled.
        """
        from lsa_engine.trimap import Trimap

        mask = np.asarray(self.labels) > 0
        if not mask.any():
            raise InputError("The segmentation has no labels in this plane: label the object first.")
        trimap = Trimap.from_mask(
            mask, inner=self.inner, outer=self.outer, spacing=self.spacing, progress=progress, cancel=cancel
        )
        return trimap.to_labels()

    def facts(self) -> dict[str, Any]:
        """Return how they are made, as plain values for a layer's metadata."""
        return {"from": "segmentation", "inner": self.inner, "outer": self.outer, "spacing": list(self.spacing)}

    def given(self) -> dict[str, NDArray[Any]]:
        """Return what they are made from, by name."""
        return {"labels": np.asarray(self.labels)}


@dataclass(frozen=True, eq=False)
class AlphaRequest:
    """Make a trimap from a matte.

    Attributes
    ----------
    alpha : array_like (H, W)
        Floats in [0, 1] or unsigned integers; may be lazy.
    inner, outer : float
        Distances by which the unknown reaches beyond what is neither 0 nor 1, in the unit of `spacing`.
    spacing : (float, float)
        Height and width of a pixel.
    """

    alpha: Any
    inner: float
    outer: float
    spacing: Spacing

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> NDArray[np.uint8]:
        """Return labels (H, W).

        Raises
        ------
        LsaError
            As :meth:`lsa_engine.Trimap.from_alpha`.
        """
        from lsa_engine.trimap import Trimap

        pixels = np.asarray(self.alpha)
        trimap = Trimap.from_alpha(
            pixels, self.inner, self.outer, spacing=self.spacing, progress=progress, cancel=cancel
        )
        return trimap.to_labels()

    def facts(self) -> dict[str, Any]:
        """Return how they are made, as plain values for a layer's metadata."""
        return {"from": "alpha", "inner": self.inner, "outer": self.outer, "spacing": list(self.spacing)}

    def given(self) -> dict[str, NDArray[Any]]:
        """Return what they are made from, by name."""
        return {"alpha": np.asarray(self.alpha)}


@dataclass(frozen=True, eq=False)
class StrokesRequest:
    """Fill in a trimap from strokes.

    Attributes
    ----------
    image : ImagePlane
        What the strokes are on.
    labels : array_like (H, W)
        The strokes: 0 unknown, 1 foreground, 2 background.
    certainty, width : float
        As in :func:`lsa_engine.scribbles.trimap_from_scribbles`.
    spacing : (float, float)
        Height and width of a pixel.
    """

    image: ImagePlane
    labels: Any
    certainty: float
    width: float
    spacing: Spacing

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> NDArray[np.uint8]:
        """Return labels (H, W).

        Raises
        ------
        LsaError
            As :func:`lsa_engine.scribbles.trimap_from_scribbles`.
        """
        from lsa_engine.scribbles import trimap_from_scribbles
        from lsa_engine.trimap import Trimap

        trimap = trimap_from_scribbles(
            self.image.colours(),
            Trimap.from_labels(self.labels),
            certainty=self.certainty,
            width=self.width,
            spacing=self.spacing,
            data_range=self.image.data_range,
            progress=progress,
            cancel=cancel,
        )
        return trimap.to_labels()

    def facts(self) -> dict[str, Any]:
        """Return how they are made, as plain values for a layer's metadata."""
        return {
            "from": "strokes",
            "image": self.image.name,
            "data_range": self.image.data_range and list(self.image.data_range),
            "certainty": self.certainty,
            "width": self.width,
            "spacing": list(self.spacing),
        }

    def given(self) -> dict[str, NDArray[Any]]:
        """Return what they are made from, by name."""
        return {"image": self.image.colours(), "labels": np.asarray(self.labels)}


@dataclass(frozen=True, eq=False)
class FileRequest:
    """Read a trimap from a file.

    Attributes
    ----------
    path : Path
        An image file in one of the usual codings; a TIFF may hold the trimaps of all planes.
    shape : (int, int)
        Height and width of the image.
    image : str
        The image's name.
    leading : tuple of int
        The lengths of the image's other axes.
    """

    path: Path
    shape: tuple[int, int]
    image: str
    leading: tuple[int, ...] = ()

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> NDArray[np.uint8]:
        """Return labels (H, W), or those of all planes, if the file holds as many.

        Raises
        ------
        LsaError
            As :func:`lsa_engine.image_io.trimap_files.read_trimaps`; also if the size does not fit.
        """
        from lsa_engine.image_io.trimap_files import read_trimaps

        steps = Steps(f"reading {self.path.name}", 1, progress, cancel)
        labels = read_trimaps(self.path).to_labels()
        found = [length for length in labels.shape[:-2] if length > 1]
        whole = bool(found) and found == [length for length in self.leading if length > 1]
        if labels.shape[-2:] != self.shape or (found and not whole):
            raise InputError(
                f"{self.path.name} is {_size(labels.shape)} and {self.image!r} {_size((*self.leading, *self.shape))} "
                "pixels (height × width), but they must have the same size: choose the file of this image."
            )
        steps.advance()
        return labels.reshape((*self.leading, *self.shape) if whole else self.shape)

    def facts(self) -> dict[str, Any]:
        """Return how they are made, as plain values for a layer's metadata."""
        return {"from": "file", "path": str(self.path)}

    def given(self) -> dict[str, NDArray[Any]]:
        """Return what they are made from, by name: the file's bytes."""
        try:
            return {"file": np.fromfile(self.path, np.uint8)}
        except OSError:
            return {}  # why it cannot be read is said by the run


@dataclass(frozen=True, eq=False)
class ToolRequest:
    """Change a trimap as a whole.

    Attributes
    ----------
    tool : callable
        One of :mod:`lsa_engine.trimap_editing`.
    labels : array_like (H, W)
        The trimap: 0 unknown, 1 foreground, 2 background.
    size : float
        Distance or size, in the unit of `spacing`.
    spacing : (float, float)
        Height and width of a pixel.
    """

    tool: Callable[..., Trimap]
    labels: Any
    size: float
    spacing: Spacing

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> NDArray[np.uint8]:
        """Return labels (H, W).

        Raises
        ------
        LsaError
            As the tool; also if the labels are no trimap.
        """
        from lsa_engine.trimap import Trimap

        trimap = Trimap.from_labels(self.labels)
        return self.tool(trimap, self.size, self.spacing, progress, cancel).to_labels()

    def facts(self) -> dict[str, Any]:
        """Return how they are made, as plain values for a layer's metadata."""
        return {"tool": self.tool.__name__, "size": self.size, "spacing": list(self.spacing)}

    def given(self) -> dict[str, NDArray[Any]]:
        """Return what they are made from, by name."""
        return {"labels": np.asarray(self.labels)}


@dataclass(frozen=True, eq=False)
class MadeTrimap:
    """What came of making or changing a trimap.

    Attributes
    ----------
    labels : array of uint8
        The labels.
    request : LabelsRequest
        What made them, with its arrays in memory.
    before : array (H, W) or None
        What there was, if something was.
    stale : bool
        Whether a lazy plane was painted on while they were made; of a plane in memory the main thread can tell.
    changes : PlaneChanges or None
        Where they differ from that.
    inputs : dict of str to str
        SHA-256 of what they were made from, by name.
    record : dict
        How they were made, as plain values for a layer's metadata.
    """

    labels: NDArray[np.uint8]
    request: LabelsRequest
    before: NDArray[Any] | None
    stale: bool
    changes: PlaneChanges | None
    inputs: dict[str, str]
    record: dict[str, Any]


@dataclass(frozen=True, eq=False)
class MakeRequest:
    """Make a trimap, and find out what that changes in a plane that is there.

    Attributes
    ----------
    request : LabelsRequest
        Makes the labels.
    before : array_like (H, W), optional
        A copy of the labels that there are; may be lazy.
    """

    request: LabelsRequest
    before: Any = None

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> MadeTrimap:
        """Return the trimap.

        Raises
        ------
        ImageChangedError
            If what it is made from was drawn on meanwhile.
        LsaError
            As the request.
        """
        steps = Steps("reading", 1, progress, cancel)
        # The labels that there are come first: what is painted from here on is noticed when the change is written.
        before = None if self.before is None else np.asarray(self.before)
        request = _in_memory(self.request)
        steps.advance()
        inputs = {name: fingerprint(array) for name, array in request.given().items()}
        labels = request.run(progress, cancel)
        steps = Steps("comparing", 1, None, cancel)
        # Labels are copies, but not pictures.
        for name, array in request.given().items():
            if fingerprint(array) != inputs.get(name):  # none of a file that was not there at first
                raise ImageChangedError(
                    f"The {name} was changed while a trimap was made from it, so that was dropped: try it again."
                )
        changes, stale = None, False
        if before is not None:
            changes = find_changes(before, labels)
            stale = isinstance(self.before, LazyPlane) and not np.array_equal(np.asarray(self.before), before)
        steps.advance()
        record = {
            **request.facts(),
            **{f"{name}_sha256": sha256 for name, sha256 in inputs.items()},
            "sha256": fingerprint(labels),
            "versions": versions("scipy"),
        }
        return MadeTrimap(labels, request, before, stale, changes, inputs, record)


def _size(shape: tuple[int, ...]) -> str:
    """Return "20 × 64", or "5 × 20 × 64" of a stack."""
    leading = [length for length in shape[:-2] if length > 1]
    return " × ".join(map(str, (*leading, *shape[-2:])))


def _in_memory(request: Any) -> Any:
    """Return a request, a data class, with what is lazy in it read: once, since reading may be slow."""

    def read(value: Any) -> Any:
        if isinstance(value, ImagePlane):
            return replace(value, pixels=read(value.pixels))
        return np.asarray(value) if isinstance(value, LazyPlane) else value

    return replace(request, **{field.name: read(getattr(request, field.name)) for field in fields(request)})
