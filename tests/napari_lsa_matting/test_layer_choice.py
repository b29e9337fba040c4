"""The combo box of layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_lsa_matting.layer_choice import LayerChoice
from napari_lsa_matting.layers import is_labels, is_picture, is_trimap


@pytest.fixture
def pictures(qtbot: Any, viewer_model: ViewerModel) -> Any:
    choice = LayerChoice(viewer_model, is_picture)
    yield choice
    choice.let_go()
    choice.close()


def test_only_layers_of_the_kind_are_offered(pictures: LayerChoice, viewer_model: ViewerModel) -> None:
    assert pictures.choices == (viewer_model.layers["photo"],)
    viewer_model.add_points(np.zeros((1, 2)))
    assert pictures.choices == (viewer_model.layers["photo"],)


def test_the_choice_stays_when_other_layers_come_go_and_move(pictures: LayerChoice, viewer_model: ViewerModel) -> None:
    photo = viewer_model.layers["photo"]
    second = viewer_model.add_image(np.zeros((4, 4)), name="second")
    assert pictures.layer is photo
    pictures.value = second
    viewer_model.layers.move(viewer_model.layers.index(second), 0)
    viewer_model.layers.remove(photo)
    assert pictures.layer is second
    assert pictures.choices == (second,)


def test_the_choice_stays_under_its_new_name(pictures: LayerChoice, viewer_model: ViewerModel) -> None:
    second = viewer_model.add_image(np.zeros((4, 4)), name="second")
    pictures.value = second
    heard: list[Any] = []
    pictures.changed.connect(heard.append)
    second.name = "renamed"
    assert pictures.layer is second
    assert pictures.current_choice == "renamed"
    assert heard == []


def test_the_last_layer_removed_leaves_none(pictures: LayerChoice, viewer_model: ViewerModel) -> None:
    heard: list[Any] = []
    pictures.changed.connect(heard.append)
    viewer_model.layers.remove("photo")
    assert pictures.layer is None
    assert heard == [None]


def test_the_newest_preferred_layer_is_chosen_whether_it_is_added_before_or_after(
    qtbot: Any, viewer_model: ViewerModel
) -> None:
    viewer_model.add_labels(np.zeros((48, 64), np.uint8), name="cells")
    choice = LayerChoice(viewer_model, is_labels, is_trimap)
    assert choice.layer is viewer_model.layers["trimap"]
    viewer_model.add_labels(np.zeros((48, 64), np.uint8), name="more cells")
    assert choice.layer is viewer_model.layers["trimap"]
    settings = {"name": "second trimap", "metadata": viewer_model.layers["trimap"].metadata}
    second = viewer_model.add_labels(np.zeros((48, 64), np.uint8), **settings)
    assert choice.layer is second
    choice.let_go()
    later = LayerChoice(viewer_model, is_labels, is_trimap)
    assert later.layer is second
    later.let_go()


def test_edits_of_the_chosen_layer_are_told_and_of_others_not(pictures: LayerChoice, viewer_model: ViewerModel) -> None:
    heard: list[int] = []
    pictures.edited.connect(lambda: heard.append(1))
    viewer_model.layers["trimap"].translate = (0, 0)
    assert not heard
    viewer_model.layers["photo"].translate = (0, 0)
    assert heard


def test_painting_on_the_chosen_layer_is_told(qtbot: Any, viewer_model: ViewerModel) -> None:
    choice = LayerChoice(viewer_model, is_labels)
    heard: list[int] = []
    choice.edited.connect(lambda: heard.append(1))
    viewer_model.layers["trimap"].paint((20, 20), 1)
    assert heard
    choice.let_go()
    heard.clear()
    viewer_model.layers["trimap"].paint((20, 20), 2)
    assert not heard
