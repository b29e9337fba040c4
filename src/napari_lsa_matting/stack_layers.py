"""The layer that shows the alphas of a stack: one for the whole image, updated in place by later runs."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_lsa_matting.layers import METADATA_KEY, add_output, spatial_shape, update_output
from napari_lsa_matting.session import session_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_lsa_matting.channels import Channels
    from napari_lsa_matting.stack_requests import StackOutcome

_PURPOSE = "alphas of the stack"


class StackLayers:
    """Show the alphas of stacks.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where they are shown.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._session = session_of(viewer)
        self._followed: weakref.WeakSet[Image] = weakref.WeakSet()
        # Images that were given other pixels since their alphas were made, so that those are of no use any more.
        self._replaced: weakref.WeakSet[Image] = weakref.WeakSet()

    def earlier(self, image: Image, channels: Channels | None) -> NDArray[Any] | None:
        """Return the alphas of an earlier run on these pixels, without the axis of channels, or None."""
        layer = self._find(image, channels)
        if layer is None or image in self._replaced:
            return None
        return np.asarray(layer.data).reshape(shape_of_alphas(image, channels))

    def show(self, image: Image, outcome: StackOutcome, facts: Mapping[str, Any]) -> Image:
        """Show the alphas of a stack, in place if there are some already; return their layer."""
        channels = outcome.image.channels
        layer = self._find(image, channels)
        kept = [] if layer is None or image in self._replaced else _records_of(layer)
        planes = [record["plane"] for record in outcome.records]
        records = [record for record in kept if record["plane"] not in planes] + outcome.records
        facts = {"kind": "alpha", **facts, "frames": sorted(records, key=lambda record: record["plane"])}
        if layer is not None:
            update_output(layer, outcome.alpha, image, (), facts, channels)
        else:
            layer = add_output(
                self._viewer,
                outcome.alpha,
                image,
                (),
                name=f"alpha of {image.name}",
                facts=facts,
                channels=channels,
                colormap="gray",
                contrast_limits=(0.0, 1.0),
            )
            self._session.remember_output(image, _purpose(channels), layer)
        self._replaced.discard(image)
        if image not in self._followed:
            self._followed.add(image)
            image.events.data.connect(self._note_replaced)
        return layer

    def let_go(self) -> None:
        """Stop to follow the images."""
        for image in self._followed:
            image.events.data.disconnect(self._note_replaced)

    def _note_replaced(self, event: Any) -> None:
        self._replaced.add(event.source)

    def _find(self, image: Image, channels: Channels | None) -> Image | None:
        layer = self._session.output(image, _purpose(channels))
        if not isinstance(layer, Image) or layer not in self._viewer.layers:
            return None
        shape = shape_of_alphas(image, channels)
        alphas = np.broadcast_to(np.float32(0), shape)  # takes no memory
        expected = alphas if channels is None else channels.on_layer(alphas)
        return layer if layer.data.shape == expected.shape else None


def shape_of_alphas(image: Image, channels: Channels | None) -> tuple[int, ...]:
    """Return the lengths of an image's axes without that of channels."""
    shape = spatial_shape(image)
    return shape if channels is None else channels.without(shape)


def _purpose(channels: Channels | None) -> tuple[object, ...]:
    return _PURPOSE, None if channels is None else channels.axis


def _records_of(layer: Image) -> list[dict[str, Any]]:
    record = layer.metadata.get(METADATA_KEY)
    return list(record.get("frames", ())) if isinstance(record, Mapping) else []
