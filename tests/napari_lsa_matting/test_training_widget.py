"""The Training widget, with short real runs in processes of their own."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from inspect import unwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lsa_engine.progress import CancelToken
from lsa_engine.training.recipe import Recipe
from lsa_engine.trimap import Trimap
from napari_lsa_matting.layers import ImagePlane
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.training_data import FOLDER, LAYERS, RECIPE
from napari_lsa_matting.training_pairs import TrainingPicture
from napari_lsa_matting.training_request import PrepareRequest
from napari_lsa_matting.training_start import FROM_FILE
from napari_lsa_matting.training_widget import TrainingWidget
from napari_lsa_matting.trimap_layer import trimap_settings
from recipes import tiny_recipe
from watchdog import Watchdog


@pytest.fixture(scope="module")
def no_run_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """End runs even if the tests are killed."""
    watchdog = Watchdog(tmp_path_factory.getbasetemp())
    yield
    watchdog.dismiss()


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    return make_napari_viewer_proxy()


@pytest.fixture
def widget(qtbot: Any, viewer: Any, tmp_path: Path, no_run_left_behind: None) -> Iterator[TrainingWidget]:
    widget = TrainingWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Training")
    widget.recipe.value = "quick"
    widget.data.root.value = tmp_path
    widget.output.value = tmp_path / "runs" / "run"
    qtbot.waitUntil(lambda: widget.start.points is not None)
    qtbot.wait(200)
    yield widget
    for process in widget._processes.values():
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture
def choose_recipe(widget: TrainingWidget, tmp_path: Path, qtbot: Any) -> Callable[[int], None]:
    def choose(steps: int) -> None:
        (tmp_path / "tiny.toml").write_text(tiny_recipe(steps))
        widget.recipe.value = FROM_FILE
        widget.recipe_file.value = tmp_path / "tiny.toml"
        qtbot.wait(200)

    return choose


def write_events(folder: Path, *events: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "events.jsonl").open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def reason(widget: TrainingWidget, qtbot: Any) -> str:
    """Return why nothing can be launched."""
    qtbot.wait(300)
    assert not widget.launch_button.isEnabled()
    return widget.reason.text()


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
    qtbot.wait(300)
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
    qtbot.wait(200)
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
    qtbot.wait(300)
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
    qtbot.wait(300)
    assert widget.launch_button.isEnabled(), widget.reason.text()
    widget.recipe.value = "fine-tune"
    assert widget.start.weights.value == "lsa-lite"


# --- open layers ------------------------------------------------------------------------------------------------------


def add_pair(viewer: Any, scene: Any, name: str = "photo", *, made: bool = True) -> None:
    """Add a photograph and its alpha, as a run of the Matting widget makes it, or as a file that was opened."""
    viewer.add_image(np.round(scene.image * 255).astype(np.uint8), name=name, rgb=True)
    metadata = {"lsa_matting": {"kind": "alpha", "image": name, "image_path": None}} if made else {}
    viewer.add_image(scene.alpha.astype(np.float32), name=f"alpha of {name}", metadata=metadata)


def test_layers_are_paired_by_how_they_were_made(widget: TrainingWidget, viewer: Any, scene: Any, qtbot: Any) -> None:
    widget.recipe.value = "fine-tune"
    assert widget.data.source.value == LAYERS
    assert reason(widget, qtbot).startswith("No picture is ticked")
    add_pair(viewer, scene, "other", made=False)
    assert reason(widget, qtbot).startswith("No picture is ticked")
    add_pair(viewer, scene)
    qtbot.wait(300)
    assert widget.launch_button.isEnabled(), widget.reason.text()
    rows = {row.image.name: row for row in widget.data.pairs.rows}
    assert {name: row.box.isChecked() for name, row in rows.items()} == {
        "photo": True,
        "other": False,
        "alpha of other": False,
    }
    assert rows["photo"].alpha is not None
    assert rows["photo"].alpha.layer.name == "alpha of photo"
    rows["other"].box.setChecked(True)
    rows["other"].alpha.value = unwrap(viewer.layers["alpha of other"])
    assert len(widget.data.take()) == 2
    viewer.layers.remove("other")
    assert "other" not in [row.image.name for row in widget.data.pairs.rows]


def test_layers_that_do_not_fit_are_named_before_the_launch(
    widget: TrainingWidget, viewer: Any, scene: Any, qtbot: Any
) -> None:
    widget.recipe.value = "fine-tune"
    add_pair(viewer, scene)
    viewer.add_image(np.zeros((20, 30), np.float32), name="small")
    row = next(row for row in widget.data.pairs.rows if row.image.name == "photo")
    row.alpha.value = unwrap(viewer.layers["small"])
    assert "they must have the same size" in reason(widget, qtbot)
    viewer.layers.remove("small")
    viewer.layers.remove("alpha of photo")
    assert "'photo' has no alpha" in reason(widget, qtbot)


def test_an_alpha_without_an_edge_is_refused_by_name(
    widget: TrainingWidget, viewer: Any, scene: Any, qtbot: Any, notifications: list[str]
) -> None:
    widget.recipe.value = "fine-tune"
    add_pair(viewer, scene)
    viewer.layers["alpha of photo"].data = np.ones_like(scene.alpha, dtype=np.float32)
    qtbot.wait(300)
    widget.launch_button.click()
    qtbot.waitUntil(lambda: not widget.preparing)
    assert "'photo' cannot be trained on. The alpha is opaque everywhere" in "".join(notifications)
    assert widget.process is None
    assert not list(widget.folder.glob("cut-outs*"))


def test_weights_are_tuned_on_open_layers_and_matte_them(
    random_weights: str, widget: TrainingWidget, viewer: Any, scene: Any, qtbot: Any, tmp_path: Path
) -> None:
    viewer.add_image(np.round(scene.image * 255).astype(np.uint8), name="photo", rgb=True)
    viewer.add_labels(Trimap(scene.trimap).to_labels(), **trimap_settings())
    add_pair(viewer, scene, "scene")
    rgba = np.dstack([np.round(scene.image * 255), np.round(scene.alpha * 255)]).astype(np.uint8)
    viewer.add_image(rgba, name="cut out", rgb=True)
    (tmp_path / "tune.toml").write_text(tiny_recipe(3))
    widget.recipe.value = FROM_FILE
    widget.recipe_file.value = tmp_path / "tune.toml"
    widget.data.source.value = LAYERS
    widget.start.weights.value = random_weights
    qtbot.wait(300)
    assert widget.launch_button.isEnabled(), widget.reason.text()
    assert not widget.use_button.isEnabled()
    widget.launch_button.click()
    qtbot.waitUntil(
        lambda: (
            (widget.log is not None and widget.log.state == "finished") or bool(widget.process and not widget.running)
        ),
    )
    widget.look()
    assert widget.view.status.text().startswith("Finished at step 3 of 3."), widget.view.status.text()
    # The score of the weights that it started from comes first.
    assert [step for step, _ in widget.view.score_plot.points] == [0, 3]

    recipe = Recipe.load(widget.folder / "recipe.toml")
    assert recipe.data.foregrounds == ("cut-outs",)
    assert (recipe.start_from, recipe.licence) == (random_weights, "unstated")
    cutouts = sorted(path.name for path in (widget.folder / "cut-outs").iterdir())
    assert cutouts == ["001-cut-out.png", "002-scene.png"]
    foreground = np.asarray(Image.open(widget.folder / "cut-outs" / "002-scene.png"))
    assert foreground.shape[2] == 4
    assert foreground[..., 3].max() == 255

    qtbot.waitUntil(lambda: [run.state for run in widget.runs.runs] == ["finished"])
    assert widget.runs.topLevelItem(0).text(2) == "3/3"
    matting = MattingWidget(viewer)
    viewer.window.add_dock_widget(matting, name="Matting")
    widget.use_button.click()
    assert matting.options.weights.value == str(widget.folder / "weights.safetensors")
    qtbot.waitUntil(lambda: matting.options.facilities is not None)
    assert matting.options.weights.value == str(widget.folder / "weights.safetensors")
    matting.image.value = unwrap(viewer.layers["photo"])
    qtbot.waitUntil(matting.controls.run_button.isEnabled)
    matting.controls.run_button.click()
    qtbot.waitUntil(lambda: not matting.controls.busy)
    record = viewer.layers["alpha"].metadata["lsa_matting"]
    assert str(widget.folder / "weights.safetensors") in str(record)

    # A widget that is opened later uses them too.
    stack = StackWidget(viewer)
    viewer.window.add_dock_widget(stack, name="Stack")
    qtbot.waitUntil(lambda: stack.options.facilities is not None)
    assert stack.options.weights.value == str(widget.folder / "weights.safetensors")


def test_the_cutouts_of_an_earlier_try_stay_as_they_are(tmp_path: Path, scene: Any) -> None:
    plane = ImagePlane(np.dstack([scene.image, scene.alpha]), None, "a/b: c")
    recipe = Recipe.parse(tiny_recipe(1))
    names = []
    for _ in range(2):
        request = PrepareRequest(recipe, tmp_path / "run", tmp_path, (TrainingPicture(plane, None),))
        path, data = request.run(lambda _: None, CancelToken())
        assert data == tmp_path / "run"
        names += Recipe.load(path).data.foregrounds
    assert names == ["cut-outs", "cut-outs-2"]
    assert [path.name for path in sorted((tmp_path / "run").glob("*/*.png"))] == ["001-a-b-c.png"] * 2


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
    qtbot.wait(300)
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
