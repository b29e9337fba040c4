"""What a viewer remembers between runs: the network in use, and which layers its runs have made."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import unwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_lsa_matting.loading import NETWORK, load

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from lsa_engine.inference.matter import Matter
    from napari_lsa_matting.channels import Channels
    from napari_lsa_matting.live_state import LiveState

_LOOK_EVERY_S = 0.05
_SESSIONS: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


def session_of(viewer: ViewerModel) -> Session:
    """Return the session of a viewer, which ends with it.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer, or napari's public proxy of it.
    """
    return _SESSIONS.setdefault(unwrap(viewer), Session())


class Session:
    """State of one viewer.

    Attributes
    ----------
    live : LiveState or None
        What the network has in hand for live correction; only for the thread that has the network.
    trained : list of str
        Weights files that a training run has made and the user wants to use, the latest last.
    channels : WeakKeyDictionary of Layer to Channels or None
        How the user has said that the channels of images are read.
    """

    weights_offered = Signal(str)
    """A weights file that the widgets of this viewer are to use."""
    channels_chosen = Signal()
    """The user has said how the channels of an image are read."""

    def __init__(self) -> None:
        self.trained: list[str] = []
        self.channels: weakref.WeakKeyDictionary[Layer, Channels | None] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._matter: Matter | None = None
        self._key: tuple[object, ...] = ()
        self.live: LiveState | None = None
        # The source layer → what its output is for → the output layer; all weak, so that deleted layers are freed.
        self._outputs: weakref.WeakKeyDictionary[Layer, dict[object, weakref.ref[Layer]]] = weakref.WeakKeyDictionary()

    @contextmanager
    def matter(
        self, weights: str, device: str, dtype: str = "auto", check: Callable[[], None] = lambda: None
    ) -> Iterator[Matter]:
        """Lend the network with these weights on this device; it is loaded only if it is not the one in use.

        Called in a worker thread. One thread at a time has it, others wait.

        Parameters
        ----------
        weights : str
            Name of installed weights, or path of a weights file.
        device, dtype : str
            As in :class:`lsa_engine.Matter`.
        check : callable
            Called while another thread has it; may raise to give up.

        Raises
        ------
        WeightsError, InputError
            As :class:`lsa_engine.Matter`.
        """
        load(NETWORK)
        from lsa_engine.inference.matter import Matter
        from lsa_engine.weights.registry import find_weights
        from napari_lsa_matting.settings import read_settings

        while not self._lock.acquire(timeout=_LOOK_EVERY_S):
            check()
        try:
            path = find_weights(weights)
            limit = read_settings().memory_limit
            key = (path, path.stat().st_mtime_ns, device, dtype, limit)
            if self._matter is None or key != self._key:
                if self._matter is not None:
                    self._matter.close()
                self._matter = self.live = None
                self._matter, self._key = Matter(path, device=device, dtype=dtype, memory_limit=limit), key
            yield self._matter
        finally:
            self._lock.release()

    def offer_weights(self, path: str | Path) -> None:
        """Let the widgets that choose weights, open now or later, use this file."""
        name = str(path)
        self.trained = [*(file for file in self.trained if file != name), name]
        self.weights_offered.emit(name)

    def choose_channels(self, image: Layer, channels: Channels | None) -> None:
        """Let the widgets of this viewer read the channels of an image in this way."""
        self.channels[image] = channels
        self.channels_chosen.emit()

    def remember_output(self, source: Layer, purpose: object, output: Layer) -> None:
        """Note that `output` was made from `source`, so that a later run can update it in place."""
        self._outputs.setdefault(source, {})[purpose] = weakref.ref(output)

    def output(self, source: Layer, purpose: object) -> Layer | None:
        """Return the layer that an earlier run has made from `source` for this purpose, or None."""
        reference = self._outputs.get(source, {}).get(purpose)
        return None if reference is None else reference()
