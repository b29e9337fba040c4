"""Mattes of several objects: one for each label of a segmentation, by a band along the object's outline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lsa_engine.arrays import as_float_image, to_numpy
from lsa_engine.errors import InputError, TrimapError
from lsa_engine.inference.matter import Matter
from lsa_engine.inference.one_call import matte
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.results import MatteResult
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.trimap import BACKGROUND, Trimap

_CONTEXT = 64


@dataclass(frozen=True, eq=False)
class ObjectMatte:
    """The matte of one object.

    Attributes
    ----------
    label : int
        Its label.
    box : (slice, slice)
        Rows and columns that were looked at.
    shape : (int, int)
        Height and width of the whole picture.
    result : MatteResult or None
        The matte in the box; None if there is none.
    problem : str
        Why there is none; empty if there is.
    """

    label: int
    box: tuple[slice, slice]
    shape: tuple[int, int]
    result: MatteResult | None
    problem: str = ""

    @property
    def alpha(self) -> NDArray[np.float32]:
        """float32 (H, W) in [0, 1] over the whole picture, 0 outside of the box."""
        whole = np.zeros(self.shape, np.float32)
        if self.result is not None:
            whole[self.box] = self.result.alpha
        return whole


def matte_objects(
    image: Any,
    labels: Any,
    *,
    inner: float,
    outer: float,
    spacing: tuple[float, float] = (1.0, 1.0),
    only: Sequence[int] | None = None,
    method: str = "network",
    weights: str | Path | Matter = "lsa-lite",
    refinement: Refinement | None = None,
    tta: int = 0,
    device: str = "auto",
    dtype: str = "auto",
    data_range: tuple[float, float] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[ObjectMatte]:
    """Matte every object of a segmentation, each by itself and with its surroundings only.

    An object's trimap is foreground deeper than `inner` inside, background farther than `outer` outside and deeper
    than `inner` in other objects, and unknown between. An object for which that leaves nothing known comes with its
    problem, and the others are done.

    Parameters
    ----------
    image : (H, W, 3) or (H, W) array
        As in :meth:`Matter.set_image`.
    labels : (H, W) array of integers
        0 is no object.
    inner, outer : float
        Distances in the unit of `spacing`.
    spacing : (float, float)
        Height and width of a pixel.
    only : sequence of int, optional
        Labels to matte; all by default.
    method, weights, refinement, tta, device, dtype, data_range
        As in :func:`lsa_engine.matte`.
    progress, cancel
        Told of every object, and asked within them.

    Yields
    ------
    ObjectMatte
        One for each label, in order.

    Raises
    ------
    InputError
        If image or labels are none, or differ in size.
    WeightsError, Cancelled
        As in :func:`lsa_engine.matte`.
    """
    pixels = as_float_image(image, data_range=data_range)
    segmentation = to_numpy(labels, "labels")
    if segmentation.shape != pixels.shape[:2] or segmentation.dtype.kind not in "iu":
        raise InputError(
            f"Got labels of shape {segmentation.shape} and type {segmentation.dtype} for an image of "
            f"{pixels.shape[0]} × {pixels.shape[1]} pixels, expected integers of the same size; "
            "choose the image's segmentation."
        )
    present = [int(label) for label in np.unique(segmentation) if label > 0]
    wanted = present if only is None else [label for label in present if label in set(only)]
    if not wanted:
        raise InputError("Got labels without any object, expected at least one above 0; label an object first.")
    steps = Steps("matting objects", len(wanted), progress, cancel)
    own = (
        Matter(weights, device=device, dtype=dtype) if method == "network" and not isinstance(weights, Matter) else None
    )
    network: str | Path | Matter = own if own is not None else weights
    try:
        for number, label in enumerate(wanted):
            box = _surroundings(segmentation == label, outer, spacing)
            trimap = object_trimap(segmentation[box], label, inner=inner, outer=outer, spacing=spacing)
            try:
                result = matte(
                    pixels[box],
                    trimap,
                    method=method,
                    weights=network,
                    refinement=refinement,
                    tta=tta,
                    cancel=cancel,
                )
                done = ObjectMatte(label, box, pixels.shape[:2], result)
            except TrimapError as error:
                done = ObjectMatte(label, box, pixels.shape[:2], None, str(error))
            steps.advance(message=f"matting object {min(number + 2, len(wanted))} of {len(wanted)}")
            yield done
    finally:
        if own is not None:
            own.close()


def object_trimap(
    labels: NDArray[Any], label: int, *, inner: float, outer: float, spacing: tuple[float, float] = (1.0, 1.0)
) -> Trimap:
    """Return the trimap of one object among others: what lies deep in another one is background.

    Parameters
    ----------
    labels : (H, W) array of integers
        0 is no object.
    label : int
        The object.
    inner, outer, spacing
        As in :func:`matte_objects`.
    """
    values = Trimap.from_mask(labels == label, inner=inner, outer=outer, spacing=spacing).values.copy()
    others = (labels > 0) & (labels != label)
    if others.any():
        values[others & (ndimage.distance_transform_edt(others, sampling=spacing) > inner)] = BACKGROUND
    return Trimap(values)


def _surroundings(mask: NDArray[np.bool_], outer: float, spacing: tuple[float, float]) -> tuple[slice, slice]:
    """Return rows and columns that hold an object, the band along it, and what a network needs to see around it."""
    box = []
    for axis, size in enumerate(spacing):
        places = np.flatnonzero(mask.any(axis=1 - axis))
        margin = int(np.ceil(outer / size)) + _CONTEXT
        box.append(slice(max(0, int(places[0]) - margin), min(mask.shape[axis], int(places[-1]) + 1 + margin)))
    return box[0], box[1]
