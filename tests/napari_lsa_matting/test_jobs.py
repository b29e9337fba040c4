"""Background work."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest
from napari._qt.dialogs.qt_notification import NapariQtNotification
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QPushButton

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, Progress, ProgressCallback, Steps
from napari_lsa_matting import jobs
from napari_lsa_matting.jobs import Job
from napari_lsa_matting.notifications import notify_error


@pytest.fixture
def parent(qtbot: Any) -> QObject:
    return QObject()


def endless(progress: ProgressCallback, cancel: CancelToken) -> None:
    """Work until somebody stops it."""
    steps = Steps("working", 10**6, progress, cancel)
    while True:
        time.sleep(0.005)
        steps.advance()


def run(qtbot: Any, job: Job) -> None:
    with qtbot.waitSignal(job.ended):
        job.start()


def test_the_work_runs_in_another_thread_and_answers_on_the_main_one(qtbot: Any, parent: QObject) -> None:
    threads = []

    def work(progress: ProgressCallback, cancel: CancelToken) -> int:
        threads.append(threading.current_thread())
        return 42

    answers = []
    job = Job("a sum", work, parent)
    job.succeeded.connect(lambda value: answers.append((value, threading.current_thread())))
    run(qtbot, job)
    assert answers == [(42, threading.main_thread())]
    assert threads[0] is not threading.main_thread()


def test_a_job_that_is_to_start_soon_waits_for_the_event_loop(qtbot: Any, parent: QObject) -> None:
    begun = threading.Event()
    job = Job("soon", lambda *_: begun.set(), parent)
    with qtbot.waitSignal(job.ended):
        job.start_soon()
        assert not begun.wait(0.2)
    assert begun.is_set()


def test_an_error_travels_to_the_main_thread_as_it_is(qtbot: Any, parent: QObject) -> None:
    def work(progress: ProgressCallback, cancel: CancelToken) -> None:
        raise InputError("The image is too green.")

    errors: list[Exception] = []
    values: list[Any] = []
    job = Job("a failure", work, parent)
    job.failed.connect(errors.append)
    job.succeeded.connect(values.append)
    run(qtbot, job)
    assert [str(error) for error in errors] == ["The image is too green."]
    assert isinstance(errors[0], InputError)
    assert values == []


def test_cancel_ends_the_work_and_delivers_nothing(qtbot: Any, parent: QObject) -> None:
    delivered: list[Any] = []
    seen: list[Progress] = []
    job = Job("a long one", endless, parent)
    job.succeeded.connect(delivered.append)
    job.failed.connect(delivered.append)
    job.progressed.connect(seen.append)
    job.start()
    qtbot.waitUntil(lambda: len(seen) > 0)
    with qtbot.waitSignal(job.ended):
        job.cancel()
    assert delivered == []


def test_a_result_that_comes_after_cancel_is_dropped(qtbot: Any, parent: QObject) -> None:
    go_on = threading.Event()
    delivered: list[Any] = []
    job = Job("deaf to cancel", lambda progress, cancel: go_on.wait(60), parent)
    job.succeeded.connect(delivered.append)
    job.start()
    job.cancel()
    with qtbot.waitSignal(job.ended):
        go_on.set()
    assert delivered == []


def test_progress_reaches_the_main_thread_without_flooding_it(qtbot: Any, parent: QObject) -> None:
    seen: list[Progress] = []
    enough = threading.Event()

    def work(progress: ProgressCallback, cancel: CancelToken) -> None:
        steps = Steps("counting", 10**9, progress, cancel)
        while not enough.wait(0.0001):
            steps.advance()

    def see(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 4:
            enough.set()

    job = Job("many steps", work, parent)
    job.progressed.connect(see)
    start = time.perf_counter()
    try:
        run(qtbot, job)
    finally:
        enough.set()
    assert 4 <= len(seen) <= (time.perf_counter() - start) / 0.08 + 1
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)


def test_no_progress_is_told_after_the_result(qtbot: Any, parent: QObject, monkeypatch: pytest.MonkeyPatch) -> None:
    class HeldUp(jobs._Worker):
        """A worker that lets the main thread look for progress between the result and the end, as a busy machine."""

        def __init__(self, errand: Any) -> None:
            super().__init__(errand)
            self.finished.connect(lambda: time.sleep(0.3), Qt.ConnectionType.DirectConnection)

    monkeypatch.setattr(jobs, "_Worker", HeldUp)
    told: list[str] = []

    def work(progress: ProgressCallback, cancel: CancelToken) -> str:
        Steps("refining", 1, progress, cancel).finish()
        return "the matte"

    job = Job("a short one", work, parent)
    job.progressed.connect(lambda progress: told.append(progress.message))
    job.succeeded.connect(told.append)
    run(qtbot, job)
    assert told == ["the matte"]


def test_a_parent_that_goes_away_takes_its_job_along(qtbot: Any, parent: QObject) -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(progress: ProgressCallback, cancel: CancelToken) -> None:
        begun.set()
        try:
            endless(progress, cancel)
        finally:
            ended.set()

    job = Job("an orphan", work, parent)
    job.start()
    qtbot.waitUntil(begun.is_set)
    parent.deleteLater()
    qtbot.waitUntil(ended.is_set)


_BEGUN_AS_WINDOWS_CLOSE = """
import gc, itertools, threading, time
from qtpy.QtCore import QEvent, QThreadPool
from qtpy.QtWidgets import QApplication, QMainWindow, QWidget
from napari_lsa_matting.jobs import Job

