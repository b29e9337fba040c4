"""Runs that are stopped, signalled and killed: they go on to the bit, and no broken file is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lsa_engine.progress import CancelToken
from lsa_engine.training.runs import read_events, request_stop
from lsa_engine.training.trainer import TrainingResult, train
from lsa_engine.weights import load_weights
from trainings import assert_same_state, assert_whole, at_step, checkpoint_of, events_of, numbers_of, tiny

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(
    tmp_path: Path, training_data: Path, whole_run: tuple[Path, TrainingResult], workers: int
) -> None:
    folder = tmp_path / "run"
    recipe = tiny(("workers = 0", f"workers = {workers}"))
    token = CancelToken()
    # Between two reports, and after them: neither may show in the curve.
    first = train(recipe, folder, data=training_data, device="cpu", progress=at_step(7, token.cancel), cancel=token)
    assert (first.finished, first.steps) == (False, 7)
    assert events_of(folder, "stopped")[0]["step"] == 7
    torch.manual_seed(123)
    stop = at_step(5, lambda: request_stop(folder))
    second = train(recipe, folder, data=training_data, device="cpu", resume=True, progress=stop)
    assert (second.finished, second.steps) == (False, 12)
    last = train(recipe, folder, data=training_data, device="cpu", resume=True)
    assert (last.finished, last.steps) == (True, 14)
    undisturbed, result = whole_run
    assert numbers_of(folder) == numbers_of(undisturbed)
    assert last.best_score == result.best_score
    assert_same_state(checkpoint_of(folder), checkpoint_of(undisturbed))
    ours, theirs = load_weights(last.weights).state, load_weights(result.weights).state
    assert_same_state(ours, theirs)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_the_step_saves_and_leaves(
    tmp_path: Path, training_data: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "run"
    send = at_step(2, lambda: os.kill(os.getpid(), number))
    result = train(tiny(("crop = 64", "crop = 32")), folder, data=training_data, device="cpu", progress=send)
    assert (result.finished, result.steps) == (False, 2)
    assert checkpoint_of(folder)["step"] == 2
    assert read_events(folder)[0][-1]["event"] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_run_and_its_workers_stops_it_as_well(
    tmp_path: Path, training_data: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "run"
    recipe = tiny(
        ("workers = 0", "workers = 2"),
        ("steps = 14", "steps = 2000"),
        ("crop = 64", "crop = 32"),
        ("checkpoint_minutes = 60", "checkpoint_minutes = 1e-6"),
    )
    (tmp_path / "tiny.toml").write_text(recipe.to_toml())
    arguments = [str(tmp_path / "tiny.toml"), str(folder), str(training_data), "start", "2000"]
    child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], start_new_session=True)
    try:
        deadline = time.monotonic() + 600
        while not events_of(folder, "checkpoint"):
            assert child.poll() is None, "the run ended before it could be stopped"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(child.pid, number)
        assert child.wait(300) == 0
    finally:
        child.kill()
        child.wait()
    assert read_events(folder)[0][-1]["event"] == "stopped"
    assert_whole(folder)


def test_a_stop_file_stops_the_run_and_is_taken_away(tmp_path: Path, training_data: Path) -> None:
    folder = tmp_path / "run"
    stop = at_step(3, lambda: (folder / "STOP").touch())
    result = train(tiny(("crop = 64", "crop = 32")), folder, data=training_data, device="cpu", progress=stop)
    assert (result.finished, result.steps) == (False, 3)
    assert not (folder / "STOP").exists()


def test_a_finished_run_that_is_resumed_is_finished_again(tmp_path: Path, training_data: Path) -> None:
    recipe = tiny(("steps = 14", "steps = 1"), ("crop = 64", "crop = 32"))
    first = train(recipe, tmp_path / "run", data=training_data, device="cpu")
    assert train(recipe, tmp_path / "run", data=training_data, device="cpu", resume=True) == first


CHILD = """
import sys, time
import torch
from lsa_engine.training.trainer import train
torch.set_num_threads(1)

def wait_to_be_killed(progress):
    while progress.done == int(sys.argv[5]):
        time.sleep(1)

recipe, folder, data, mode = sys.argv[1:5]
train(recipe, folder, data=data, resume=mode == "resume", device="cpu", progress=wait_to_be_killed)
"""


def test_a_killed_run_leaves_whole_files_and_goes_on(
    tmp_path: Path, training_data: Path, whole_run: tuple[Path, TrainingResult]
) -> None:
    folder = tmp_path / "run"
    recipe = tiny(("checkpoint_minutes = 60", "checkpoint_minutes = 1e-6"))  # after every step
    (tmp_path / "tiny.toml").write_text(recipe.to_toml())
    for mode, step, moment in (("start", 3, 0.0), ("resume", 9, 0.11)):
        # It is killed at whatever it does, but however late, not after its end: before the last step it waits.
        arguments = [str(tmp_path / "tiny.toml"), str(folder), str(training_data), mode, "13"]
        child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments])
        try:
            deadline = time.monotonic() + 600
            while not any(event["step"] >= step for event in events_of(folder, "checkpoint")):
                assert child.poll() is None, "the run ended before it could be killed"
                assert time.monotonic() < deadline
                time.sleep(0.01)
            time.sleep(moment)
        finally:
            child.kill()
            assert child.wait() == -signal.SIGKILL
        assert_whole(folder)
        assert checkpoint_of(folder)["step"] >= step
    result = train(recipe, folder, data=training_data, device="cpu", resume=True)
    assert result.finished
    assert_whole(folder)
    assert not [path for path in folder.rglob("*") if ".part" in path.name]
    assert numbers_of(folder) == numbers_of(whole_run[0])
    assert_same_state(checkpoint_of(folder), checkpoint_of(whole_run[0]))
