"""The layer that shows a trimap which a job has made, with the record of how."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import unwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_lsa_matting.autosave import autosave_of
from napari_lsa_matting.session import session_of
from napari_lsa_matting.trimap_code import record_planes
from napari_lsa_matting.trimap_layer import add_trimap_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_lsa_matting.layers import Index
    from napari_lsa_matting.trimap_planes import MadePlanes
    from napari_lsa_matting.trimap_requests import MadeTrimap


def show_made(viewer: ViewerModel, source: Layer, index: Index, made: MadeTrimap) -> Labels:
    """Add the labels that were made for a layer as a trimap on it, which later runs update.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where to add it.
    source : napari.layers.Layer
        Image or Labels layer that it was made for.
    index : tuple of int
        The plane; empty for all planes.
    made : MadeTrimap
        The labels, and how they were made.
    """
    return _show(viewer, source, {index: made.labels}, {index: made.record})


def show_planes(viewer: ViewerModel, source: Layer, made: MadePlanes) -> Labels:
    """Add the trimaps that were made for planes of a layer as :func:`show_made` does."""
    labels: dict[Index, NDArray[np.uint8]] = {} if made.labels is None else {(): made.labels}
    return _show(viewer, source, labels, {each.index: each.record for each in made.planes.values()})


def _show(
    viewer: ViewerModel,
    source: Layer,
    planes: dict[Index, NDArray[np.uint8]],
    records: Mapping[Index, Mapping[str, Any]],
) -> Labels:
    layer = add_trimap_layer(viewer, source, planes)
    record_planes(layer, records)
    session_of(viewer).remember_output(source, "trimap", layer)
    source = unwrap(source)
    if isinstance(source, Image):
        autosave_of(viewer).note_pair(source, layer)
    return layer
