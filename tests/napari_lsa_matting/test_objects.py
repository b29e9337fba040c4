"""A matte for each object of a segmentation."""

from __future__ import annotations

from inspect import unwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication, QFileDialog

from lsa_engine.inference.objects import matte_objects
from lsa_engine.progress import CancelToken
from napari_lsa_matting.channels import Channels
from napari_lsa_matting.layers import METADATA_KEY, ImagePlane, calibration
from napari_lsa_matting.matte_request import ImageChangedError, MatteSettings
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.object_layers import with_axis_in_front
from napari_lsa_matting.object_request import Band, ObjectsRequest
from napari_lsa_matting.session import Session
from widgets import run, settle

_PLACE: dict[str, Any] = {"scale": (0.5, 0.5), "translate": (3, 4), "units": ("um", "um")}


@pytest.fixture
def cells() -> tuple[np.ndarray, np.ndarray]:
    """Two soft discs and their labels, 3 and 7, with a pixel of label 8."""
    rows, columns = np.mgrid[:60, :110].astype(np.float32)
    image, labels = np.full((60, 110), 0.1, np.float32), np.zeros((60, 110), np.int32)
    for label, column in ((3, 28), (7, 80)):
        distance = np.hypot(rows - 30, columns - column)
        image = np.maximum(image, 0.1 + 0.08 * label * np.clip((18 - distance) / 6 + 0.5, 0, 1))
        labels[distance < 18] = label
    labels[2, 50] = 8
    return image, labels


@pytest.fixture
def widget(make_napari_viewer_proxy: Any, open_widget: Any, cells: Any) -> MattingWidget:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(cells[0], name="actin", contrast_limits=(0, 1), **_PLACE)
    features = pd.DataFrame({"index": [0, 3], "name": ["nothing", "mother"]})
    viewer.add_labels(cells[1], name="cells", features=features, **_PLACE)
    opened: MattingWidget = open_widget(viewer)
    opened.options.method.value = "closed-form"
    return opened


def test_a_segmentation_is_read_as_objects_and_a_trimap_as_one(widget: MattingWidget, cells: Any, qtbot: Any) -> None:
    assert widget.objects.wanted
    # Five pixels of half a micrometre.
    assert (widget.objects.inner.value, widget.objects.inner.native.suffix()) == (2.5, " µm")
    painted = widget.viewer.add_labels(np.zeros((60, 110), np.uint8), name="painted", **_PLACE)
    widget.trimap.value = unwrap(painted)
    assert not widget.objects.wanted
    settle(qtbot, widget)
    assert widget.controls.reason.text().startswith("No foreground yet")
    widget.objects.reading.value = "objects"
    settle(qtbot, widget)
    assert widget.controls.reason.text() == "'painted' has no object in this plane: label one first."
    widget.options.method.value = "network"
    settle(qtbot, widget)
    assert "read the labels as one" in widget.live_box.tooltip


def test_every_object_gets_an_alpha_named_after_it(widget: MattingWidget, cells: Any, qtbot: Any) -> None:
    run(qtbot, widget)
    layers = widget.viewer.layers
    assert [layer.name for layer in layers if layer.name.startswith("alpha")] == ["alpha cells 7", "alpha mother"]
    mattes = matte_objects(
        *cells, inner=2.5, outer=2.5, spacing=(0.5, 0.5), method="closed-form", data_range=(0.0, 1.0), only=[3, 7]
    )
    for name, matte in zip(("alpha mother", "alpha cells 7"), mattes, strict=True):
        np.testing.assert_allclose(layers[name].data, matte.alpha, atol=1e-4)
        np.testing.assert_array_equal(layers[name].translate, layers["actin"].translate)
        record = layers[name].metadata[METADATA_KEY]
        assert (record["kind"], record["object"], record["labels"]) == ("alpha", matte.label, "cells")
        assert record["band"] == {"inner": 2.5, "outer": 2.5, "spacing": [0.5, 0.5]}
    texts = widget.controls.outcome.text().splitlines()
    assert texts[0] == "Mattes of 2 objects."
    assert texts[1].startswith("cells 8: ")  # a single pixel has no inside
    assert "no known foreground" in texts[1]


