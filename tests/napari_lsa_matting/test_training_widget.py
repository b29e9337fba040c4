"""The Training widget, with one short real run in a process of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from napari_lsa_matting.training_widget import FROM_FILE, TrainingWidget

# As small as a run can be; the pictures come with scikit-image.
_RECIPE = """
name = "tiny"
size = "lsanet-lite"
precision = "float32"

[data]
workers = 0

[[phases]]
steps = {steps}
crop = 64
batch = 2

[validation]
every_steps = 20
examples = 1
crop = 64
"""


@pytest.fixture
def widget(qtbot: Any, make_napari_viewer_proxy: Any, tmp_path: Path) -> Iterator[TrainingWidget]:
    viewer = make_napari_viewer_proxy()
    widget = TrainingWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Training")
    widget.data.value = tmp_path
    widget.output.value = tmp_path / "run"
    qtbot.wait(200)
    yield widget
    if widget.process is not None and widget.process.poll() is None:
        widget.process.kill()
        widget.process.wait()


@pytest.fixture
def choose_recipe(widget: TrainingWidget, tmp_path: Path, qtbot: Any) -> Callable[[int], None]:
    def choose(steps: int) -> None:
        (tmp_path / "tiny.toml").write_text(_RECIPE.format(steps=steps))
        widget.recipe.value = FROM_FILE
        widget.recipe_file.value = tmp_path / "tiny.toml"
        qtbot.wait(200)

    return choose


def write_events(folder: Path, *events: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    with (folder / "events.jsonl").open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def test_built_in_recipes_are_offered(widget: TrainingWidget) -> None:
    assert {"quick", "lsa-lite", FROM_FILE} <= set(widget.recipe.choices)
    assert widget.recipe.value == "quick"
    assert widget.launch_button.isEnabled()
    assert not widget.stop_button.isEnabled()


def test_a_run_is_launched_followed_stopped_and_resumed(
    widget: TrainingWidget, choose_recipe: Callable[[int], None], qtbot: Any, tmp_path: Path
) -> None:
    choose_recipe(100000)
    assert widget.launch_button.isEnabled(), widget.reason.text()
    widget.launch_button.click()
    assert not widget.launch_button.isEnabled()
    qtbot.waitUntil(lambda: len(widget.loss_plot.points) >= 2 or not widget.running, timeout=120000)
    assert "Running: step " in widget.status.text()
    assert widget.bar.maximum() == 100000
    widget.stop_button.click()
    qtbot.waitUntil(lambda: widget.log is not None and widget.log.state == "stopped", timeout=60000)
    assert widget.status.text().startswith("Stopped at step ")
    qtbot.waitUntil(lambda: not widget.running and widget.resume.value, timeout=20000)
    assert (tmp_path / "run" / "checkpoint.pt").is_file()
    stopped_at = widget.log.step if widget.log is not None else 0

    # The same run goes on from there, now with few steps more to do.
    choose_recipe(stopped_at + 30)
    assert widget.launch_button.isEnabled(), widget.reason.text()
    widget.launch_button.click()
    qtbot.waitUntil(lambda: widget.log is not None and widget.log.state == "finished", timeout=120000)
    assert widget.status.text().startswith(f"Finished at step {stopped_at + 30} of {stopped_at + 30}.")
    assert (tmp_path / "run" / "weights.safetensors").is_file()
    assert widget.score_plot.points
    assert not widget.picture.pixmap().isNull()


def test_a_run_that_fails_to_start_says_why(
    widget: TrainingWidget, choose_recipe: Callable[[int], None], qtbot: Any, tmp_path: Path
) -> None:
    choose_recipe(0)  # a recipe must have at least one step
    widget.launch_button.click()
    qtbot.waitUntil(lambda: widget.status.text().startswith("The run ended early"), timeout=120000)
    assert "steps" in widget.status.text()
    assert widget.launch_button.isEnabled()


def test_the_run_in_the_output_folder_is_followed_again(widget: TrainingWidget, tmp_path: Path, qtbot: Any) -> None:
    write_events(
        tmp_path / "earlier",
        {"event": "started", "time": time.time() - 100, "step": 0, "steps": 200},
        {"event": "step", "time": time.time(), "step": 50, "loss": 0.3},
    )
    widget.output.value = tmp_path / "earlier"
    qtbot.wait(200)
    assert widget.status.text() == "Running: step 50 of 200, loss 0.3000, 5 min left"
    assert widget.loss_plot.points == [(50, 0.3)]
    assert widget.stop_button.isEnabled()
    assert not widget.launch_button.isEnabled()
    widget.stop_button.click()
    assert (tmp_path / "earlier" / "STOP").exists()
    assert widget.status.text().startswith("Stopping after this step")
    write_events(tmp_path / "earlier", {"event": "stopped", "time": time.time(), "step": 51, "message": "Saved."})
    qtbot.waitUntil(lambda: widget.status.text() == "Stopped at step 51 of 200. Saved.", timeout=5000)
    assert widget.launch_button.isEnabled()


def test_what_does_not_fit_is_said_before_the_launch(widget: TrainingWidget, tmp_path: Path, qtbot: Any) -> None:
    def reason() -> str:
        qtbot.wait(200)
        assert not widget.launch_button.isEnabled()
        return widget.reason.text()

    widget.data.value = tmp_path / "nowhere"
    assert "There is no data folder" in reason()
    widget.data.value = tmp_path
    widget.recipe.value = FROM_FILE
    assert reason().startswith("No recipe file is chosen")
    (tmp_path / "broken.toml").write_text("name = ")
    widget.recipe_file.value = tmp_path / "broken.toml"
    assert reason().startswith("The recipe broken.toml cannot be read")
    widget.recipe.value = "quick"
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "checkpoint.pt").touch()
    widget.output.value = tmp_path / "old"
    assert reason().startswith("The output folder already holds a run")
    widget.output.value = tmp_path / "broken.toml"
    assert "is a file: choose a folder" in reason()
