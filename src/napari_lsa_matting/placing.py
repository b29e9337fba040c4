"""Results of later runs lie where their source lies now: images are often calibrated after the first look at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Layer


def put_in_place(layer: Layer, settings: Mapping[str, Any]) -> None:
    """Give a layer another calibration, and leave what is the same.

    Parameters
    ----------
    layer : napari.layers.Layer
        What is moved.
    settings : mapping
        As from :func:`~napari_lsa_matting.layers.calibration`.
    """
    for name, wanted in settings.items():
        if name in ("units", "axis_labels"):
            same = tuple(getattr(layer, name)) == tuple(wanted)
        else:
            given = layer.affine.affine_matrix if name == "affine" else getattr(layer, name)
            if name == "shear" and np.ndim(wanted) == 2:  # which layers are given, but do not give
                wanted = np.asarray(wanted)[np.triu_indices(len(wanted), 1)]
            same = np.allclose(given, wanted, rtol=1e-9, atol=0)
        if not same:
            setattr(layer, name, wanted)
