"""A terminal's progress bar, fed by the engine's progress callback."""

from __future__ import annotations

import shutil
import sys
import threading
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tqdm import tqdm

    from lsa_engine.progress import Progress

# No counts: some operations count pixels.
_BAR = "{desc}: {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]"


class ProgressBar:
    """Show how far an operation has come, once it takes longer than a second.

    An instance is the callable that the engine's functions take as `progress`; leaving the ``with`` block removes the
    bar. A step may take many seconds, so the bar is redrawn by a thread of its own: the clock in it runs on.

    Parameters
    ----------
    stream : text stream, optional
        Where to draw; standard error by default. Nothing is drawn where that is not a terminal.
    delay : float
        Seconds before a bar appears.
    """

    def __init__(self, stream: IO[str] | None = None, delay: float = 1.0) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._delay = delay
        self._lock = threading.Lock()
        self._drawing = threading.Lock()
        self._latest: Progress | None = None
        self._bar: tqdm | None = None
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._keep_drawing, name="progress-bar", daemon=True)

    def __enter__(self) -> Self:
        if self._stream.isatty():
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._bar is not None:
            self._bar.close()

    def __call__(self, progress: Progress) -> None:
        """Take note of what the engine reports; the thread draws it."""
        with self._lock:
            self._latest = progress

    def print(self, line: str, stream: IO[str] | None = None) -> None:
        """Print a line, on standard output by default, above the bar."""
        with self._drawing:
            if self._bar is not None:
                self._bar.clear()
            print(line, file=stream, flush=self._bar is not None)
            if self._bar is not None:
                self._bar.refresh()

    def _keep_drawing(self) -> None:
        # The first second passes without a bar: most operations are over by then.
        pause = self._delay
        while not self._left.wait(pause):
            pause = 0.2
            with self._lock:
                latest = self._latest
            if latest is not None:
                with self._drawing:
                    self._draw(latest)

    def _draw(self, latest: Progress) -> None:
        from tqdm import tqdm

        if self._bar is None:
            # Left to itself, tqdm draws nothing on a terminal that says it is 0 × 0 (in containers); this says 80 × 24.
            columns, rows = shutil.get_terminal_size()
            self._bar = tqdm(
                desc=latest.message,
                total=latest.total,
                file=self._stream,
                leave=False,
                bar_format=_BAR,
                ncols=columns - 1,
                nrows=rows,
            )
            self._bar.start_t -= self._delay
        elif latest.total != self._bar.total or latest.done < self._bar.n:
            self._bar.reset(latest.total)  # the next operation of the same command
        self._bar.set_description_str(latest.message, refresh=False)
        self._bar.n = latest.done
        self._bar.refresh()
