"""A small plot of curves that grow while one looks at them, drawn with Qt alone: napari brings no plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

Point = tuple[float, float]

_MOST_TICKS = 8  # on a logarithmic scale, before only powers of ten are left
_GAP = 6  # pixels between text and frame


class CurvePlot(QWidget):
    """One curve over the training step, with axes that fit it.

    Parameters
    ----------
    title : str
        What the curve shows; stands above the frame.
    colour : str
        Of the curve; must stand out on dark and light ground.
    logarithmic : bool
        Whether the values are drawn on a logarithmic scale; values that are not positive are left out then.
    """

    def __init__(self, title: str, colour: str, *, logarithmic: bool = False) -> None:
        super().__init__()
        self._title = title
        self._colour = QColor(colour)
        self._logarithmic = logarithmic
        self._points: list[Point] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def points(self) -> list[Point]:
        """What is drawn: step and value."""
        return list(self._points)

    def set_points(self, points: Sequence[Point]) -> None:
        """Draw these points, in rising order of steps; values that are not finite are left out."""
        self._points = [
            (step, value) for step, value in points if math.isfinite(value) and (value > 0 or not self._logarithmic)
        ]
        self.update()

    def sizeHint(self) -> QSize:
        """Return a size that suits a dock."""
        return QSize(260, 130)

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size at which the ticks can be read."""
        return QSize(160, 130)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw frame, ticks and curve."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        faint = QColor(text)
        faint.setAlpha(60)
        line_height = painter.fontMetrics().height()
        painter.setPen(text)
        painter.drawText(QPointF(2, line_height * 0.8), self._title)
        if not self._points:
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "no data yet")
            painter.end()
            return
        low, high = self._value_range()
        values = [self._scaled(value) for value in self._ticks(low, high)]
        labels = [f"{value:.3g}" for value in self._ticks(low, high)]
        width = max(painter.fontMetrics().horizontalAdvance(label) for label in labels)
        frame = QRectF(
            width + 2 * _GAP,
            line_height + _GAP,
            self.width() - width - 4 * _GAP,
            self.height() - 2 * line_height - 3 * _GAP,
        )
        first, last = self._points[0][0], max(self._points[-1][0], self._points[0][0] + 1)

        def place(step: float, value: float) -> QPointF:
            across = (step - first) / (last - first)
            up = (value - low) / (high - low)
            return QPointF(frame.left() + across * frame.width(), frame.bottom() - up * frame.height())

        for value, label in zip(values, labels, strict=True):
            y = place(first, value).y()
            painter.setPen(faint)
            painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))
            painter.setPen(text)
            box = QRectF(0, y - line_height / 2, frame.left() - _GAP, line_height)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, label)
        bottom = QRectF(frame.left(), frame.bottom() + _GAP / 2, frame.width(), line_height)
        painter.drawText(bottom, Qt.AlignmentFlag.AlignLeft, f"{first:.0f}")
        painter.drawText(bottom, Qt.AlignmentFlag.AlignHCenter, "step")
        painter.drawText(bottom, Qt.AlignmentFlag.AlignRight, f"{last:.0f}")
        painter.setPen(QPen(self._colour, 2))
        curve = [place(step, self._scaled(value)) for step, value in self._points]
        if len(curve) == 1:
            painter.drawEllipse(curve[0], 2, 2)
        else:
            painter.drawPolyline(QPolygonF(curve))
        painter.end()

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self._logarithmic else value

    def _ticks(self, low: float, high: float) -> list[float]:
        return ticks_of_logarithm(low, high) if self._logarithmic else ticks(low, high)

    def _value_range(self) -> Point:
        scaled = [self._scaled(value) for _, value in self._points]
        low, high = min(scaled), max(scaled)
        margin = 0.05 * (high - low) or max(0.05 * abs(high), 0.01)
        return low - margin, high + margin


def ticks_of_logarithm(low: float, high: float) -> list[float]:
    """Return a few round values whose decimal logarithms lie between two numbers."""
    decades = range(math.floor(low), math.floor(high) + 1)
    values = [factor * 10.0**decade for decade in decades for factor in (1, 2, 5)]
    inside = [value for value in values if low <= math.log10(value) <= high]
    if len(inside) > _MOST_TICKS:
        return [value for value in inside if math.log10(value).is_integer()]
    # Within a small part of a decade, 1, 2 and 5 are too coarse.
    return inside if len(inside) > 1 else ticks(10**low, 10**high)


def ticks(low: float, high: float) -> list[float]:
    """Return the coarsest round values, at least two, between two numbers."""
    power = 10.0 ** math.floor(math.log10(high - low))
    values: list[float] = []
    for factor in (5, 2, 1, 0.5, 0.2):
        step = factor * power
        values = [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
        if len(values) > 1:
            break
    return values
