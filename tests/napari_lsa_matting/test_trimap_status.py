"""What is said of a trimap while, and after, it is checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zarr

import lsa_engine as lsa
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.trimap_widget import TrimapWidget
from widgets import settle

CHECKING = "Checking the trimap …"


def place_of(layer: Any) -> dict[str, Any]:
    """Return where a layer lies, for another one."""
    return {name: getattr(layer, name) for name in ("scale", "translate", "units", "axis_labels")}


@pytest.fixture
def widget(scene_viewer: Any) -> TrimapWidget:
    """A widget whose first check is under way."""
    widget = TrimapWidget(scene_viewer)
    assert widget.status.busy
    scene_viewer.window.add_dock_widget(widget, name="Trimap")
    return widget


def test_the_first_check_of_a_trimap_is_told_of_until_it_has_ended(scene_viewer: Any, qtbot: Any) -> None:
    widget = TrimapWidget(scene_viewer)
    assert widget.status.text() == CHECKING
    scene_viewer.window.add_dock_widget(widget, name="Trimap")
    settle(qtbot, widget)
    assert widget.status.text().startswith("Ready to matte: ")


def test_a_new_trimap_is_checked_before_anything_is_said_of_it(
    widget: TrimapWidget, scene_viewer: Any, qtbot: Any
) -> None:
    scene_viewer.layers.remove("trimap")
    settle(qtbot, widget)
    assert widget.status.text().startswith("There is no trimap yet")
    widget.new_button.click()
    assert widget.status.text() == CHECKING
    settle(qtbot, widget)
    assert widget.status.text().startswith("No foreground yet")


def test_nothing_is_said_of_a_trimap_that_was_found_of_another(
    widget: TrimapWidget, scene_viewer: Any, qtbot: Any
) -> None:
    settle(qtbot, widget)
    widget.sources.kind.value = "strokes"
    trimap = scene_viewer.layers["trimap"]
    scene_viewer.add_labels(0 * trimap.data, name="empty", **place_of(trimap))
    settle(qtbot, widget)
    widget.trimap.value = next(layer for layer in widget.trimap.choices if layer.name == "empty")
    widget.refresh()
    assert widget.status.text() == CHECKING
    settle(qtbot, widget)
    assert widget.status.text().startswith("No foreground yet")
    assert widget.controls.reason.text().startswith("No foreground yet")


def test_what_is_known_of_a_trimap_stays_while_a_stroke_is_checked(
    widget: TrimapWidget, scene_viewer: Any, qtbot: Any
) -> None:
    settle(qtbot, widget)
    ready = widget.status.text()
    trimap = scene_viewer.layers["trimap"]
    trimap.data_setitem((trimap.data == 1).nonzero(), 0)
    widget.refresh()
    assert widget.status.text() == ready
    settle(qtbot, widget)
    assert widget.status.text().startswith("No foreground yet")


def test_a_trimap_that_cannot_be_read_is_told_of(
    widget: TrimapWidget, scene_viewer: Any, scene: Any, qtbot: Any, tmp_path: Path, notifications: list[str]
) -> None:
    labels = lsa.Trimap(scene.trimap).to_labels()
    array = zarr.create_array(tmp_path / "trimap.zarr", data=labels, chunks=(16, 16))
    scene_viewer.add_labels(array, **trimap_settings(), **place_of(scene_viewer.layers["photo"]))
    settle(qtbot, widget)
    assert not notifications
    for chunk in (tmp_path / "trimap.zarr" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"no chunk")
    widget.refresh()
    settle(qtbot, widget)
    assert widget.status.text().startswith("The trimap cannot be read: ")
    assert notifications
