"""A part of a form that is folded away until it is wanted."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget


class Fold(QWidget):
    """A title with an arrow; a click on it shows or hides the rows below.

    Parameters
    ----------
    title, tip : str
        What is written on it, and its tooltip.
    """

    def __init__(self, title: str, tip: str) -> None:
        super().__init__()
        self.button = QToolButton()
        self.button.setText(title)
        self.button.setToolTip(tip)
        self.button.setCheckable(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.setStyleSheet("QToolButton { border: none; padding: 3px 0px; }")
        self.button.toggled.connect(self._show_rows)
        self._rows = QWidget()
        self.form = QFormLayout(self._rows)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.button)
        layout.addWidget(self._rows)
        self._show_rows(False)

    @property
    def is_open(self) -> bool:
        """Whether its rows are shown."""
        return bool(self.button.isChecked())

    def open(self, opened: bool = True) -> None:
        """Show the rows, or hide them."""
        self.button.setChecked(opened)

    def _show_rows(self, shown: bool) -> None:
        self.button.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self._rows.setVisible(shown)
