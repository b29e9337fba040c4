"""A combo box of the viewer's layers of one kind, which follows the layer list and the layer chosen."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from psygnal import Signal

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

# Whatever can change what a run would see. Layers lack some of these.
_EVENTS = (
    "data",
    "set_data",
    "labels_update",
    "paint",
    "contrast_limits",
    "scale",
    "translate",
    "rotate",
    "shear",
    "affine",
    "units",
    "axis_labels",
)


class LayerChoice(ComboBox):
    """Choose one of the viewer's layers.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Whose layers.
    accepts : callable
        Tells whether a layer is one of the choices.
    prefers : callable, optional
        Tells whether a layer is to be chosen when it is added.
    **settings
        As for :class:`magicgui.widgets.ComboBox`.
    """

    null_string = "none"
    """What stands for no layer, where none need be chosen."""

    edited = Signal()
    """The layer chosen has changed: its pixels, range or place."""

    def __init__(
        self,
        viewer: ViewerModel,
        accepts: Callable[[Layer], bool],
        prefers: Callable[[Layer], bool] = lambda layer: False,
        **settings: Any,
    ) -> None:
        self._viewer = viewer
        self._accepts = accepts
        self._prefers = prefers
        self._followed: Layer | None = None
        super().__init__(choices=self._layers, **settings)
        for event in self._list_events():
            event.connect(self._update)
        viewer.layers.events.inserted.connect(self._choose_new)
        self.changed.connect(self._follow)
        self._update()
        preferred = [layer for layer in self.choices if layer is not None and prefers(layer)]
        if preferred:
            self.value = preferred[0]  # on top: the newest, as if this had been there when it was added
        self._follow()
        self.native.destroyed.connect(self.let_go)

    @property
    def layer(self) -> Any:
        """The layer chosen, or None if there is none."""
        return self.value

    def let_go(self, *_: object) -> None:
        """Stop to follow the viewer and its layers."""
        for event in self._list_events():
            event.disconnect(self._update)
        self._viewer.layers.events.inserted.disconnect(self._choose_new)
        self._unfollow()

    def _list_events(self) -> tuple[Any, ...]:
        events = self._viewer.layers.events
        return events.inserted, events.removed, events.reordered, events.renamed

    def _layers(self, _: object = None) -> list[tuple[str, Layer]]:
        # napari's public proxies do not compare equal inside Qt's items, so the layers themselves go there. The last
        # layer is on top in the viewer, and comes first here.
        layers = [unwrap(layer) for layer in self._viewer.layers]
        return [(layer.name, layer) for layer in reversed(layers) if self._accepts(layer)]

    def _update(self, event: object = None) -> None:
        """Take the choices anew; the layer chosen stays so under its new name."""
        chosen = self.value
        with self.changed.blocked():
            self.choices = ()  # magicgui appends what is new, whatever its order
            self.reset_choices()
            if chosen is not None and chosen in self.choices:
                self.value = chosen
        if self.value is not chosen:
            self.changed.emit(self.value)

    def _choose_new(self, event: Any) -> None:
        layer: Layer = unwrap(event.value)
        if self._accepts(layer) and self._prefers(layer):
            self.value = layer

    def _follow(self, _: object = None) -> None:
        layer = self.layer
        if layer is self._followed:
            return
        self._unfollow()
        self._followed = layer
        for emitter in self._followed_events():
            emitter.connect(self._report)

    def _unfollow(self) -> None:
        for emitter in self._followed_events():
            emitter.disconnect(self._report)
        self._followed = None

    def _followed_events(self) -> list[Any]:
        if self._followed is None:
            return []
        events = self._followed.events
        return [getattr(events, name) for name in _EVENTS if name in events.emitters]

    def _report(self, event: object = None) -> None:
        self.edited.emit()
