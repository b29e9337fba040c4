"""Background work: a job runs in napari's thread pool and answers on the main thread."""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import FunctionWorker
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer, Signal

from lsa_engine.errors import Cancelled
from lsa_engine.progress import CancelToken, Progress, ProgressCallback

Work = Callable[[ProgressCallback, CancelToken], Any]

_LOG = logging.getLogger(__name__)
_LOOK_EVERY_MS = 80
_WAIT_AT_EXIT_MS = 20_000


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What a job came to: a value, or the error that ended it."""

    value: Any = None
    error: Exception | None = None


class _Token(CancelToken):
    """A flag that is set, too, once Qt has destroyed what the work is for.

    That is asked by who looks at it. Told by the signal `destroyed` it was a call into Python from the midst of a
    window's end, and where Python's garbage collector ends a window, it may have emptied before what is to be called:
    PyQt crashes then.

    Parameters
    ----------
    part : QObject
        A child of the job, which goes with it; not the job, which whoever runs the work must not hold.
    """

    def __init__(self, part: QObject) -> None:
        super().__init__()
        self._part = part

    @property
    def cancelled(self) -> bool:
        """Whether the work was asked to stop, or nobody waits for it any more."""
        return super().cancelled or not isalive(self._part)


class _Errand:
    """What the worker thread calls; lets go of its work afterwards, whoever still holds the worker."""

    def __init__(self, title: str, work: Work, cancel: CancelToken) -> None:
        self.cancel = cancel
        self.latest: Progress | None = None
        self._title = title
        self._work: Work | None = work

    def __call__(self) -> _Outcome:
        work, self._work = self._work, None
        if work is None or self.cancel.cancelled:
            return _Outcome()
        begin = time.perf_counter()
        try:
            return _Outcome(work(self._keep, self.cancel))
        except Cancelled:
            return _Outcome()
        except Exception as error:  # noqa: BLE001 (the door of a thread: the error travels to the main thread)
            return _Outcome(error=error)
        finally:
            _LOG.debug("%s: %.2f s", self._title, time.perf_counter() - begin)

    def _keep(self, progress: Progress) -> None:
        self.latest = progress


class _Worker(FunctionWorker):
    """A worker that hands napari's request to quit (the application is closing) on to the engine.

    Not made by napari's ``create_worker``, which notes every worker, for good, with the viewer whose window is active
    now: that may be another one, and its closing would end the work of this one.
    """

    def __init__(self, errand: _Errand) -> None:
        super().__init__(errand)
        self._errand = errand

    def quit(self) -> None:
        self._errand.cancel.cancel()
        super().quit()


def _wait_for_workers() -> None:
    """Let workers stop before Python takes Qt down: napari waits after its event loop, which a script may not have."""
    with suppress(RuntimeError):  # they take too long
        _Worker.await_workers(_WAIT_AT_EXIT_MS)


atexit.register(_wait_for_workers)


class Job(QObject):
    """One piece of work in another thread.

    The work gets a progress callback and a cancel token. It must not touch layers or widgets: everything it needs is
    collected before, on the main thread, and its result is handed out by a signal, also on the main thread. If the
    parent is destroyed (the viewer is closed), the work is cancelled and nothing is delivered.

    Parameters
    ----------
    title : str
        What is done; the log says how long it took.
    work : callable
        ``work(progress, cancel)``; what it returns goes to `succeeded`.
    parent : QObject
        Owner, usually the widget that started the job.
    """

    progressed = Signal(object)
    """A :class:`~lsa_engine.progress.Progress`, at most every 80 ms."""
    succeeded = Signal(object)
    """What the work returned; not emitted for a cancelled job."""
    failed = Signal(object)
    """The exception that ended the work."""
    ended = Signal()
    """The thread is done, whatever came of it; the last signal of a job."""

    def __init__(self, title: str, work: Work, parent: QObject) -> None:
        super().__init__(parent)
        self._shown: Progress | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.timeout.connect(self._look)
        self._errand = _Errand(title, work, _Token(self._timer))

    @property
    def cancelled(self) -> bool:
        """Whether the job was asked to stop."""
        return self._errand.cancel.cancelled

    def start(self) -> None:
        """Begin."""
        worker = _Worker(self._errand)
        worker.returned.connect(self._receive)
        worker.finished.connect(self._finish)
        self._timer.start()
        worker.start()

    def start_soon(self) -> None:
        """Begin when what goes on in the window is done: a widget that is being opened is shown first."""
        soon = QTimer(self)
        soon.setSingleShot(True)
        soon.timeout.connect(self.start)
        soon.start(0)

    def cancel(self) -> None:
        """Ask the work to stop; its result, should there still be one, is dropped."""
        self._errand.cancel.cancel()

    def _look(self) -> None:
        latest = self._errand.latest
        if latest is not None and latest is not self._shown and not self.cancelled:
            self._shown = latest
            self.progressed.emit(latest)

    def _receive(self, outcome: _Outcome) -> None:
        self._timer.stop()  # progress that is told after the result would stay: nothing is said once the job has ended
        if self.cancelled:
            return
        if outcome.error is not None:
            self.failed.emit(outcome.error)
        else:
            self.succeeded.emit(outcome.value)

    def _finish(self) -> None:
        self._timer.stop()
        self.ended.emit()
        self.deleteLater()
