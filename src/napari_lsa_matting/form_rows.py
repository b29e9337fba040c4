"""What groups of rows in a form share."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import FileEdit
from magicgui.widgets.bases import ValueWidget
from psygnal import Signal
from qtpy.QtWidgets import QFormLayout


class FormRows:
    """Rows of a form, and what is chosen in them.

    Parameters
    ----------
    form : QFormLayout
        Where the rows go.
    """

    changed = Signal()
    """Something was chosen."""

    def __init__(self, form: QFormLayout) -> None:
        self._form = form

    def _follow(self, *controls: ValueWidget[Any] | FileEdit) -> None:
        """Take note of what is chosen in controls."""
        for control in controls:
            control.changed.connect(self._note_change)

    def _note_change(self, _: object = None) -> None:
        self.changed.emit()
