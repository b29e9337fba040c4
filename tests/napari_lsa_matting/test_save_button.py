"""The Save button of the widgets that make layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from inspect import unwrap
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from napari.layers import Image
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QFileDialog, QLineEdit

from lsa_engine.image_io import read_image
from lsa_engine.trimap import Trimap
from napari_lsa_matting.layers import METADATA_KEY, with_provenance
from napari_lsa_matting.save_button import SaveButton
from napari_lsa_matting.saving import formats_of
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.trimap_widget import TrimapWidget

PLACE: dict[str, Any] = {"scale": (0.5, 0.25), "units": ("um", "um")}


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any, scene: Any) -> Any:
    viewer = make_napari_viewer_proxy()
    record = with_provenance({}, kind="alpha", report={"weights": "lsa-lite"})
    viewer.add_image(scene.alpha, name="alpha", metadata=record, **PLACE)
    colours = np.concatenate([scene.image, scene.alpha[..., None]], axis=2)
    viewer.add_image(colours, name="cut-out", rgb=True, **PLACE)
    viewer.add_image(scene.image, name="foreground", rgb=True, **PLACE)
    return viewer


@pytest.fixture
def button(viewer: Any, qtbot: Any) -> SaveButton:
    button = SaveButton(viewer, "the last matte")
    qtbot.addWidget(button)
    button.show()
    return button


@pytest.fixture
def answer(qtbot: Any) -> Callable[[str, str], list[str]]:
    """Answers the file dialog that comes next: with a filter that holds some words, and a file."""
    seen: list[str] = []

    def answer(words: str, file: str) -> list[str]:
        def look() -> None:
            dialog = QApplication.activeModalWidget()
            if not isinstance(dialog, QFileDialog):
                timer.start(50)
                return
            filters = dialog.nameFilters()
            seen[:] = filters
            chosen = next(text for text in filters if words in text)
            dialog.selectNameFilter(chosen)
            dialog.filterSelected.emit(chosen)  # as when a person chooses it
            name = dialog.findChild(QLineEdit, "fileNameEdit")
            assert name is not None
            name.setText(file)
            dialog.accept()

        timer = QTimer()
        timer.setSingleShot(True)
        timer.timeout.connect(look)
        timer.start(50)
        answer.timer = timer  # type: ignore[attr-defined]
        return seen

    return answer


def test_a_stack_of_trimaps_is_saved_beside_the_window_and_opens_as_it_was(
    make_napari_viewer_proxy: Any, scene: Any, qtbot: Any, slow: Any, tmp_path: Path
) -> None:
    viewer = make_napari_viewer_proxy()
    widget = TrimapWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Trimap")
    assert not widget.save.button.isEnabled()
    assert widget.save.button.toolTip() == "There is no trimap to save yet."
    labels = np.stack([Trimap(np.roll(scene.trimap, shift, axis=1)).to_labels() for shift in (0, 3, 6)])
    waited = slow(labels, 0.0)
    place = {"scale": (2.0, 0.5, 0.25), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    layer = viewer.add_labels(waited.data, **trimap_settings(), **place)
    widget.refresh()
    assert widget.save.layers == [unwrap(layer)]
    qtbot.waitUntil(lambda: not (widget.settling or widget.busy))
    kinds = {kind.suffix: kind for kind in formats_of(layer)}
    assert list(kinds) == [".tif", ".ome.tif"]
    waited.forget()
    waited.seconds = 0.3
    path = tmp_path / "trimap.tif"
    widget.save.save(path, kinds[".tif"], layer)
    qtbot.waitUntil(lambda: not widget.save.busy)
    assert len(waited.beats) >= 3 and min(waited.beats) > 5
    waited.seconds = 0.0
    widget.refresh()
    assert widget.save.status.text() == f"Saved {path}."
    np.testing.assert_array_equal(tifffile.imread(path)[2], np.roll(scene.trimap, 6, axis=1))
    (opened,) = viewer.open(path, plugin="napari-lsa-matting")
    np.testing.assert_array_equal(opened.data, labels)
    np.testing.assert_allclose(opened.scale, place["scale"])


def test_one_trimap_is_saved_as_a_picture_of_three_grays(viewer: Any, scene: Any, qtbot: Any, tmp_path: Path) -> None:
    layer = viewer.add_labels(Trimap(scene.trimap).to_labels(), **trimap_settings(), **PLACE)
    button = SaveButton(viewer, "the trimap")
    qtbot.addWidget(button)
    button.offer(layer)
    png = formats_of(layer)[0]
    button.save(tmp_path / "trimap", png, layer)
    qtbot.waitUntil(lambda: not button.busy)
    np.testing.assert_array_equal(read_image(tmp_path / "trimap.png"), scene.trimap)
    layer.data_setitem((np.array([0]), np.array([0])), 7)
    button.save(tmp_path / "odd", png, layer)
    qtbot.waitUntil(lambda: not button.busy)
    assert "7" in button.status.text() and not (tmp_path / "odd.png").exists()


def test_nothing_can_be_saved_before_a_run_or_after_its_layer_is_gone(viewer: Any, button: SaveButton) -> None:
    assert not button.button.isEnabled()
    assert "run first" in button.button.toolTip()
    button.offer(viewer.layers["alpha"])
    assert button.button.isEnabled()
    assert "the last matte" in button.button.toolTip()
    viewer.layers.remove("alpha")
    assert not button.button.isEnabled()
    assert "was removed" in button.button.toolTip()


def test_an_alpha_is_saved_in_full_depth_and_the_user_is_told(
    viewer: Any, button: SaveButton, answer: Any, qtbot: Any, tmp_path: Path, notifications: list[str]
) -> None:
    button.offer(viewer.layers["alpha"])
    filters = answer("PNG", str(tmp_path / "matte"))
    button.button.click()
    qtbot.waitUntil(lambda: not button.busy)
    path = tmp_path / "matte.png"
    assert filters[0] == "PNG, 16 bits (*.png)"
    pixels = imagecodecs.imread(path)
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, np.rint(viewer.layers["alpha"].data * 65535))
    assert button.status.text() == f"Saved {path}." == notifications[-1]


def test_the_format_that_is_chosen_gives_the_ending(
    viewer: Any, button: SaveButton, answer: Any, qtbot: Any, tmp_path: Path
) -> None:
    button.offer(viewer.layers["alpha"])
    answer("OME-TIFF", str(tmp_path / "matte"))
    button.button.click()
    qtbot.waitUntil(lambda: not button.busy)
    with tifffile.TiffFile(tmp_path / "matte.ome.tif") as file:
        np.testing.assert_array_equal(file.asarray(), viewer.layers["alpha"].data)
        image = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]
    assert (image["Pixels"]["PhysicalSizeX"], image["Pixels"]["PhysicalSizeXUnit"]) == (0.25, "µm")
    assert json.loads(image["Description"])[METADATA_KEY]["report"] == {"weights": "lsa-lite"}


def test_of_several_layers_a_menu_asks_which_or_all(
    viewer: Any, button: SaveButton, answer: Any, qtbot: Any, tmp_path: Path
) -> None:
    button.offer(viewer.layers["cut-out"], viewer.layers["foreground"])
    menu = button.button.menu()
    menu.aboutToShow.emit()
    texts = [action.text() for action in menu.actions() if action.text()]
    assert texts == ["cut-out…", "foreground…", "All, a file each…"]
    answer("PNG, 16 bits", str(tmp_path / "moth"))
    next(action for action in menu.actions() if action.text() == "cut-out…").trigger()
    qtbot.waitUntil(lambda: not button.busy)
    cutout = imagecodecs.imread(tmp_path / "moth.png")
    assert (cutout.dtype, cutout.shape[2]) == (np.uint16, 4)
    np.testing.assert_array_equal(cutout, np.rint(viewer.layers["cut-out"].data * 65535))


def test_what_the_dialog_has_not_asked_about_is_not_replaced(
    viewer: Any, button: SaveButton, qtbot: Any, tmp_path: Path, notifications: list[str]
) -> None:
    (tmp_path / "matte.ome.tif").write_bytes(b"precious")
    layer = viewer.layers["alpha"]
    ome = next(kind for kind in formats_of(layer) if kind.suffix == ".ome.tif")
    button.offer(layer)
    button.save(tmp_path / "matte.tif", ome, layer)
    qtbot.waitUntil(lambda: not button.busy)
    assert "choose another name" in button.status.text() and "choose another name" in notifications[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["matte.ome.tif"]
    assert (tmp_path / "matte.ome.tif").read_bytes() == b"precious"


def test_an_ending_in_the_name_goes_before_the_format(viewer: Any) -> None:
    png, tif, ome = formats_of(viewer.layers["alpha"])
    assert png.path(Path("a.tif")) == Path("a.tif")
    assert tif.path(Path("v1.2")) == Path("v1.2.tif")
    assert ome.path(Path("a.tif")) == Path("a.ome.tif")
    assert ome.path(Path("a.ome.tiff")) == Path("a.ome.tiff")


def test_colours_are_proposed_in_the_depth_of_their_source() -> None:
    pixels = np.zeros((4, 5, 4), np.float32)
    deep = Image(pixels, rgb=True, metadata=with_provenance({}, kind="cut-out", image_dtype="uint16"))
    plain = Image(pixels, rgb=True, metadata=with_provenance({}, kind="cut-out", image_dtype="uint8"))
    assert (formats_of(deep)[0].bits, formats_of(plain)[0].bits) == (16, 8)
    # A PNG holds one plane.
    assert {kind.suffix for kind in formats_of(Image(np.zeros((3, 4, 5))))} == {".tif", ".ome.tif"}
