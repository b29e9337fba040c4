"""A spin box for distances in the unit of a layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from magicgui.widgets import FloatSpinBox

from napari_lsa_matting.layers import pixel_spacing

if TYPE_CHECKING:
    from napari.layers import Layer


class DistanceBox(FloatSpinBox):
    """A distance of 0 or more, in the unit of a layer.

    Parameters
    ----------
    pixels : float
        How many of the layer's pixels are proposed.
    **settings
        As for :class:`magicgui.widgets.FloatSpinBox`.
    """

    def __init__(self, pixels: float, **settings: Any) -> None:
        super().__init__(min=0, max=1e9, **settings)
        self._pixels = pixels
        self._spacing: object = None

    def follow(self, layer: Layer | None) -> None:
        """Take a layer's unit, and propose a distance if its pixels are others than before."""
        self.enabled = layer is not None
        if layer is None:
            return
        (height, width), unit = pixel_spacing(layer)
        if (height, width, unit) == self._spacing:
            return
        self._spacing = (height, width, unit)
        pixel = min(height, width)
        self.native.setDecimals(max(1, 2 - math.floor(math.log10(pixel))))
        self.native.setSingleStep(pixel)
        self.native.setSuffix(f" {unit}")
        self.value = self._pixels * pixel
