"""The event loop, watched: how long it was held up, and how long the main thread itself worked meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

_EVERY_MS = 2


class Gap(NamedTuple):
    """The time between two calls of a timer, in milliseconds.

    Attributes
    ----------
    clock : float
        As it passed.
    work : float
        What the processor spent on the main thread: waiting for other threads and programs is not in it.
    """

    clock: float
    work: float


class Gaps:
    """Notes the times between the calls of a timer in the event loop of this thread."""

    def __init__(self) -> None:
        self.seen: list[Gap] = []
        self._last = _now()
        self._timer = QTimer()
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._note)
        self._timer.start()

    def restart(self) -> list[Gap]:
        """Return what was noted, and forget it."""
        seen, self.seen = self.seen, []
        self._last = _now()
        return seen

    def stop(self) -> list[Gap]:
        """Note no more, and return what was noted."""
        self._timer.stop()
        return self.seen

    def _note(self) -> None:
        now = _now()
        self.seen.append(Gap(now.clock - self._last.clock, now.work - self._last.work))
        self._last = now


def longest(gaps: list[Gap]) -> Gap:
    """Return the longest time by the clock and the most work, which need not be of the same gap."""
    return Gap(max((gap.clock for gap in gaps), default=0.0), max((gap.work for gap in gaps), default=0.0))


def process_events(seconds: float) -> None:
    """Let the event loop run."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.001)


def wait_until(condition: Callable[[], bool]) -> float:
    """Let the event loop run until something is so; return how long that took in seconds."""
    begin = time.perf_counter()
    while not condition():
        QApplication.processEvents()
        time.sleep(0.001)
    return time.perf_counter() - begin


def _now() -> Gap:
    return Gap(1000 * time.perf_counter(), 1000 * time.thread_time())
