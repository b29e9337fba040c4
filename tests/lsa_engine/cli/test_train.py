from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lsa_engine.cli.main import main
from lsa_engine.image_io import write_image

RECIPE = """
name = "tiny"
size = "lsanet-lite"
precision = "float32"

[data]
photos = ["photos"]
validation_photos = ["photos"]
workers = 0

[[phases]]
steps = {steps}
crop = 64
batch = 1

[optimiser]
warmup_steps = 1
decay_steps = 1

[validation]
every_steps = {steps}
examples = 1
crop = 64
"""


@pytest.fixture
def data(tmp_path: Path, scene) -> Path:
    """A data folder whose folder of photographs holds two small ones."""
    folder = tmp_path / "data"
    (folder / "photos").mkdir(parents=True)
    for name, colours in (("a", scene.foreground), ("b", scene.background)):
        write_image(folder / "photos" / f"{name}.png", np.tile(colours, (3, 3, 1)))
    return folder


def recipe(folder: Path, steps: int) -> str:
    path = folder / "tiny.toml"
    path.write_text(RECIPE.format(steps=steps), encoding="utf-8")
    return str(path)


def events(run: Path) -> list[dict]:
    path = run / "events.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def test_an_unknown_recipe_is_one_sentence_that_lists_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "no-such-recipe", "--output", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "quick" in said and "lsa-lite" in said
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_done_names_its_weights(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    where = ["--output", str(run), "--data", str(data), "--device", "cpu"]
    assert main(["train", recipe(tmp_path, 2), *where]) == 0
    assert f"Wrote {run / 'weights.safetensors'}" in capsys.readouterr().out
    assert events(run)[-1]["event"] == "finished"


def test_ctrl_c_saves_and_leaves_with_130_and_resume_goes_on(tmp_path: Path, data: Path) -> None:
    run = tmp_path / "run"
    where = ["--output", str(run), "--data", str(data), "--device", "cpu"]
    # More steps than anybody waits for: only the interrupt ends it.
    command = [sys.executable, "-m", "lsa_engine", "train", recipe(tmp_path, 100_000), *where]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        patience = time.monotonic() + 600
        while not events(run):
            assert process.poll() is None and time.monotonic() < patience
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        said, complaints = process.communicate(timeout=300)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert complaints == ""
    step = events(run)[-1]["step"]
    assert said == f"Stopped after step {step} and saved; go on with --resume.\n"
    assert events(run)[-1]["event"] == "stopped"
    assert (run / "checkpoint.pt").exists()
    assert not list(run.glob("*.part"))

    # The rest of a run of the same recipe, cut short so that it ends.
    assert main(["train", recipe(tmp_path, step + 2), *where, "--resume"]) == 0
    last = events(run)[-1]
    assert (last["event"], last["step"]) == ("finished", step + 2)
