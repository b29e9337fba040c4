"""Work on the rows of an image in bands, side by side in threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise
from typing import Any, Self

_PARALLEL_FROM = 1 << 18
_PIECE = 1 << 23


class Bands:
    """Run loops over rows in bands, side by side.

    Parameters
    ----------
    check : callable
        Called between bands of large work; may raise to stop.
    threads : int, optional
        Number of threads; as many as the processor lets this process use by default.
    """

    def __init__(self, check: Callable[[], None] = lambda: None, threads: int | None = None) -> None:
        self._check = check
        self._threads = threads or usable_cores()
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 else None

    def edges(self, rows: int, work: int, least: int = 1) -> list[int]:
        """Return the rows at which bands of `least` rows or more begin, and the end, for so much work in all."""
        if work < _PARALLEL_FROM:
            return [0, rows]
        count = max(1, min(rows // least, self._threads * -(-work // (_PIECE * self._threads))))
        return [rows * i // count for i in range(count + 1)]

    def run(
        self, loop: Callable[..., Any], rows: int, work: int, *arguments: Any, edges: Sequence[int] | None = None
    ) -> float:
        """Call ``loop(*arguments, top, bottom)`` for bands of `rows`; return the sum of what it returns.

        Parameters
        ----------
        loop : callable
            Returns a number or None.
        rows, work : int
            Number of rows, and of values in them: little work is done in one band, in this thread.
        *arguments
            What the loop takes first.
        edges : sequence of int, optional
            As from :meth:`edges`, which is the default.
        """
        edges = self.edges(rows, work) if edges is None else edges
        if len(edges) == 2:
            if work >= _PARALLEL_FROM:
                self._check()
            return loop(*arguments, 0, rows) or 0.0
        self._check()
        bands = list(pairwise(edges))
        if self._pool is None:
            return sum(self._after_check(loop, *arguments, *band) for band in bands)
        pending = [self._pool.submit(self._after_check, loop, *arguments, *band) for band in bands]
        try:
            return sum(band.result() for band in pending)
        finally:
            wait([band for band in pending if not band.cancel()])

    def _after_check(self, loop: Callable[..., Any], *arguments: Any) -> float:
        self._check()
        return loop(*arguments) or 0.0

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()


def usable_cores() -> int:
    """Return the number of processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux tells
        return os.cpu_count() or 1