def test_a_later_run_updates_the_objects_layers(widget: MattingWidget, qtbot: Any) -> None:
    run(qtbot, widget)
    first = unwrap(widget.viewer.layers["alpha mother"])
    before, count = first.data, len(widget.viewer.layers)
    widget.objects.outer.value = 4
    run(qtbot, widget)
    assert len(widget.viewer.layers) == count
    assert not np.array_equal(first.data, before)


def test_objects_can_be_stacked_along_an_axis_of_their_own(widget: MattingWidget, qtbot: Any) -> None:
    widget.objects.stacked.value = True
    run(qtbot, widget)
    stack, actin = widget.viewer.layers["alpha of cells"], widget.viewer.layers["actin"]
    assert stack.data.shape == (2, 60, 110)
    assert stack.axis_labels[0] == "object"
    record = stack.metadata[METADATA_KEY]
    assert (record["objects"], record["names"]) == ([3, 7], ["mother", "cells 7"])
    np.testing.assert_allclose(stack.data_to_world((1, 20, 30))[1:], actin.data_to_world((20, 30)))
    before = unwrap(stack)
    run(qtbot, widget)
    assert unwrap(widget.viewer.layers["alpha of cells"]) is before


def test_the_code_of_objects_gives_the_same_alphas(
    widget: MattingWidget, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(qtbot, widget)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "cells.npz"), ""))
    widget.code.button.click()
    qtbot.waitUntil(lambda: not widget.code.busy)
    names: dict[str, Any] = {}
    exec(QApplication.clipboard().text(), names)
    assert list(names["alphas"]) == [3, 7]
    np.testing.assert_allclose(names["alphas"][3], widget.viewer.layers["alpha mother"].data, atol=1e-4)
    np.testing.assert_allclose(names["alphas"][7], widget.viewer.layers["alpha cells 7"].data, atol=1e-4)


def test_the_network_serves_all_objects(widget: MattingWidget, qtbot: Any) -> None:
    widget.options.method.value = "network"
    run(qtbot, widget)
    report = widget.viewer.layers["alpha mother"].metadata[METADATA_KEY]["report"]
    assert report["weights"] == "random-lite"


@pytest.mark.parametrize("channels", [None, Channels(0, "mean")])
def test_mattes_of_objects_in_a_picture_that_is_drawn_on_meanwhile_are_refused(
    cells: Any, monkeypatch: pytest.MonkeyPatch, channels: Channels | None
) -> None:
    pixels = cells[0].copy() if channels is None else np.stack([cells[0]] * 2)

    def draw_meanwhile(*inputs: Any, **settings: Any) -> Any:
        made = list(matte_objects(*inputs, **settings))
        pixels[..., 5] = 1
        return made

    monkeypatch.setattr("lsa_engine.inference.objects.matte_objects", draw_meanwhile)
    request = ObjectsRequest(
        session=Session(),
        image=ImagePlane(pixels, (0.0, 1.0), "actin", channels),
        labels=cells[1],
        names={label: str(label) for label in (3, 7, 8)},
        band=Band(5, 5, (1.0, 1.0)),
        settings=MatteSettings(method="closed-form"),
    )
    with pytest.raises(ImageChangedError, match="'actin' were changed while it was matted"):
        request.run(lambda _: None, CancelToken())


def test_an_axis_in_front_leaves_turned_and_sheared_planes_where_they_are() -> None:
    viewer = ViewerModel()
    place = {
        "scale": (2, 3),
        "translate": (5, 6),
        "rotate": 30,
        "shear": [0.2],
        "affine": [[1, 0.1, 4], [0, 1, 2], [0, 0, 1]],
    }
    plane = viewer.add_image(np.zeros((8, 9)), name="plane", **place)
    stack = viewer.add_image(np.zeros((4, 8, 9)), name="stack", **with_axis_in_front(calibration(plane)))
    for row, column in ((0, 0), (7, 2), (3, 8)):
        there = stack.data_to_world((2, row, column))
        np.testing.assert_allclose(there, (2, *plane.data_to_world((row, column))), atol=1e-9)
