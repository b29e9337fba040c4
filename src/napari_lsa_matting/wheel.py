"""The mouse's wheel over the controls of a panel: it scrolls the panel, and changes only what was clicked before."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractSlider, QAbstractSpinBox, QApplication, QComboBox, QScrollArea, QWidget


class _Scrolls(QObject):
    """Hands wheel events over a control without the keyboard's focus to the scroll area around it."""

    def eventFilter(self, control: QObject | None, event: QEvent | None) -> bool:
        if event is None or event.type() != QEvent.Type.Wheel or not isinstance(control, QWidget) or control.hasFocus():
            return False
        around = control.parentWidget()
        while around is not None and not isinstance(around, QScrollArea):
            around = around.parentWidget()
        bar = None if around is None else around.verticalScrollBar()
        if bar is not None:
            QApplication.sendEvent(bar, event)
        event.accept()  # at its end, the bar takes it no longer, and it would be passed on
        return True


def scroll_over(widget: QWidget) -> None:
    """Let the wheel scroll over a widget, and over the controls in it, instead of changing their values unnoticed."""
    for control in [widget, *widget.findChildren(QWidget)]:
        if isinstance(control, (QComboBox, QAbstractSpinBox, QAbstractSlider)):
            control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # Qt's default lets the wheel itself take the focus
            control.installEventFilter(_Scrolls(control))
