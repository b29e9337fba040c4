"""The picture of a foreground's gradient against alpha, as wide as the dock and in the theme's ink."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent
from qtpy.QtGui import QImage, QPalette, QPixmap
from qtpy.QtWidgets import QLabel

from napari_lsa_matting.proportions import KeepsProportions

_DARKEST = 8  # of 255: rounding makes what was drawn in black, and is half transparent, a little lighter


class ProfileView(KeepsProportions, QLabel):
    """The mean gradient of the foreground against alpha, before and after; hidden until there is one."""

    def __init__(self) -> None:
        super().__init__()
        self._pixels: NDArray[np.uint8] | None = None
        self._ink = ""
        self.setToolTip("Assumption 1: a foreground should be smooth where alpha is near 0.")
        self.setScaledContents(True)
        self.keep_proportions()
        self.hide()

    def show_picture(self, pixels: NDArray[np.uint8] | None) -> None:
        """Show a picture (h, w, 4), whose text and frame are black on nothing; None hides the label."""
        self._pixels, self._ink = pixels, ""
        self._draw()
        self.updateGeometry()
        self.setVisible(pixels is not None)

    def changeEvent(self, event: QEvent | None) -> None:
        """Draw text and frame anew when another theme is chosen."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._draw()

    def heightForWidth(self, width: int) -> int:
        """Return the height at which the picture keeps its proportions."""
        if self._pixels is None:
            return 1
        rows, columns = self._pixels.shape[:2]
        return max(1, round(width * rows / columns))

    def _draw(self) -> None:
        """Show the picture with text and frame in the theme's colour of text."""
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        if self._pixels is None or ink.name() == self._ink:
            return
        self._ink = ink.name()
        pixels = self._pixels.copy()
        pixels[pixels[..., :3].max(axis=-1) <= _DARKEST, :3] = ink.red(), ink.green(), ink.blue()
        height, width = pixels.shape[:2]
        image = QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
        self.setPixmap(QPixmap.fromImage(image))
