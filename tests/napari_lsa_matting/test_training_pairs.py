"""The Training widget on open layers: how they are paired, refused, and trained on."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import unwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from launching import end_runs, open_training, reason
from lsa_engine.progress import CancelToken
from lsa_engine.training.recipe import Recipe
from lsa_engine.trimap import Trimap
from napari_lsa_matting.layers import ImagePlane
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.training_data import LAYERS
from napari_lsa_matting.training_pairs import TrainingPicture
from napari_lsa_matting.training_request import PrepareRequest
from napari_lsa_matting.training_start import FROM_FILE
from napari_lsa_matting.training_widget import TrainingWidget
from napari_lsa_matting.trimap_layer import trimap_settings
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
    settle(qtbot, widget)
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
    settle(qtbot, widget)
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
    settle(qtbot, widget)
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
