"""Progress and cancellation as plain callables, so that the engine knows nothing of terminals or windows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from lsa_engine.errors import Cancelled


@dataclass(frozen=True)
class Progress:
    """How far an operation has come.

    Attributes
    ----------
    message : str
        What is being done, for a person ("encoding", "refining").
    done, total : int
        Steps finished, and steps in all (``total`` ≥ 1).
    seconds : float
        Wall time since the operation began.
    """

    message: str
    done: int
    total: int
    seconds: float

    @property
    def fraction(self) -> float:
        """Part done, in [0, 1]."""
        return min(1.0, self.done / max(1, self.total))

    @property
    def remaining_seconds(self) -> float | None:
        """Estimated time left, or None before the first step is done."""
        if self.done <= 0:
            return None
        return self.seconds * (self.total - self.done) / self.done


ProgressCallback = Callable[[Progress], None]


def unchecked() -> None:
    """Let work that may be asked to stop go on: a check that never raises."""


class CancelToken:
    """A flag that one thread sets and a long operation checks at least every 100 ms of work."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the operation to stop at its next check."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._event.is_set()


class Steps:
    """Count the steps of one operation: report each to `progress`, and stop when `cancel` says so.

    Parameters
    ----------
    message : str
        What is being done.
    total : int
        Number of steps.
    progress : callable, optional
        Receives a :class:`Progress` at the start and after every step.
    cancel : CancelToken, optional
        Checked at the start and after every step.

    Raises
    ------
    Cancelled
        From the constructor or any method, when the token is set.
    """

    def __init__(
        self, message: str, total: int, progress: ProgressCallback | None = None, cancel: CancelToken | None = None
    ) -> None:
        self._message = message
        self._total = max(1, total)
        self._progress = progress
        self._cancel = cancel
        self._done = 0
        self._start = time.perf_counter()
        self._report()

    def advance(self, steps: int = 1, message: str | None = None) -> None:
        """Record that `steps` more steps are done (never more than there are), optionally naming what comes next."""
        self._done = min(self._done + steps, self._total)
        if message is not None:
            self._message = message
        self._report()

    def reach(self, done: int) -> None:
        """Record that so many steps are done, some of which may not have been needed."""
        if self._done < min(done, self._total):
            self.advance(done - self._done)

    def finish(self) -> None:
        """Record that all steps are done."""
        self.reach(self._total)

    def check(self) -> None:
        """Raise :class:`~lsa_engine.errors.Cancelled` if the token is set."""
        if self._cancel is not None and self._cancel.cancelled:
            raise Cancelled(f"Cancelled while {self._message}; nothing was changed.")

    def _report(self) -> None:
        self.check()
        if self._progress is not None:
            seconds = time.perf_counter() - self._start
            self._progress(Progress(self._message, self._done, self._total, seconds))
