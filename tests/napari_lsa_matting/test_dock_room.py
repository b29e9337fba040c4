"""Docks of ours share the side of the window."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_lsa_matting.dock_room import dock_of
from napari_lsa_matting.foreground_widget import ForegroundWidget
from napari_lsa_matting.panel import Panel
from napari_lsa_matting.trimap_widget import TrimapWidget

_LOW, _HIGH = 640, 960


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    return make_napari_viewer_proxy(show=True)


def open_in(window: Any, panel: Panel, name: str) -> Panel:
    window.add_dock_widget(panel, name=name)
    return panel


def dock(panel: Panel) -> Any:
    found = dock_of(panel)
    assert found is not None
    return found


def main_window(panel: Panel) -> Any:
    return dock(panel).parent()


def resize(qtbot: Any, panel: Panel, height: int) -> None:
    """Make the window low or high, once its first widget has its place."""
    main_window(panel).resize(1200, height)
    qtbot.waitUntil(lambda: abs(main_window(panel).height() - height) < 40)


def test_in_a_low_window_the_second_widget_is_a_tab_in_front_of_the_first(viewer: Any, qtbot: Any) -> None:
    first = open_in(viewer.window, ForegroundWidget(viewer), "Foreground")
    resize(qtbot, first, _LOW)
    second = open_in(viewer.window, TrimapWidget(viewer), "Trimap")
    qtbot.waitUntil(lambda: dock(second) in main_window(first).tabifiedDockWidgets(dock(first)))
    qtbot.waitUntil(lambda: second.height() > _LOW / 2)
    assert not second.visibleRegion().isEmpty()
    assert first.visibleRegion().isEmpty()


def test_in_a_high_window_two_widgets_get_a_half_each(viewer: Any, qtbot: Any) -> None:
    first = open_in(viewer.window, ForegroundWidget(viewer), "Foreground")
    resize(qtbot, first, _HIGH)
    second = open_in(viewer.window, TrimapWidget(viewer), "Trimap")
    qtbot.waitUntil(lambda: second.height() > 300 and abs(first.height() - second.height()) < 40)
    assert not main_window(first).tabifiedDockWidgets(dock(first))


def test_a_widget_that_floats_or_was_closed_takes_no_room(viewer: Any, qtbot: Any) -> None:
    floating = open_in(viewer.window, ForegroundWidget(viewer), "Foreground")
    resize(qtbot, floating, _LOW)
    dock(floating).setFloating(True)
    hidden = open_in(viewer.window, ForegroundWidget(viewer), "Foreground, closed")
    dock(hidden).setVisible(False)
    second = open_in(viewer.window, TrimapWidget(viewer), "Trimap")
    qtbot.waitUntil(lambda: second._placed and second.height() > _LOW / 2)  # else it might become a tab afterwards
    assert not main_window(second).tabifiedDockWidgets(dock(second))


def test_a_tab_that_the_user_takes_out_stays_where_it_was_put(viewer: Any, qtbot: Any) -> None:
    first = open_in(viewer.window, ForegroundWidget(viewer), "Foreground")
    resize(qtbot, first, _LOW)
    second = open_in(viewer.window, TrimapWidget(viewer), "Trimap")
    qtbot.waitUntil(lambda: dock(second) in main_window(first).tabifiedDockWidgets(dock(first)))
    for area in (Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea):
        main_window(first).addDockWidget(area, dock(second))
    dock(second).hide()
    dock(second).show()
    qtbot.wait(50)
    assert not main_window(first).tabifiedDockWidgets(dock(first))
