"""The Labels layer that holds a trimap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_lsa_matting.trimap_layer import add_trimap_layer, examine, find_islands, problem_of_writing


def test_a_new_trimap_has_names_colours_and_a_brush(viewer_model: ViewerModel) -> None:
    layer = add_trimap_layer(viewer_model, viewer_model.layers["photo"], {})
    assert layer.data.shape == (48, 64)
    assert not layer.data.any()
    assert list(layer.features["name"]) == ["unknown", "foreground", "background"]
    unknown, foreground, background = layer.colormap.map(np.arange(3))
    assert unknown[3] == 0
    assert foreground[1] > 0.7 > foreground[0]  # green
    assert background[0] > 0.7 > background[1]  # magenta
    assert layer.selected_label == 1
    assert viewer_model.layers.selection.active is layer
    np.testing.assert_array_equal(layer.scale, viewer_model.layers["photo"].scale)


def test_the_status_bar_names_the_label_under_the_cursor(viewer_model: ViewerModel) -> None:
    layer = viewer_model.layers["trimap"]
    status = layer.get_status(layer.data_to_world((0, 0)), world=True)
    assert "background" in str(status["value"])


def test_the_trimap_of_a_stack_covers_all_planes() -> None:
    viewer = ViewerModel()
    stack = viewer.add_image(np.zeros((4, 10, 12)), scale=(2, 1, 1))
    plane = np.ones((10, 12), np.uint8)
    layer = add_trimap_layer(viewer, stack, {(2,): plane})
    assert layer.data.shape == (4, 10, 12)
    assert layer.data[2].all()
    assert not layer.data[[0, 1, 3]].any()


@pytest.mark.parametrize(
    ("values", "words", "blocks"),
    [
        ([0, 2], "No foreground yet: paint label 1", True),
        ([0, 1], "No background yet: paint label 2", True),
        ([1, 2], "Nothing is unknown", False),
    ],
)
def test_what_a_trimap_lacks_is_said_in_words(values: list[int], words: str, blocks: bool) -> None:
    labels = np.resize(np.array(values, np.uint8), (6, 8))
    (finding,) = examine(labels)
    assert finding.text.startswith(words)
    assert finding.blocks is blocks


def test_an_empty_trimap_lacks_both() -> None:
    assert [finding.text[:13] for finding in examine(np.zeros((4, 4), np.uint8))] == ["No foreground", "No background"]


def test_a_good_trimap_has_no_findings(viewer_model: ViewerModel) -> None:
    assert examine(viewer_model.layers["trimap"].data) == []


def test_the_labels_of_a_segmentation_are_listed() -> None:
    labels = np.arange(12, dtype=np.int32).reshape(3, 4)
    (finding,) = examine(labels)
    assert finding.blocks
    assert "the labels 3, 4, 5, 6, 7, 8, 9, 10 and 1 more," in finding.text


def test_tiny_islands_are_counted_and_found() -> None:
    labels = np.zeros((60, 60), np.uint8)
    labels[5:20, 5:20], labels[40:55, 5:50] = 1, 2
    assert find_islands(labels) == []
    labels[30, 31] = 1
    (finding,) = find_islands(labels)
    assert finding.text.startswith("There is a tiny island of foreground (9 pixels or fewer) at row 30, column 31:")
    assert not finding.blocks
    labels[35, 40:42] = labels[2, 50] = 2
    text = find_islands(labels)[1].text
    assert text.startswith("There are 2 tiny islands of background (9 pixels or fewer), the first at row 2, column 50:")


@pytest.mark.parametrize("kind", ["array", "file", "zarr"])
def test_labels_that_may_only_be_read_are_said_to_be_so(kind: str, tmp_path: Path) -> None:
    labels = np.zeros((6, 8), np.uint8)
    if kind == "zarr":
        zarr = pytest.importorskip("zarr")
        zarr.create_array(tmp_path / "a.zarr", data=labels)
        own, lent = (zarr.open_array(tmp_path / "a.zarr", mode=mode) for mode in ("r+", "r"))
    elif kind == "file":
        np.save(tmp_path / "a.npy", labels)
        own, lent = (np.load(tmp_path / "a.npy", mmap_mode=mode) for mode in ("r+", "r"))
    else:
        own, lent = labels.copy(), labels
        lent.flags.writeable = False
    viewer = ViewerModel()
    assert problem_of_writing(viewer.add_labels(own, name="own")) is None
    problem = problem_of_writing(viewer.add_labels(lent, name="lent"))
    assert problem is not None
    assert problem.startswith("The labels of 'lent' may only be read, so they cannot be painted on")
