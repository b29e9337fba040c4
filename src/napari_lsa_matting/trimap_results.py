"""The layer that shows a trimap which a job has made, with the record of how."""

from __future__ import annotations

from inspect import unwrap
from typing import TYPE_CHECKING

from napari.layers import Image, Layer

from napari_lsa_matting.autosave import autosave_of
from napari_lsa_matting.session import session_of
from napari_lsa_matting.trimap_code import record_making
from napari_lsa_matting.trimap_layer import add_trimap_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_lsa_matting.layers import Index
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
    layer = add_trimap_layer(viewer, source, {index: made.labels})
    record_making(layer, index, made.record)
    session_of(viewer).remember_output(source, "trimap", layer)
    source = unwrap(source)
    if isinstance(source, Image):
        autosave_of(viewer).note_pair(source, layer)
    return layer
