"""Every control of every widget says what it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from npe2 import PluginManifest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QProgressBar,
    QScrollBar,
    QWidget,
)

from napari_lsa_matting.trimap_widget import TrimapWidget
from widgets import settle

_KINDS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QProgressBar,
)
# Controls of which others are made: the line in a spin box, the list of a combo box, the headers of a table.
_PARTS = (QAbstractSpinBox, QComboBox, QAbstractItemView)


def widget_names() -> list[str]:
    manifest = PluginManifest.from_distribution("napari-lsa-matting")
    return [widget.display_name for widget in manifest.contributions.widgets or ()]


def controls(widget: QWidget) -> Iterator[QWidget]:
    for control in widget.findChildren(QWidget):
        if isinstance(control, _KINDS) and not isinstance(control, QScrollBar) and not is_part(control, widget):
            yield control


def is_part(control: QWidget, widget: QWidget) -> bool:
    parent = control.parentWidget()
    while parent is not None and parent is not widget:
        if isinstance(parent, _PARTS):
            return True
        parent = parent.parentWidget()
    return False


def described(control: QWidget, widget: QWidget) -> bool:
    """Return whether hovering a control shows a tooltip: Qt asks its parents if it has none itself."""
    part: QWidget | None = control
    while part is not None and part is not widget:
        if part.toolTip():
            return True
        part = part.parentWidget()
    return False


@pytest.mark.parametrize("name", widget_names())
def test_every_control_has_a_tooltip(name: str, scene_viewer: Any, qtbot: Any) -> None:
    _, widget = scene_viewer.window.add_plugin_dock_widget("napari-lsa-matting", name)
    settle(qtbot, widget)
    found = list(controls(widget))
    never_shown = widget.tool_controls.run_button if isinstance(widget, TrimapWidget) else None
    assert len(found) > 3
    without = [
        f"{type(control).__name__} {getattr(control, 'text', str)()!r}"
        for control in found
        if not described(control, widget) and control is not never_shown
    ]
    assert without == []
