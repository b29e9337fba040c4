"""What can be told before a run: whether two layers belong together, and what a trimap lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsa_engine.errors import InputError
from napari_lsa_matting.layers import Index, plane_index, same_place, spatial_shape, volume_index
from napari_lsa_matting.trimap_layer import Finding

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer

    from napari_lsa_matting.labels_look import LabelsLook

LOOKING = "Looking at the labels …"


@dataclass(frozen=True)
class Pair:
    """Two layers whose planes belong together: where they stand, or what keeps them apart.

    Attributes
    ----------
    first, second : tuple of int
        The planes that are seen.
    findings : tuple of Finding
        What is wrong; nothing can be run if one of them blocks.
    """

    first: Index = ()
    second: Index = ()
    findings: tuple[Finding, ...] = ()

    @property
    def problem(self) -> str | None:
        """The first finding that keeps a run from starting, or None."""
        return next((finding.text for finding in self.findings if finding.blocks), None)


def missing(text: str) -> Pair:
    """Return the answer where a layer is not there, with a sentence that says so."""
    return Pair(findings=(Finding(text),))


def match_planes(viewer: ViewerModel, first: Layer, second: Layer, axes: int = 2) -> Pair:
    """Check that the planes seen of two layers, or their volumes of three axes, have one size and lie on each other."""
    find_index = plane_index if axes == 2 else volume_index
    try:
        first_index, second_index = find_index(first, viewer), find_index(second, viewer)
    except InputError as error:
        return Pair(findings=(Finding(str(error)),))
    return match_at(first, first_index, second, second_index, axes)


def match_at(first: Layer, first_index: Index, second: Layer, second_index: Index, axes: int) -> Pair:
    """Check that planes, or volumes of three axes, of two layers have one size and lie on each other."""
    ours, theirs = spatial_shape(first)[-axes:], spatial_shape(second)[-axes:]
    if ours != theirs:
        order = "height × width" if axes == 2 else "depth × height × width"
        text = (
            f"{first.name!r} is {_size(ours)} and {second.name!r} {_size(theirs)} pixels ({order}), "
            "but they must have the same size: choose layers that belong together."
        )
        return Pair(findings=(Finding(text),))
    if not same_place(first, first_index, second, second_index):
        text = (
            f"{second.name!r} has another scale or position than {first.name!r}: "
            "give both the same, or choose layers that belong together."
        )
        return Pair(findings=(Finding(text),))
    return Pair(first_index, second_index)


def covers(first: Layer, second: Layer) -> bool:
    """Return whether two layers have as many pixels, in the same place."""
    return spatial_shape(first) == spatial_shape(second) and same_place(first, (), second, ())


def check_trimap(viewer: ViewerModel, image: Image, trimap: Labels, look: LabelsLook) -> Pair:
    """Check that a trimap layer can be used for an image layer, and say in words what cannot be."""
    pair = match_planes(viewer, image, trimap)
    if pair.findings:
        return pair
    findings = look.findings(trimap, pair.second)
    return missing(LOOKING) if findings is None else Pair(pair.first, pair.second, findings)


def check_objects(viewer: ViewerModel, image: Image, labels: Labels, look: LabelsLook) -> Pair:
    """Check that a segmentation belongs to an image layer, and has objects where the viewer stands."""
    pair = match_planes(viewer, image, labels)
    if pair.findings:
        return pair
    highest = look.highest(labels, pair.second)
    if highest is None:
        return missing(LOOKING)
    return pair if highest > 0 else missing(f"{labels.name!r} has no object in this plane: label one first.")


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
