"""The picture of a foreground's gradient against alpha."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QWidget

from napari_lsa_matting.profile_view import ProfileView

ORANGE = (255, 127, 14, 255)


def picture() -> np.ndarray:
    """Return text (black, half of it transparent), a curve, and nothing, side by side."""
    pixels = np.zeros((20, 40, 4), np.uint8)
    pixels[:, :10] = (0, 0, 0, 255)
    pixels[:, 10:20] = (1, 1, 1, 128)
    pixels[:, 20:30] = ORANGE
    return pixels


def test_text_is_drawn_in_the_themes_ink_and_follows_another_theme(qtbot: Any) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.setStyleSheet("QWidget { color: #f0f1f2; }")
    view = ProfileView()
    view.setParent(window)
    view.ensurePolished()
    view.show_picture(picture())
    for ink in ("#f0f1f2", "#3b3a39"):
        window.setStyleSheet(f"QWidget {{ color: {ink}; }}")
        qtbot.waitUntil(lambda ink=ink: view.pixmap().toImage().pixelColor(5, 5) == QColor(ink))
        shown = view.pixmap().toImage()
        assert shown.pixelColor(15, 5).alpha() == 128
        assert abs(shown.pixelColor(15, 5).red() - QColor(ink).red()) <= 2
        assert shown.pixelColor(25, 5).getRgb() == ORANGE
        assert shown.pixelColor(35, 5).alpha() == 0


def test_no_picture_hides_it(qtbot: Any) -> None:
    view = ProfileView()
    qtbot.addWidget(view)
    view.show_picture(picture())
    assert view.heightForWidth(80) == 40
    view.show_picture(None)
    assert view.isHidden()
