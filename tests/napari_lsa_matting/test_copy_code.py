"""Copy as code: what is on the clipboard, executed, gives the same alpha."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

import lsa_engine as lsa
from lsa_engine.image_io import write_rgba
from napari_lsa_matting.layers import METADATA_KEY
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.trimap_layer import trimap_settings
from widgets import run


def run_with(qtbot: Any, widget: MattingWidget, **settings: Any) -> None:
    for name, value in settings.items():
        getattr(widget.options, name).value = value
    run(qtbot, widget)


_RUNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "averaged": {"tta": 8},
    "refined": {"refinement": "fast", "iterations": 3, "gates": "frozen", "boundary": "released"},
    "refined in no time": {"refinement": "fast", "time_budget": 0.01},
    "as in the paper": {"refinement": "paper", "iterations": 2},
    "classical": {"method": "knn"},
}


@pytest.mark.parametrize("case", _RUNS)
def test_the_code_gives_the_same_alpha(
    scene_viewer: Any, open_widget: Any, qtbot: Any, saved_to: Path, copied: Any, execute: Any, case: str
) -> None:
    widget = open_widget(scene_viewer)
    assert not widget.code.button.isEnabled()
    run_with(qtbot, widget, **_RUNS[case])
    code = copied(widget.code)
    assert widget.code.status.text() == f"Copied; what it loads is in {saved_to}."
    np.testing.assert_allclose(execute(code)["alpha"], scene_viewer.layers["alpha"].data, atol=1e-4)


def test_layers_that_came_from_files_are_read_from_there(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any, scene: Any, tmp_path: Path, copied: Any, execute: Any
) -> None:
    from PIL import Image

    image, trimap = tmp_path / "photo.png", tmp_path / "my trimap.png"
    Image.fromarray(np.round(scene.image * 255).astype(np.uint8)).save(image)
    Image.fromarray(scene.trimap).save(trimap)
    viewer = make_napari_viewer_proxy()
    viewer.open(image, plugin="napari")
    viewer.open(trimap, plugin="napari-lsa-matting")
    widget = open_widget(viewer)
    run(qtbot, widget)
    code = copied(widget.code)
    assert widget.code.status.text() == "Copied."
    assert repr(str(image)) in code
    assert repr(str(trimap)) in code
    assert "np.load" not in code
    alpha = viewer.layers["alpha"]
    np.testing.assert_allclose(execute(code)["alpha"], alpha.data, atol=1e-4)
    record = alpha.metadata[METADATA_KEY]
    assert (record["image_path"], record["trimap_path"]) == (str(image), str(trimap))


def test_a_file_that_is_no_longer_what_was_matted_is_not_read(
    make_napari_viewer_proxy: Any,
    open_widget: Any,
    qtbot: Any,
    scene: Any,
    tmp_path: Path,
    saved_to: Path,
    copied: Any,
    execute: Any,
) -> None:
    path = tmp_path / "cutout.png"
    write_rgba(path, lsa.cutout(scene.image, scene.alpha))
    viewer = make_napari_viewer_proxy()
    viewer.open(path, plugin="napari")
    viewer.add_labels(lsa.Trimap(scene.trimap).to_labels(), **trimap_settings())
    widget = open_widget(viewer)
    run(qtbot, widget)
    code = copied(widget.code)
    assert f"read_image({str(path)!r})[..., :3]" in code  # its transparency was not looked at
    np.testing.assert_allclose(execute(code)["alpha"], viewer.layers["alpha"].data, atol=1e-4)
    assert np.load(saved_to).files == ["labels"]
    write_rgba(path, lsa.cutout(1 - scene.image, scene.alpha))
    code = copied(widget.code)
    assert str(path) not in code
    assert sorted(np.load(saved_to).files) == ["image", "labels"]
    np.testing.assert_allclose(execute(code)["alpha"], viewer.layers["alpha"].data, atol=1e-4)


def test_a_gray_plane_keeps_its_range(
    make_napari_viewer_proxy: Any, open_widget: Any, qtbot: Any, scene: Any, saved_to: Path, copied: Any, execute: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    gray = (scene.image.mean(axis=2) * 3000 + 500).astype(np.uint16)
    viewer.add_image(np.stack([gray, gray[::-1]]), name="stack", contrast_limits=(500, 3500))
    viewer.add_labels(np.stack([lsa.Trimap(scene.trimap).to_labels()] * 2), **trimap_settings())
    viewer.dims.set_point(0, 1)
    widget = open_widget(viewer)
    run(qtbot, widget)
    code = copied(widget.code)
    assert "data_range=(500.0, 3500.0)" in code
    np.testing.assert_allclose(execute(code)["alpha"], viewer.layers["alpha"].data[0], atol=1e-4)


def test_live_strokes_are_repeated_one_after_the_other(
    scene_viewer: Any, open_widget: Any, qtbot: Any, saved_to: Path, copied: Any, execute: Any
) -> None:
    widget = open_widget(scene_viewer)
    widget.live_box.value = True
    trimap = scene_viewer.layers["trimap"]
    for row, label in ((4, 1), (24, 2), (2, 0)):
        qtbot.waitUntil(lambda: not widget.live.busy)
        trimap.data_setitem((np.full(12, row), np.arange(26, 38)), label)
    qtbot.waitUntil(lambda: not widget.live.busy)
    code = copied(widget.code)
    assert "matter.correct(edited, refinement)" in code
    assert sorted(np.load(saved_to).files) == ["image", "labels_0", "labels_1", "labels_2", "labels_3"]
    np.testing.assert_allclose(execute(code)["alpha"], scene_viewer.layers["alpha"].data, atol=1e-4)


def test_a_picture_that_was_drawn_on_since_is_not_copied(
    scene_viewer: Any, open_widget: Any, qtbot: Any, saved_to: Path, copied: Any
) -> None:
    widget = open_widget(scene_viewer)
    run(qtbot, widget)
    scene_viewer.layers["photo"].data[3, 4] = 7
    assert copied(widget.code) == ""
    assert widget.code.status.text() == (
        "The pixels of 'photo' were changed since the run, so it cannot be copied as code: run once more."
    )
    assert not saved_to.exists()


def test_without_a_place_for_the_arrays_nothing_is_copied(
    scene_viewer: Any, open_widget: Any, qtbot: Any, copied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = open_widget(scene_viewer)
    run(qtbot, widget)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    assert copied(widget.code) == ""
    assert widget.code.status.text().startswith("Not copied")
