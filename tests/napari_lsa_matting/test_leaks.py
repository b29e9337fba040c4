"""Nothing is left behind by runs, by edits, by widgets and viewers that were closed."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy import API_NAME

from census import Census
from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.measure_widget import MeasureWidget
from napari_lsa_matting.plane_writer import PlaneEdit
from napari_lsa_matting.stack_widget import StackWidget
from napari_lsa_matting.training_widget import TrainingWidget
from napari_lsa_matting.trimap_layer import trimap_settings
from napari_lsa_matting.trimap_widget import TrimapWidget
from widgets import settle

_FIRST, _TIMES, _ROUNDS = 3, 12, 4
_PICTURE = 48 * 64 * 4  # bytes of the scene's alpha
_MEGABYTES = 50
_PACKAGES = ("napari_lsa_matting.", "lsa_engine.")
_QUIET_MS = 500  # what a widget does some time after a change is done by then


def assert_nothing_grows(qtbot: Any, do: Callable[[int], object]) -> None:
    """Do something many times: no thread, no picture, no object may come of each time.

    What is loaded, cached or pooled grows once, what leaks grows in every round: one round of several without growth
    shows that nothing leaks.
    """
    for turn in range(_FIRST):
        do(turn)
    seen = []
    for _ in range(_ROUNDS):
        tracemalloc.start()
        try:
            do(0)  # what replaces a picture that was made before memory was traced
            qtbot.wait(_QUIET_MS)
            before, traced = Census.take(), tracemalloc.get_traced_memory()[0]
            for turn in range(_TIMES):
                do(turn)
            qtbot.wait(_QUIET_MS)
            gc.collect()
            # Asked before the second count, which takes room itself.
            memory = tracemalloc.get_traced_memory()[0] - traced
            after = Census.take()
        finally:
            tracemalloc.stop()
        growth: dict[str, float] = {}
        if API_NAME == "PyQt6":  # PySide6 keeps a weak reference of every job, and some workers
            growth |= after.grown(before, at_least=_TIMES)
            growth |= {name: count for name, count in after.grown(before).items() if name.startswith(_PACKAGES)}
        if memory >= _TIMES * _PICTURE:
            growth["traced bytes"] = memory
        if after.threads - before.threads >= _TIMES:
            growth["threads"] = after.threads - before.threads
        if after.megabytes - before.megabytes >= _MEGABYTES:
            growth["megabytes"] = after.megabytes - before.megabytes
        if not growth:
            return
        seen.append(growth)
    pytest.fail(f"What has grown in each of the rounds: {seen}")


def test_runs_leave_nothing_behind_but_their_layer(scene_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(scene_viewer)
    settle(qtbot, widget)

    def run(_: int) -> None:
        widget.controls.run_button.click()
        qtbot.waitUntil(lambda: not widget.controls.busy)

    assert_nothing_grows(qtbot, run)
    assert [layer.name for layer in scene_viewer.layers] == ["photo", "alpha", "trimap"]


def test_changes_of_a_trimap_that_are_undone_leave_nothing_behind(scene_viewer: Any, qtbot: Any) -> None:
    widget = TrimapWidget(scene_viewer)
    scene_viewer.window.add_dock_widget(widget)
    qtbot.waitUntil(lambda: not widget.busy)
    trimap = scene_viewer.layers["trimap"]
    before, record = trimap.data.copy(), trimap.metadata

    def edit(_: int) -> None:
        widget.use_tool("widen")
        qtbot.waitUntil(lambda: not (widget.busy or widget.settling))
        widget.undo_button.click()
        trimap.metadata = record  # every change is written down there, on purpose
        widget.refresh()
        qtbot.waitUntil(lambda: not widget.busy)

    assert_nothing_grows(qtbot, edit)
    np.testing.assert_array_equal(trimap.data, before)


def test_proposals_leave_no_copy_of_the_planes_that_they_were_written_to(
    make_napari_viewer_proxy: Any, qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.zeros((5, 32, 40), np.uint8), name="stack")
    labels = np.zeros((5, 32, 40), np.uint8)
    labels[[0, 4]] = 2
    labels[[0, 4], 8:24, 8:24] = 0
    labels[[0, 4], 12:20, 12:20] = 1
    layer = viewer.add_labels(labels, **trimap_settings())
    widget = StackWidget(viewer)
    viewer.window.add_dock_widget(widget)
    qtbot.waitUntil(lambda: widget.proposing.run_button.isEnabled())
    widget.proposing.run_button.click()
    qtbot.waitUntil(lambda: not widget.busy)
    assert layer.data[2].any()

    def copies() -> list[PlaneEdit]:
        return [each for each in gc.get_objects() if isinstance(each, PlaneEdit) and each.before is not None]

    qtbot.waitUntil(lambda: not copies())


@pytest.mark.parametrize("kind", [TrimapWidget, ForegroundWidget, MeasureWidget, StackWidget, TrainingWidget])
def test_a_widget_that_was_closed_is_gone(kind: Any, scene_viewer: Any, qtbot: Any) -> None:
    widget = kind(scene_viewer)
    scene_viewer.window.add_dock_widget(widget)
    settle(qtbot, widget)
    gone = weakref.ref(widget)
    scene_viewer.window.remove_dock_widget(widget)
    del widget
    qtbot.waitUntil(lambda: bool(Census.take()) and gone() is None)


def test_the_matting_widget_goes_with_its_dock(scene_viewer: Any, open_widget: Any, qtbot: Any) -> None:
    widget = open_widget(scene_viewer)
    gone = weakref.ref(widget)
    scene_viewer.window.remove_dock_widget(widget)
    del widget
    qtbot.waitUntil(lambda: bool(Census.take()) and gone() is None)
