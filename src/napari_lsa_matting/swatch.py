"""Colours shown as such: a square on a button, and the ramp of a map between the values at its ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QLinearGradient, QPainter, QPaintEvent, QPalette, QPixmap
from qtpy.QtWidgets import QAbstractButton, QSizePolicy, QWidget

_SIDE = 12
_GAP = 6  # pixels between a colour and its text
_STOPS = 16
_LEAST_RAMP = 40


def show_swatch(button: QAbstractButton, colour: QColor | str) -> None:
    """Show a square of a colour before the text of a button, with a gap between them, which Qt leaves out."""
    picture = QPixmap(_SIDE + _GAP, _SIDE)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.fillRect(0, 0, _SIDE, _SIDE, QColor(colour))
    painter.end()
    button.setIcon(QIcon(picture))
    button.setIconSize(picture.size())


class Ramp(QWidget):
    """The colours of a map, from its least value to its greatest.

    Parameters
    ----------
    tip : str
        Tooltip: what the values are.
    """

    def __init__(self, tip: str) -> None:
        super().__init__()
        self.setToolTip(tip)
        self._stops: list[tuple[float, QColor]] = []
        self.ends = ("", "")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_range(self, colormap: Any, limits: Sequence[float]) -> None:
        """Show the colours of napari's colormap, and the values that have the first and the last of them."""
        places = np.linspace(0, 1, _STOPS)
        colours = np.clip(colormap.map(places), 0, 1)
        self._stops = [(float(at), QColor.fromRgbF(*map(float, c))) for at, c in zip(places, colours, strict=True)]
        low, high = limits
        self.ends = (f"{low:.3g}", f"{high:.3g} or more")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return a size that suits a dock."""
        return QSize(self._text_width() + 3 * _LEAST_RAMP, self.fontMetrics().height() + 4)

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size at which colours and values can be told apart."""
        return QSize(self._text_width() + _LEAST_RAMP, self.fontMetrics().height() + 4)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the least value, the colours, and the greatest value, side by side."""
        painter = QPainter(self)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        left = self.fontMetrics().horizontalAdvance(self.ends[0])
        width = self.width() - self._text_width()
        ramp = QRectF(left + _GAP, 2.5, width, self.height() - 5)
        gradient = QLinearGradient(ramp.topLeft(), ramp.topRight())
        for at, colour in self._stops:
            gradient.setColorAt(at, colour)
        painter.fillRect(ramp, gradient)
        painter.setPen(text)
        painter.drawRect(ramp)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | middle, self.ends[0])
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignRight | middle, self.ends[1])
        painter.end()

    def _text_width(self) -> int:
        return sum(self.fontMetrics().horizontalAdvance(end) for end in self.ends) + 2 * _GAP
