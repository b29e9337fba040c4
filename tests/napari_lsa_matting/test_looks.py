"""What can be read of every widget: in both themes, and in a narrow dock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from napari.utils.theme import get_theme
from npe2 import PluginManifest
from numpy.typing import NDArray
from qtpy.QtGui import QImage
from qtpy.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QLabel,
    QPushButton,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
    QWidget,
)

from lsa_engine.foreground.figure import draw_profiles
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.training_view import LOSS_COLOUR, SCORE_COLOUR

NARROW = 280  # pixels, where this text is as wide as in the font that the widgets were made with
TEXT, TEXT_WIDTH = "Trimaps between key frames", 187
LEAST_CONTRAST, LEAST_CONTRAST_OF_CURVES = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11


@pytest.fixture(
    params=[
        widget.display_name
        for widget in PluginManifest.from_distribution("napari-lsa-matting").contributions.widgets or ()
    ]
)
def narrow(request: Any, scene_viewer: Any, qtbot: Any) -> QWidget:
    """Each widget, as narrow as it may be, with nothing folded away."""
    _, widget = scene_viewer.window.add_plugin_dock_widget("napari-lsa-matting", request.param)
    qtbot.waitUntil(lambda: not widget.settling)
    if isinstance(widget, MattingWidget):
        widget.options.advanced.open()
    scale = max(1.0, widget.fontMetrics().horizontalAdvance(TEXT) / TEXT_WIDTH)
    widget.window().show()  # what is hidden is not laid out
    widget.setFixedWidth(max(round(NARROW * scale), widget.minimumSizeHint().width()))
    qtbot.wait(100)
    return widget


def rows_of(widget: QWidget) -> QWidget:
    area = widget.findChild(QScrollArea)
    assert area is not None
    return area.widget()


def shown(widget: QWidget, kind: type[QWidget]) -> Iterator[Any]:
    return (part for part in rows_of(widget).findChildren(kind) if part.isVisible())


def pixels_of(widget: QWidget) -> NDArray[np.uint8]:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    bits = image.constBits()
    data = bits.asstring(image.sizeInBytes()) if hasattr(bits, "asstring") else bytes(bits)
    return np.frombuffer(data, np.uint8).reshape(image.height(), image.width(), 4)[..., :3]


def luminance(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    linear = colours / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(pixels: NDArray[np.uint8]) -> float:
    """Return the contrast of what stands out most against the colour that covers most."""
    colours, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    light = luminance(colours)
    ground = light[counts.argmax()]
    return float(((np.maximum(light, ground) + 0.05) / (np.minimum(light, ground) + 0.05)).max())


def faint_texts(widget: QWidget) -> list[str]:
    """Return what can be pressed or is said, and stands out too little from its ground."""
    rows, faint, looked_at = rows_of(widget), [], 0
    pixels = pixels_of(rows)
    for kind in (QLabel, QAbstractButton, QComboBox):
        for part in shown(widget, kind):
            text = part.currentText() if isinstance(part, QComboBox) else part.text()
            if text and part.isEnabled():
                corner = part.mapTo(rows, part.rect().topLeft())
                inside = pixels[corner.y() : corner.y() + part.height(), corner.x() : corner.x() + part.width()]
                looked_at += 1
                if contrast(inside) < LEAST_CONTRAST:
                    faint.append(text)
    assert looked_at > 4
    return faint


def cut_texts(widget: QWidget) -> list[str]:
    """Return what does not fit its label, button or combo box, the choices that are not chosen included."""
    cut = []
    for label in shown(widget, QLabel):
        height = label.heightForWidth(label.width()) if label.wordWrap() else label.fontMetrics().height()
        width = 0 if label.wordWrap() else label.fontMetrics().horizontalAdvance(label.text())
        if width > label.width() or height > label.height():
            cut.append(label.text())
    for button in shown(widget, QPushButton):
        if button.fontMetrics().horizontalAdvance(button.text()) > button.width() - 4:
            cut.append(button.text())
    for box in shown(widget, QComboBox):
        room = edit_width(box)
        texts = [box.itemText(number) for number in range(box.count())]
        cut += [text for text in texts if box.fontMetrics().horizontalAdvance(text) > room]
    return cut


def test_all_text_can_be_read_in_both_themes_and_in_a_narrow_dock(
    narrow: QWidget, scene_viewer: Any, qtbot: Any
) -> None:
    for theme in ("dark", "light"):
        scene_viewer.theme = theme
        qtbot.wait(200)
        assert faint_texts(narrow) == []
    assert cut_texts(narrow) == []


def test_curves_stand_out_in_both_themes(rng: np.random.Generator) -> None:
    pixels = rng.random((32, 32, 3)).astype(np.float32)
    curves = draw_profiles(pixels, pixels / 2, pixels[..., 0]).axes[0].lines
    assert len({curve.get_linestyle() for curve in curves}) == len(curves) == 2
    colours = [LOSS_COLOUR, SCORE_COLOUR, *(curve.get_color() for curve in curves)]
    inks = (255 * np.array([to_rgb(colour) for colour in colours])).round().astype(np.uint8)
    for theme in ("dark", "light"):
        ground = luminance(np.array(get_theme(theme).background.as_rgb_tuple()[:3], np.uint8))
        light = luminance(inks)
        ratios = (np.maximum(light, ground) + 0.05) / (np.minimum(light, ground) + 0.05)
        assert ratios.min() >= LEAST_CONTRAST_OF_CURVES


def edit_width(box: QComboBox) -> int:
    """Return how wide the text of a combo box may be."""
    option = QStyleOptionComboBox()
    box.initStyleOption(option)
    parts = QStyle.SubControl.SC_ComboBoxEditField
    return int(box.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, parts, box).width())
