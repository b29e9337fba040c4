"""Layers that are slow to read, and whether the event loop goes on meanwhile."""

from __future__ import annotations

import threading
import time
from typing import Any

import dask.array as da
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

_ENOUGH_BEATS = 10
_STANDSTILL_S = 20.0
_PATIENCE_S = 300.0


class Heart:
    """Beats in the event loop: what holds that up is told from slow work beside it, however busy the machine is."""

    def __init__(self) -> None:
        self.beats = 0
        self._stopped = threading.Event()
        self.timer = QTimer()
        self.timer.setInterval(2)
        self.timer.timeout.connect(self._beat)
        self.timer.start()

    def stop(self) -> None:
        """Beat no more; nobody need wait for it then."""
        self.timer.stop()
        self._stopped.set()

    def sleep(self, seconds: float, *, patient: bool = True) -> int:
        """Sleep, and return how often it has beaten meanwhile.

        On a busy machine the event loop may get no turn for so long. Who is patient sleeps on until it has beaten some
        times, and gives up only on one that stands still.
        """
        before = self.beats
        time.sleep(seconds)
        if seconds > 0 and patient and threading.current_thread() is not threading.main_thread():
            end = time.monotonic() + _STANDSTILL_S
            while self.beats - before < _ENOUGH_BEATS and time.monotonic() < end and not self._stopped.wait(0.01):
                pass
        return self.beats - before

    def _beat(self) -> None:
        self.beats += 1


class Slow:
    """Lazy data of which a plane takes a while to read; what is read is noted, by whom, and the beats meanwhile."""

    def __init__(self, heart: Heart, pixels: NDArray[Any], seconds: float = 0.5) -> None:
        self.seconds = seconds
        self.readers: list[threading.Thread] = []
        self.sizes: list[int] = []
        self.beats: list[int] = []
        self._heart = heart
        self._patient = False  # napari may read at first, to show it
        self._held = 0
        self._go_on = threading.Event()
        self.fails = False
        chunks = (1, *pixels.shape[1:]) if pixels.ndim > 2 and pixels.shape[-1] > 4 else pixels.shape
        self.data = da.from_array(pixels, chunks=chunks).map_blocks(self._read, dtype=pixels.dtype)

    def forget(self) -> None:
        """Forget what was noted; what is read from now on waits for the event loop."""
        self._patient = True
        self.readers.clear()
        self.sizes.clear()
        self.beats.clear()

    def hold(self, number: int) -> None:
        """Forget what was noted, and let the reading of this number wait until it is let go: 1 is the next one."""
        self.forget()
        self._go_on.clear()
        self._held = number

    def let_go(self) -> None:
        """Let the reading that waits go on."""
        self._held = 0
        self._go_on.set()

    def _read(self, block: NDArray[Any]) -> NDArray[Any]:
        if self.fails:
            raise OSError("the server is gone")
        self.readers.append(threading.current_thread())
        self.sizes.append(len(block))
        if len(self.readers) == self._held:
            self._go_on.wait(_PATIENCE_S)
        self.beats.append(self._heart.sleep(self.seconds, patient=self._patient))
        return block
