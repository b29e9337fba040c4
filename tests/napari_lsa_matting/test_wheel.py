"""The wheel over the controls of a panel."""

from __future__ import annotations

from typing import Any

import pytest
from magicgui.widgets import ComboBox, FloatSpinBox
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QScrollArea

from napari_lsa_matting.panel import Panel, add_row


def turn(widget: Any) -> None:
    """Turn the wheel by a notch towards the user, over the middle of a widget."""
    middle = QPointF(widget.rect().center())
    event = QWheelEvent(
        middle,
        QPointF(widget.mapToGlobal(middle.toPoint())),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


@pytest.mark.parametrize("kind", ["choice", "number"])
def test_the_wheel_scrolls_the_panel_and_changes_only_a_control_that_was_clicked(
    viewer_model: ViewerModel, qtbot: Any, kind: str
) -> None:
    panel = Panel(viewer_model)
    qtbot.addWidget(panel)
    form = panel.add_group("How")
    control: Any
    if kind == "choice":
        control = ComboBox(choices=["a", "b", "c"], value="a")
    else:
        control = FloatSpinBox(value=5.0)
    before = control.value
    add_row(form, "Method", control)
    for number in range(20):
        add_row(form, str(number), ComboBox(choices=["a"]))
    panel.resize(270, 200)
    with qtbot.waitExposed(panel):
        panel.show()
    bar = panel.findChildren(QScrollArea)[0].verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    control.native.clearFocus()
    turn(control.native)
    assert control.value == before
    assert bar.value() > 0
    panel.activateWindow()
    control.native.setFocus()
    qtbot.waitUntil(control.native.hasFocus)
    turn(control.native)
    assert control.value != before