gc.disable()  # what is collected, and when, is told below
app = QApplication([])
ended = []

class Window(QMainWindow):
    def __init__(self, in_circle):
        super().__init__()
        self.in_circle = in_circle
        self.setCentralWidget(QWidget())

    def closeEvent(self, event):
        begun = threading.Event()
        job = Job("a check", lambda progress, cancel: work_until_cancelled(begun, cancel), self.centralWidget())
        if self.in_circle:
            # So the collector empties what hangs on the job first, and destroys the window last.
            circle = [self]
            circle.append(circle)
            job.circle = circle
        job.start()
        begun.wait()
        super().closeEvent(event)

def work_until_cancelled(begun, cancel):
    begun.set()
    while not cancel.cancelled:
        time.sleep(0.005)
    ended.append(cancel)

def open_and_close(in_circle, by_qt):
    window = Window(in_circle)
    window.show()
    app.processEvents()
    window.close()
    if by_qt:
        window.deleteLater()

for in_circle, by_qt in 3 * list(itertools.product([True, False], repeat=2)):
    open_and_close(in_circle, by_qt)
    app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()
    QThreadPool.globalInstance().waitForDone()
    app.processEvents()
print(len(ended), "ended")
"""


def test_a_job_begun_as_its_window_closes_ends_with_it_whoever_destroys_the_window() -> None:
    result = subprocess.run(
        [sys.executable, "-c", _BEGUN_AS_WINDOWS_CLOSE], capture_output=True, text=True, timeout=900
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "12 ended\n"


def test_past_jobs_do_not_keep_their_pictures(qtbot: Any, parent: QObject) -> None:
    class Picture(np.ndarray):
        """An array that can be referred to weakly."""

    picture = np.zeros((4, 4)).view(Picture)
    gone = weakref.ref(picture)
    job = Job("with a picture", lambda progress, cancel, picture=picture: float(picture.sum()), parent)
    del picture
    run(qtbot, job)
    qtbot.waitUntil(lambda: not gc.collect() or gone() is None)
    assert gone() is None


def test_errors_become_napari_notifications(notifications: list[str]) -> None:
    notify_error(InputError("The trimap is upside down: turn it."))
    assert notifications == ["The trimap is upside down: turn it."]


def test_the_traceback_of_an_error_stands_behind_a_button(make_napari_viewer_proxy: Any, qtbot: Any) -> None:
    make_napari_viewer_proxy()
    shown: list[Any] = []

    def turn_upside_down() -> None:
        raise InputError("The trimap is upside down: turn it.")

    notification_manager.notification_ready.connect(shown.append)
    try:
        turn_upside_down()
    except InputError as error:
        notify_error(error)
    finally:
        notification_manager.notification_ready.disconnect(shown.append)
    (notification,) = shown
    assert "turn_upside_down" in notification.as_text()
    popup = NapariQtNotification.from_notification(notification)
    qtbot.addWidget(popup)
    assert [button.text() for button in popup.findChildren(QPushButton) if "Traceback" in button.text()]
