"""Questions that only count until the next one is asked, answered in a worker one at a time."""

from __future__ import annotations

from typing import Any, Protocol

from qtpy.QtCore import QObject, Signal

from lsa_engine.progress import CancelToken, ProgressCallback
from napari_lsa_matting.jobs import Job


class Request(Protocol):
    """Work, collected on the main thread."""

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> Any:
        """Return the answer."""


class LatestJob(QObject):
    """Answers requests one at a time; of those made meanwhile only the last.

    Parameters
    ----------
    title : str
        What is done, for a person.
    parent : QObject
        Owner; takes the work along when it goes.
    """

    answered = Signal(object, object)
    """The request that was made last, and its answer."""
    failed = Signal(object)
    """The exception that ended a request."""

    def __init__(self, title: str, parent: QObject) -> None:
        super().__init__(parent)
        self._title = title
        self._job: Job | None = None
        self._next: Request | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way."""
        return self._job is not None

    def ask(self, request: Request) -> None:
        """Answer a request, now or after the one that is being answered."""
        self._next = request
        if self._job is None:
            self._start()

    def drop(self) -> None:
        """Answer nothing more, and say nothing of what is being answered."""
        self._next = None
        if self._job is not None:
            self._job.cancel()

    def _start(self) -> None:
        request, self._next = self._next, None
        if request is None:
            return
        job = self._job = Job(self._title, request.run, self)
        # Not holding the job: a cycle would be freed by whatever thread collects garbage, and Qt crashes.
        job.succeeded.connect(lambda answer: self._pass_on(request, answer))
        job.failed.connect(self.failed)
        job.ended.connect(self._end)
        job.start()

    def _pass_on(self, request: Request, answer: object) -> None:
        if self._next is None:
            self.answered.emit(request, answer)

    def _end(self) -> None:
        self._job = None
        self._start()
