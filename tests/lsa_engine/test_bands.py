"""Bands of rows: every row once, sums kept, errors and requests to stop passed on."""

from __future__ import annotations

import numpy as np
import pytest

from lsa_engine.bands import Bands
from lsa_engine.errors import Cancelled


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsa_engine.bands._PARALLEL_FROM", 1)
    monkeypatch.setattr("lsa_engine.bands._PIECE", 10)


@pytest.mark.parametrize(("rows", "work", "threads"), [(1, 1, 1), (1, 1000, 4), (37, 400, 2), (37, 400, 1), (5, 9, 8)])
@pytest.mark.usefixtures("small_pieces")
def test_every_row_is_visited_once_and_sums_add_up(rows: int, work: int, threads: int) -> None:
    visits = np.zeros(rows, int)

    def loop(target: np.ndarray, top: int, bottom: int) -> float:
        target[top:bottom] += 1
        return float(bottom - top)

    with Bands(threads=threads) as bands:
        assert bands.run(loop, rows, work, visits) == rows
    assert visits.tolist() == [1] * rows


@pytest.mark.usefixtures("small_pieces")
def test_a_request_to_stop_is_heard_between_bands() -> None:
    done: list[int] = []

    def check() -> None:
        if len(done) >= 3:
            raise Cancelled("stop")

    with Bands(check, threads=2) as bands, pytest.raises(Cancelled):
        bands.run(lambda top, bottom: done.append(top), 100, 1000)
    assert 3 <= len(done) < 20


@pytest.mark.usefixtures("small_pieces")
def test_an_error_in_a_band_comes_out() -> None:
    def loop(top: int, bottom: int) -> None:
        raise ZeroDivisionError(f"{top}:{bottom}")

    with Bands(threads=2) as bands, pytest.raises(ZeroDivisionError):
        bands.run(loop, 100, 1000)


def test_small_work_runs_in_the_calling_thread_in_one_piece() -> None:
    seen: list[tuple[int, int]] = []
    with Bands(threads=4) as bands:
        assert bands.run(lambda top, bottom: seen.append((top, bottom)), 100, 1000) == 0
    assert seen == [(0, 100)]
