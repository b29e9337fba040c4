"""The Training widget, with short real runs in processes of their own."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from launching import end_runs, open_training, reason
from napari_lsa_matting.training_data import FOLDER, RECIPE
from napari_lsa_matting.training_start import FROM_FILE
from napari_lsa_matting.training_widget import TrainingWidget
from recipes import tiny_recipe
from widgets import settle


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    return make_napari_viewer_proxy()


@pytest.fixture
def widget(qtbot: Any, viewer: Any, tmp_path: Path, no_run_left_behind: None) -> Iterator[TrainingWidget]:
    widget = open_training(qtbot, viewer, tmp_path)
    yield widget
    end_runs(widget)


@pytest.fixture
def choose_recipe(widget: TrainingWidget, tmp_path: Path, qtbot: Any) -> Callable[[int], None]:
    def choose(steps: int) -> None:
        (tmp_path / "tiny.toml").write_text(tiny_recipe(steps))
        widget.recipe.value = FROM_FILE
        widget.recipe_file.value = tmp_path / "tiny.toml"
        settle(qtbot, widget)

    return choose


def write_events(folder: Path, *events: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "events.jsonl").open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def test_built_in_recipes_are_offered(widget: TrainingWidget) -> None:
    assert {"quick", "fine-tune", "lsa-lite", FROM_FILE} <= set(widget.recipe.choices)
    assert widget.launch_button.isEnabled(), widget.reason.text()
    assert not widget.stop_button.isEnabled()
    assert widget.data.source.value == RECIPE


def test_a_run_is_launched_followed_stopped_and_resumed(
    widget: TrainingWidget, choose_recipe: Callable[[int], None], qtbot: Any
) -> None:
    choose_recipe(100000)
    assert widget.launch_button.isEnabled(), widget.reason.text()
    widget.launch_button.click()
    assert not widget.launch_button.isEnabled()
    qtbot.waitUntil(lambda: len(widget.view.loss_plot.points) >= 2 or not widget.running)
    assert "Running: step " in widget.view.status.text()
    assert widget.view.bar.maximum() == 100000
    widget.stop_button.click()
    qtbot.waitUntil(lambda: widget.log is not None and widget.log.state == "stopped")
    assert widget.view.status.text().startswith("Stopped at step ")
    qtbot.waitUntil(lambda: not widget.running and widget.resume.value)
    assert (widget.folder / "checkpoint.pt").is_file()
    stopped_at = widget.log.step if widget.log is not None else 0

    # The same run goes on from there, now with few steps more to do.
    choose_recipe(stopped_at + 30)
    assert widget.launch_button.isEnabled(), widget.reason.text()
    widget.launch_button.click()
    qtbot.waitUntil(lambda: widget.log is not None and widget.log.state == "finished")
    assert widget.view.status.text().startswith(f"Finished at step {stopped_at + 30} of {stopped_at + 30}.")
    assert (widget.folder / "weights.safetensors").is_file()
    assert widget.view.score_plot.points
    assert not widget.view.picture.pixmap.isNull()


def test_a_run_that_fails_to_start_says_why(
    widget: TrainingWidget, choose_recipe: Callable[[int], None], qtbot: Any, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.png").write_bytes(b"no picture")
    text = tiny_recipe(1).replace("[data]", '[data]\nphotos = ["photos"]')
    (tmp_path / "own.toml").write_text(text)
    widget.recipe.value = FROM_FILE
    widget.recipe_file.value = tmp_path / "own.toml"
    settle(qtbot, widget)
    assert widget.launch_button.isEnabled(), widget.reason.text()
    widget.launch_button.click()
    qtbot.waitUntil(lambda: widget.view.status.text().startswith("The run ended early"))
    assert "broken.png" in widget.view.status.text()
    assert widget.launch_button.isEnabled()


def test_the_run_in_the_output_folder_is_followed_again(widget: TrainingWidget, tmp_path: Path, qtbot: Any) -> None:
    write_events(
        tmp_path / "earlier",
        {"event": "started", "time": time.time() - 100, "step": 0, "steps": 200},
        {"event": "step", "time": time.time(), "step": 50, "loss": 0.3},
    )
    widget.output.value = tmp_path / "earlier"
    settle(qtbot, widget)
    assert widget.view.status.text() == "Running: step 50 of 200, loss 0.3000, 5 min left"
    assert widget.view.loss_plot.points == [(50, 0.3)]
    assert widget.stop_button.isEnabled()
    assert not widget.launch_button.isEnabled()
    widget.stop_button.click()
    assert (tmp_path / "earlier" / "STOP").exists()
    assert widget.view.status.text().startswith("Stopping after this step")
    write_events(tmp_path / "earlier", {"event": "stopped", "time": time.time(), "step": 51, "message": "Saved."})
    qtbot.waitUntil(lambda: widget.view.status.text() == "Stopped at step 51 of 200. Saved.")
    assert widget.launch_button.isEnabled()


def test_the_run_shown_can_be_copied_as_code_once_it_has_begun(
    widget: TrainingWidget, tmp_path: Path, qtbot: Any, copied: Callable[[Any], str]
) -> None:
    assert not widget.code.button.isEnabled()
    run = tmp_path / "earlier"
    begun = {"event": "started", "time": time.time(), "step": 0, "steps": 9, "data": "/pictures", "device": "cpu"}
    write_events(run, begun, {"event": "finished", "time": time.time(), "step": 9})
    (run / "recipe.toml").write_text(tiny_recipe(9))
    widget.output.value = run
    code = copied(widget.code)
    assert all(repr(part) in code for part in (str(run / "recipe.toml"), f"{run}-again", "/pictures", "cpu"))
    widget.look()
    assert widget.code.status.text() == "Copied."
    widget.output.value = tmp_path / "new"
    assert not widget.code.button.isEnabled()
    assert widget.code.status.text() == ""


def test_what_does_not_fit_is_said_before_the_launch(widget: TrainingWidget, tmp_path: Path, qtbot: Any) -> None:
    widget.recipe.value = "lsa-lite"
    assert reason(widget, qtbot).startswith("Recipe 'lsa-lite' needs photos, alphas, alphas-keyed, photos-validation")
    widget.data.root.value = tmp_path / "nowhere"
    assert "There is no data folder" in reason(widget, qtbot)
    widget.recipe.value = FROM_FILE
    assert reason(widget, qtbot).startswith("No recipe file is chosen")
    (tmp_path / "broken.toml").write_text("name = ")
    widget.recipe_file.value = tmp_path / "broken.toml"
    assert "broken.toml with text that is not TOML" in reason(widget, qtbot)
    (tmp_path / "broken.toml").write_text(tiny_recipe(0))
    widget.recipe_file.changed.emit(tmp_path / "broken.toml")
    assert "phases.0.steps" in reason(widget, qtbot)
    widget.recipe.value = "quick"
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "checkpoint.pt").touch()
    widget.output.value = tmp_path / "old"
    assert reason(widget, qtbot).startswith("The output folder already holds a run")
    widget.output.value = tmp_path / "broken.toml"
    assert "is a file: choose a folder" in reason(widget, qtbot)
    widget.output.value = tmp_path / "broken.toml" / "run"
    assert "which is a file: choose another folder" in reason(widget, qtbot)
    widget.output.value = tmp_path
    assert "holds other files (broken.toml, …)" in reason(widget, qtbot)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_said_before_the_launch(
    widget: TrainingWidget, tmp_path: Path, qtbot: Any
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    widget.output.value = tmp_path / "locked" / "run"
    assert "cannot be written to" in reason(widget, qtbot)


def test_a_folder_of_cutouts_must_hold_some(widget: TrainingWidget, tmp_path: Path, qtbot: Any) -> None:
    widget.data.source.value = FOLDER
    widget.data.cutouts.value = tmp_path / "mine"
    assert "There is no folder" in reason(widget, qtbot)
    (tmp_path / "mine").mkdir()
    widget.data.cutouts.changed.emit(tmp_path / "mine")
    assert "holds no pictures" in reason(widget, qtbot)
    Image.new("RGB", (40, 30)).save(tmp_path / "mine" / "a.png")
    widget.data.cutouts.changed.emit(tmp_path / "mine")
    assert reason(widget, qtbot).startswith("a.png has no alpha channel")
    Image.new("RGBA", (40, 30)).save(tmp_path / "mine" / "a.png")
    widget.data.cutouts.changed.emit(tmp_path / "mine")
    settle(qtbot, widget)
    assert widget.launch_button.isEnabled(), widget.reason.text()


def test_weights_to_start_from_must_be_of_the_recipes_network(
    widget: TrainingWidget, random_weights_file: Path, tmp_path: Path, qtbot: Any
) -> None:
    assert widget.start.weights.value == ""
    assert "lsa-lite" in widget.start.weights.choices
    widget.start.weights.value = FROM_FILE
    assert reason(widget, qtbot).startswith("No weights file is chosen")
    (tmp_path / "none.safetensors").write_bytes(b"no weights")
    widget.start.file.value = tmp_path / "none.safetensors"
    assert "none.safetensors" in reason(widget, qtbot)
    widget.start.file.value = random_weights_file
    settle(qtbot, widget)
    assert widget.launch_button.isEnabled(), widget.reason.text()
    widget.recipe.value = "fine-tune"
    assert widget.start.weights.value == "lsa-lite"


# --- earlier runs -----------------------------------------------------------------------------------------------------


def test_runs_are_listed_and_one_that_is_chosen_is_shown(widget: TrainingWidget, tmp_path: Path, qtbot: Any) -> None:
    runs = tmp_path / "runs"
    runs.mkdir(exist_ok=True)
    started = {"event": "started", "time": 1000.0, "step": 0, "steps": 200, "name": "quick"}
    validation = {"event": "validation", "time": 1001.0, "step": 100, "image": "validation/000100.png"}
    write_events(
        runs / "good",
        started,
        {"event": "step", "time": 1001.0, "step": 100, "loss": 0.3},
        {**validation, "sad": 1.5},
        {**validation, "sad": 1.25},
        {"event": "finished", "time": 1002.0, "step": 200, "message": "All steps done."},
    )
    (runs / "good" / "weights.safetensors").touch()
    write_events(runs / "bad", started, {"event": "failed", "time": 1001.0, "step": 3, "message": "No."})
    (runs / "no-run").mkdir()
    widget.output.value = runs / "new"
    qtbot.waitUntil(lambda: len(widget.runs.runs) == 2)
    rows = {
        item.text(0): [item.text(column) for column in range(1, 5)]
        for item in map(widget.runs.topLevelItem, range(2))
        if item is not None
    }
    assert rows == {
        "good": ["quick", "200/200", "1.250", "finished"],
        "bad": ["quick", "3/200", "–", "failed"],
    }
    assert not widget.use_button.isEnabled()
    for item in map(widget.runs.topLevelItem, range(2)):
        if item.text(0) == "good":
            widget.runs.setCurrentItem(item)
    assert widget.folder == runs / "good"
    assert widget.view.status.text() == "Finished at step 200 of 200. All steps done."
    assert widget.view.loss_plot.points == [(100, 0.3)]
    assert widget.use_button.isEnabled()
    widget.new_button.click()
    assert widget.folder == runs / "run-1"
    settle(qtbot, widget)
    assert widget.launch_button.isEnabled(), widget.reason.text()


def test_a_run_whose_process_is_gone_can_go_on(widget: TrainingWidget, tmp_path: Path, qtbot: Any) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    folder = tmp_path / "runs" / "killed"
    folder.parent.mkdir(exist_ok=True)
    write_events(
        folder,
        {
            **{"event": "started", "time": time.time(), "step": 0, "steps": 200, "name": "quick"},
            **{"host": platform.node(), "process": process.pid, "data": str(tmp_path)},
        },
    )
    (folder / "checkpoint.pt").touch()
    (folder / "recipe.toml").write_text(tiny_recipe(200))
    widget.output.value = folder
    qtbot.waitUntil(lambda: widget.log is not None and widget.log.state == "interrupted")
    assert "Its process is gone" in widget.view.status.text()
    assert widget.resume.value
    assert widget.launch_button.isEnabled(), widget.reason.text()
