"""Colours shown as such."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.colormaps import Colormap
from qtpy.QtGui import QColor, QImage
from qtpy.QtWidgets import QPushButton

from napari_lsa_matting.swatch import Ramp, show_swatch


def test_a_swatch_has_a_gap_before_the_text(qtbot: Any) -> None:
    button = QPushButton("foreground")
    qtbot.addWidget(button)
    show_swatch(button, "#20c070")
    picture = button.icon().pixmap(button.iconSize()).toImage()
    assert picture.pixelColor(1, 1) == QColor("#20c070")
    assert picture.pixelColor(picture.width() - 1, 1).alpha() == 0


def test_a_ramp_shows_its_colormap_from_end_to_end(qtbot: Any) -> None:
    ramp = Ramp("How far apart.")
    qtbot.addWidget(ramp)
    ramp.show_range(Colormap([(0, 0, 0, 1), (1, 0, 0, 1)]), (0.0, 0.25))
    assert ramp.ends == ("0", "0.25 or more")
    ramp.resize(200, ramp.sizeHint().height())
    image = QImage(200, ramp.height(), QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    ramp.render(image)
    row = [image.pixelColor(x, ramp.height() // 2) for x in range(200)]
    reds = np.array([colour.red() for colour in row if colour.green() == 0 and colour.blue() == 0])
    assert len(reds) >= 40
    assert reds[2] < 20 and reds[-3] > 235
    assert (np.diff(reds[2:-2]) >= 0).all()


def test_a_ramp_is_never_narrower_than_its_texts(qtbot: Any) -> None:
    ramp = Ramp("How far apart.")
    qtbot.addWidget(ramp)
    ramp.show_range(Colormap([(0, 0, 0, 1), (1, 0, 0, 1)]), (0.0, 123.0))
    texts = sum(ramp.fontMetrics().horizontalAdvance(end) for end in ramp.ends)
    assert ramp.minimumSizeHint().width() > texts + 20
