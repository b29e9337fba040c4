"""The script of a training run, executed in a process of its own: the same weights by the engine alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file

import lsa_engine as lsa
from napari_lsa_matting.training_code import can_repeat, training_script
from napari_lsa_matting.training_run import RunLog
from recipes import tiny_recipe


def test_the_code_trains_the_same_weights_beside_the_run(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(tiny_recipe(2, every=2))
    lsa.train(tmp_path / "tiny.toml", tmp_path / "first", data=tmp_path, device="cpu")
    run = RunLog(tmp_path / "first")
    run.update()
    assert can_repeat(run)
    code = training_script(run).text()
    assert "recipe 'tiny', made with torch" in code and "device='cpu'" in code
    (tmp_path / "again.py").write_text(code)
    subprocess.run([sys.executable, str(tmp_path / "again.py")], check=True, cwd=tmp_path)
    first, again = (load_file(tmp_path / name / "weights.safetensors") for name in ("first", "first-again"))
    assert first.keys() == again.keys()
    for name, values in first.items():
        assert values.tobytes() == again[name].tobytes(), name


@pytest.mark.parametrize("lacking", ["data", "recipe"])
def test_a_run_of_which_too_little_is_known_has_no_code(tmp_path: Path, lacking: str) -> None:
    event = {"event": "started", "time": 0, "step": 0, "steps": 2, "data": str(tmp_path)}
    if lacking == "data":
        del event["data"]
        (tmp_path / "recipe.toml").write_text(tiny_recipe(2, every=2))
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n")
    run = RunLog(tmp_path)
    run.update()
    assert not can_repeat(run)
