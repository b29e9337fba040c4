"""A run as a process of its own, and what can be known of it from its folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lsa_engine.errors import FileError
from napari_lsa_matting.training_run import LOG_FILE, RunLog, can_resume, has_events, last_words, launch
from watchdog import Watchdog


def write(folder: Path, *events: dict[str, Any], mode: str = "a") -> None:
    with (folder / "events.jsonl").open(mode) as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


STARTED = {"event": "started", "time": 1000.0, "step": 0, "steps": 100}


def step(number: int, loss: float) -> dict[str, Any]:
    return {"event": "step", "time": 1000.0 + 2 * number, "step": number, "loss": loss}


def test_a_folder_without_events_is_waited_for(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    assert not log.update()
    assert log.state == "waiting"
    assert not has_events(tmp_path)


def test_events_become_curves_and_a_time_left(tmp_path: Path) -> None:
    write(tmp_path, STARTED, step(10, 0.5))
    log = RunLog(tmp_path)
    assert log.update()
    assert (log.state, log.steps, log.step) == ("running", 100, 10)
    assert log.remaining_seconds == pytest.approx(180)
    picture = {"event": "validation", "time": 1050.0, "step": 20, "sad": 1.5, "image": "validation/000020.png"}
    write(tmp_path, step(20, 0.4), picture)
    assert log.update()
    assert log.losses == [(10, 0.5), (20, 0.4)]
    assert log.scores == [(20, 1.5)]
    assert log.picture == tmp_path / "validation" / "000020.png"
    assert not log.update()


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_the_last_event_says_how_a_run_ended(tmp_path: Path, state: str) -> None:
    write(tmp_path, STARTED, step(10, 0.5), {"event": state, "time": 1030.0, "step": 12, "message": "So it is."})
    log = RunLog(tmp_path)
    log.update()
    assert (log.state, log.message, log.step) == (state, "So it is.", 12)
    assert log.remaining_seconds is None


def test_a_resumed_run_is_read_anew(tmp_path: Path) -> None:
    write(tmp_path, STARTED, step(10, 0.5), step(20, 0.4), {"event": "stopped", "time": 1041.0, "step": 20})
    log = RunLog(tmp_path)
    log.update()
    # What the trainer does: drop what follows the checkpoint, in a new file, and go on from there.
    os.replace(_file_with(tmp_path, STARTED, step(10, 0.5)), tmp_path / "events.jsonl")
    write(tmp_path, {"event": "started", "time": 2000.0, "step": 10, "steps": 100}, step(20, 0.45), step(30, 0.3))
    log.update()
    assert log.state == "running"
    assert log.losses == [(10, 0.5), (20, 0.45), (30, 0.3)]


def stand_in(folder: Path) -> Path:
    """Return where a stand-in for `lsa train` lies that says who leads its session, and waits."""
    package = folder / "fake" / "lsa_engine"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import os, sys, time\nprint(os.getpid(), os.getsid(0), *sys.argv[1:], flush=True)\ntime.sleep(600)\n"
    )
    return package.parent


def first_words(folder: Path) -> str:
    """Wait until a run has printed something, and return it."""
    for _ in range(600):
        if words := last_words(folder):
            return words
        time.sleep(0.1)
    pytest.fail("The run has said nothing in a minute.")


def test_a_run_goes_on_when_the_process_that_launched_it_ends(tmp_path: Path) -> None:
    script = (
        "from napari_lsa_matting.training_run import launch\n"
        "import os\n"
        f"os.environ['PYTHONPATH'] = {str(stand_in(tmp_path))!r}\n"
        f"print(launch('quick', {str(tmp_path)!r}, {str(tmp_path / 'run')!r}, 'cpu', resume=True).pid)\n"
    )
    launcher = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    pid = int(launcher.stdout)
    try:
        own, session, *arguments = first_words(tmp_path / "run").split()
        assert int(own) == int(session) == pid
        assert arguments == [
            *("train", "quick", "--output", str(tmp_path / "run"), "--data", str(tmp_path)),
            *("--device", "cpu", "--resume"),
        ]
        os.kill(pid, 0)  # still there
    finally:
        os.kill(pid, 9)


def test_runs_of_tests_that_are_killed_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(stand_in(tmp_path)))
    mine, other = tmp_path / "mine", tmp_path / "other"
    runs = [launch("quick", tmp_path, folder / "run", "cpu", resume=False) for folder in (mine, other)]
    try:
        for folder in (mine, other):
            first_words(folder / "run")
        Watchdog(mine).dismiss()
        assert runs[0].poll() is None
        Watchdog(mine).let_go()
        assert runs[0].wait(60) != 0
        assert runs[1].poll() is None
    finally:
        for run in runs:
            run.kill()
            run.wait()


def test_an_output_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="choose a folder that can be written to"):
        launch("quick", tmp_path, tmp_path / "file" / "run", "cpu", resume=False)


def test_the_last_words_skip_what_a_progress_bar_overwrote(tmp_path: Path) -> None:
    assert last_words(tmp_path) == ""
    (tmp_path / LOG_FILE).write_text("step 1\rstep 2\nlsa: There is no data.\n\n")
    assert last_words(tmp_path) == "lsa: There is no data."


def test_only_a_checkpoint_can_be_resumed(tmp_path: Path) -> None:
    write(tmp_path, STARTED)
    assert not can_resume(tmp_path)
    (tmp_path / "checkpoint.pt").touch()
    assert can_resume(tmp_path)


def _file_with(folder: Path, *events: dict[str, Any]) -> Path:
    other = folder / "new"
    other.mkdir()
    write(other, *events, mode="w")
    return other / "events.jsonl"
