"""A run's folder: events whole line by line, a stop that is asked for in three ways, and no litter."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from lsa_engine.training.runs import EventLog, StopRequest, clean_up, read_events, request_stop


def test_events_are_read_on_from_where_one_stopped(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    assert read_events(tmp_path) == ([], 0)
    log.write("started", step=0)
    first, offset = read_events(tmp_path)
    assert [event["event"] for event in first] == ["started"]
    log.write("step", step=10, loss=0.5)
    second, offset = read_events(tmp_path, offset)
    assert [(event["event"], event["loss"]) for event in second] == [("step", 0.5)]
    assert read_events(tmp_path, offset) == ([], offset)


def test_a_line_that_is_still_being_written_waits(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "started"}\n{"event": "st')
    events, offset = read_events(tmp_path)
    assert events == [{"event": "started"}]
    with path.open("a") as file:
        file.write('ep"}\n')
    assert read_events(tmp_path, offset)[0] == [{"event": "step"}]


def test_rewinding_drops_later_steps_and_a_torn_line(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    for step in (10, 20, 30):
        log.write("step", step=step)
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"event": "st')
    log.rewind(20)
    log.write("started", step=20)
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [10, 20, 20]


def test_a_stop_file_is_seen_and_removed_afterwards(tmp_path: Path) -> None:
    request_stop(tmp_path)
    with StopRequest(tmp_path) as stop:
        assert not stop  # an old request is not meant for this run
        request_stop(tmp_path)
        assert stop
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_for_a_stop_and_the_old_handler_comes_back(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest(tmp_path) as stop:
        os.kill(os.getpid(), number)
        assert stop
    assert signal.getsignal(number) is before


def test_in_another_thread_signals_are_left_alone(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def run() -> None:
        with StopRequest(tmp_path) as stop:
            seen.append((bool(stop), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


def test_cleaning_up_removes_what_a_killed_run_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "validation").mkdir()
    kept = ["checkpoint.pt", "recipe.toml", "validation/000010.png"]
    litter = [".0a1b.part.pt", "events.part", "validation/.2c3d.part.png"]
    for name in (*kept, *litter, "events.jsonl"):
        (tmp_path / name).write_bytes(b"x")
    clean_up(tmp_path, keep_events=True)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {*kept, "events.jsonl"}
    clean_up(tmp_path, keep_events=False)
    assert not (tmp_path / "events.jsonl").exists()
