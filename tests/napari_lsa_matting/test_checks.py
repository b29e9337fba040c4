"""What can be told before a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QObject

from napari_lsa_matting.checks import check_trimap, match_planes, missing
from napari_lsa_matting.labels_look import LabelsLook


@pytest.fixture
def look(qapp: Any) -> Iterator[LabelsLook]:
    owner = QObject()
    yield LabelsLook(owner)


def test_an_image_and_its_trimap_go_together(viewer_model: ViewerModel, look: LabelsLook) -> None:
    pair = check_trimap(viewer_model, viewer_model.layers["photo"], viewer_model.layers["trimap"], look)
    assert pair.problem is None
    assert pair.findings == ()


def test_different_sizes_are_named_with_both_layers(viewer_model: ViewerModel, look: LabelsLook) -> None:
    other = viewer_model.add_labels(np.zeros((40, 64), np.uint8), name="other")
    pair = check_trimap(viewer_model, viewer_model.layers["photo"], other, look)
    assert pair.problem is not None
    assert pair.problem.startswith("'photo' is 48 × 64 and 'other' 40 × 64 pixels")


def test_another_scale_is_refused_before_the_run(viewer_model: ViewerModel) -> None:
    photo, trimap = viewer_model.layers["photo"], viewer_model.layers["trimap"]
    trimap.scale = (1, 1)
    pair = match_planes(viewer_model, photo, trimap)
    assert pair.problem is not None
    assert "'trimap' has another scale or position than 'photo'" in pair.problem


def test_a_trimap_without_background_blocks_the_run(viewer_model: ViewerModel, look: LabelsLook) -> None:
    trimap = viewer_model.layers["trimap"]
    trimap.data = np.where(trimap.data == 2, 0, trimap.data)
    pair = check_trimap(viewer_model, viewer_model.layers["photo"], trimap, look)
    assert pair.problem is not None
    assert pair.problem.startswith("No background yet")


def test_a_trimap_with_nothing_unknown_may_run(viewer_model: ViewerModel, look: LabelsLook) -> None:
    trimap = viewer_model.layers["trimap"]
    trimap.data = np.where(trimap.data == 0, 1, trimap.data)
    pair = check_trimap(viewer_model, viewer_model.layers["photo"], trimap, look)
    assert pair.problem is None
    assert [finding.text[:18] for finding in pair.findings] == ["Nothing is unknown"]


def test_a_flat_trimap_goes_with_each_plane_of_a_stack(look: LabelsLook) -> None:
    viewer = ViewerModel()
    stack = viewer.add_image(np.zeros((3, 10, 12)))
    trimap = viewer.add_labels(np.resize(np.array([0, 1, 2], np.uint8), (10, 12)))
    viewer.dims.set_point(0, 2)
    pair = check_trimap(viewer, stack, trimap, look)
    assert pair.problem is None
    assert (pair.first, pair.second) == ((2,), ())


def test_a_viewer_in_three_dimensions_is_the_problem(viewer_model: ViewerModel, look: LabelsLook) -> None:
    viewer_model.dims.ndisplay = 3
    pair = check_trimap(viewer_model, viewer_model.layers["photo"], viewer_model.layers["trimap"], look)
    assert pair.problem is not None
    assert "three dimensions" in pair.problem


def test_a_missing_layer_blocks_with_its_sentence() -> None:
    assert missing("There is none.").problem == "There is none."
