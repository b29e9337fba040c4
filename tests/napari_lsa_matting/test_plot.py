"""The small plot."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from qtpy.QtGui import QColor, QImage

from napari_lsa_matting.plot import CurvePlot, ticks, ticks_of_logarithm


def drawn(plot: CurvePlot) -> np.ndarray:
    """Return where the curve's colour (pure red) was drawn: bool (H, W)."""
    plot.resize(200, 130)
    image = QImage(200, 130, QImage.Format.Format_RGB32)
    image.fill(QColor("black"))
    plot.render(image)
    pixels = np.array([[image.pixel(x, y) & 0xFFFFFF for x in range(200)] for y in range(130)])
    return (pixels >> 16 > 200) & (pixels >> 8 & 0xFF < 90)


def test_a_rising_curve_rises_on_the_screen(qtbot: Any) -> None:
    plot = CurvePlot("Loss", "#ff0000")
    qtbot.addWidget(plot)
    plot.set_points([(0, 1.0), (50, 2.0), (100, 3.0)])
    rows, columns = np.nonzero(drawn(plot))
    assert rows[columns.argmax()] < rows[columns.argmin()] - 50
    assert columns.max() - columns.min() > 100


def test_powers_of_ten_are_a_straight_line_on_a_logarithmic_scale(qtbot: Any) -> None:
    plot = CurvePlot("Loss", "#ff0000", logarithmic=True)
    qtbot.addWidget(plot)
    plot.set_points([(step, 10.0**-step) for step in range(6)])
    rows, columns = np.nonzero(drawn(plot))
    residual = rows - np.polyval(np.polyfit(columns, rows, 1), columns)
    assert np.abs(residual).max() < 3


def test_values_that_cannot_be_drawn_are_left_out(qtbot: Any) -> None:
    plot = CurvePlot("Loss", "#ff0000", logarithmic=True)
    qtbot.addWidget(plot)
    plot.set_points([(1, math.nan), (2, 0.0), (3, math.inf), (4, 0.5)])
    assert plot.points == [(4, 0.5)]
    assert drawn(plot).any()


def test_an_empty_plot_can_be_drawn(qtbot: Any) -> None:
    plot = CurvePlot("Loss", "#ff0000")
    qtbot.addWidget(plot)
    assert not drawn(plot).any()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.0, [0, 1.0]), (4.05, 4.93, [4.2, 4.4, 4.6, 4.8]), (0.9, 2.1, [1.0, 2.0]), (-3.2, -0.8, [-3, -2, -1])],
)
def test_ticks_are_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.15, 1.2, [0.2, 0.5, 1.0]),
        (0.28, 0.33, [0.28, 0.3, 0.32]),
        (1e-5, 1e3, [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000]),
    ],
)
def test_ticks_of_a_logarithmic_scale_are_round_numbers_too(low: float, high: float, expected: list[float]) -> None:
    assert ticks_of_logarithm(math.log10(low), math.log10(high)) == pytest.approx(expected)
