"""The layers that show a matte: the alpha, and what else is known of it."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap
from numpy.typing import NDArray
from psygnal import Signal

from napari_lsa_matting.layers import Index, add_output, update_output
from napari_lsa_matting.matte_request import MatteOutcome
from napari_lsa_matting.session import session_of
from napari_lsa_matting.trimap_code import trimap_path

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

_LOOK_EVENTS = ("visible", "contrast_limits", "colormap")
INITIAL, VIOLATION, UNCERTAINTY, PREVIEW = "initial alpha", "violation", "uncertainty", "preview"


class _Look(NamedTuple):
    """How a layer is called and shown when it is made."""

    name: str
    settings: dict[str, Any]
    on_top: bool = True


def _from_nothing_to(name: str, colour: tuple[float, float, float]) -> Colormap:
    """Return a colormap that lets through what lies below where the values are 0."""
    return Colormap([(*colour, 0.0), (*colour, 1.0)], name=name)


_LOOKS = {
    INITIAL: _Look(
        "alpha before refinement", {"colormap": "gray", "contrast_limits": (0.0, 1.0), "visible": False}, on_top=False
    ),
    # Both can be seen on black, on white, and on the trimap's colours.
    VIOLATION: _Look(
        "violation",
        {"colormap": _from_nothing_to("violation (orange)", (1.0, 0.45, 0.0)), "contrast_limits": (0.0, 0.5)},
    ),
    UNCERTAINTY: _Look(
        "uncertainty",
        {"colormap": _from_nothing_to("uncertainty (cyan)", (0.0, 0.75, 1.0)), "contrast_limits": (0.0, 0.2)},
    ),
    PREVIEW: _Look("preview", {"rgb": True}),
}


@dataclass(frozen=True, eq=False)
class Shown:
    """A matte that was shown, and of which plane of which layer."""

    image: Image
    index: Index
    outcome: MatteOutcome


class MatteLayers:
    """Show what runs have made of pictures: a layer for each plane, updated in place by later runs.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Where they are shown.
    """

    changed = Signal()
    """A matte was shown, or the user has shown or hidden one of its layers, or changed its colours."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._session = session_of(viewer)
        self._last: tuple[weakref.ref[Image], Index, MatteOutcome] | None = None
        self._followed: weakref.WeakSet[Image] = weakref.WeakSet()

    @property
    def last(self) -> Shown | None:
        """The matte that was shown last, as long as its picture is there."""
        if self._last is None:
            return None
        image, index, outcome = self._last[0](), *self._last[1:]
        return Shown(image, index, outcome) if image is not None and image in self._viewer.layers else None

    def layer(self, kind: str) -> Image | None:
        """Return the layer of a kind beside the matte shown last, if it is there."""
        last = self.last
        return None if last is None else self._find(last.image, last.index, kind)

    def show(self, image: Image, index: Index, trimap: Layer, outcome: MatteOutcome) -> Image:
        """Show a matte as the alpha of its picture's plane, bring what is shown of it up to date; return the alpha."""
        result = outcome.result
        paths = {"image_path": image.source.path, "trimap_path": trimap_path(trimap, index)}
        facts = {"image": image.name, "trimap": trimap.name, "plane": list(index), **paths, **outcome.record()}
        self._last = (weakref.ref(image), index, outcome)
        channels = outcome.image.channels
        alpha = self._find(image, index, "alpha")
        if alpha is not None and alpha.data.shape[-2:] == result.alpha.shape:
            update_output(alpha, result.alpha, image, index, {"kind": "alpha", **facts}, channels)
        else:
            alpha = add_output(
                self._viewer,
                result.alpha,
                image,
                index,
                name="alpha",
                facts={"kind": "alpha", **facts},
                channels=channels,
                colormap="gray",
                contrast_limits=(0.0, 1.0),
            )
            self._session.remember_output(image, ("alpha", index), alpha)
        for kind in (INITIAL, VIOLATION, UNCERTAINTY):
            layer, pixels = self._find(image, index, kind), self._pixels(kind)
            if layer is None:
                continue
            self._follow(layer)
            if pixels is None or layer.data.shape[-2:] != pixels.shape:
                layer.visible = False
            else:
                update_output(layer, pixels, image, index, {"kind": kind, **facts}, channels)
        self.changed.emit()
        return alpha

    def offers(self, kind: str) -> bool:
        """Return whether the matte shown last has this map."""
        return self._pixels(kind) is not None

    def is_shown(self, kind: str) -> bool:
        """Return whether a map, or the preview, is seen."""
        layer = self.layer(kind)
        return layer is not None and bool(layer.visible)

    def set_shown(self, kind: str, shown: bool) -> None:
        """Show or hide a map of the matte shown last; it becomes a layer when it is first wanted."""
        layer = self.layer(kind)
        if layer is None and shown:
            pixels = self._pixels(kind)
            layer = None if pixels is None else self.put(kind, pixels)
        if layer is not None and layer.visible != shown:
            layer.visible = shown

    def blend(self, before: float) -> None:
        """Show so much, from 0 to 1, of the matte before refinement over the alpha."""
        self.set_shown(INITIAL, before > 0)
        layer = self.layer(INITIAL)
        if layer is not None and before > 0:
            layer.opacity = before

    def put(self, kind: str, pixels: NDArray[Any]) -> Image | None:
        """Show an array beside the matte shown last, in place if it is there already; return its layer."""
        last = self.last
        if last is None:
            return None
        image, index, channels = last.image, last.index, last.outcome.image.channels
        facts = {"kind": kind, "image": image.name, "plane": list(index), **last.outcome.record()}
        layer = self._find(image, index, kind)
        if layer is not None and layer.data.shape[-pixels.ndim :] == pixels.shape:
            self._follow(layer)
            update_output(layer, pixels, image, index, facts, channels)
            return layer
        look = _LOOKS[kind]
        layer = add_output(
            self._viewer,
            pixels,
            image,
            index,
            name=look.name,
            facts=facts,
            channels=channels,
            on_top=look.on_top,
            above=None if look.on_top else self._find(image, index, "alpha"),
            blending="translucent_no_depth",
            **look.settings,
        )
        self._follow(layer)
        self._session.remember_output(image, (kind, index), layer)
        return layer

    def let_go(self) -> None:
        """Stop to follow the layers, which stay."""
        for layer in self._followed:
            for name in _LOOK_EVENTS:
                getattr(layer.events, name).disconnect(self._note_look)
        self._followed.clear()

    def _follow(self, layer: Image) -> None:
        """Tell of changes in how a layer looks, also of one that a widget of before has made."""
        if layer not in self._followed:
            self._followed.add(layer)
            for name in _LOOK_EVENTS:
                getattr(layer.events, name).connect(self._note_look)

    def _note_look(self, _: object = None) -> None:
        self.changed.emit()

    def _find(self, image: Image, index: Index, kind: str) -> Image | None:
        layer = self._session.output(image, (kind, index))
        return layer if isinstance(layer, Image) and layer in self._viewer.layers else None

    def _pixels(self, kind: str) -> NDArray[np.float32] | None:
        last = self.last
        if last is None:
            return None
        result = last.outcome.result
        if kind == INITIAL:
            # Without a refinement there is nothing to compare.
            return None if result.initial_alpha is result.alpha else result.initial_alpha
        maps = {VIOLATION: result.violation, UNCERTAINTY: result.uncertainty}
        return maps.get(kind)
