"""Many small pictures on one sheet, each with its name, in columns of one width."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPixmap

_GAP = 14
_CAPTION = 22
_QUALITIES = range(92, 28, -4)
_GROUNDS = {"dark": ("#15171a", "#f0f1f2"), "light": ("#ffffff", "#202124")}  # ground and text


def contact_sheet(pictures: Mapping[str, QPixmap], columns: int, theme: str, above: Mapping[str, QPixmap]) -> QImage:
    """Return one picture of many, in the order given.

    Parameters
    ----------
    pictures : mapping of str to QPixmap
        What is shown, by its name. Each goes into the column that is the shortest so far.
    columns : int
        How many of them lie side by side.
    theme : str
        "dark" or "light": the ground.
    above : mapping of str to QPixmap
        Larger ones, which lie side by side above all columns.
    """
    width = max(picture.width() for picture in pictures.values())
    full = columns * (width + _GAP) + _GAP
    places: dict[str, tuple[int, int]] = {}
    left = _GAP
    for name, picture in above.items():
        places[name] = (left, _GAP)
        left += picture.width() + _GAP
    first = _GAP + max((_CAPTION + picture.height() + _GAP for picture in above.values()), default=0)
    bottoms = [first] * columns
    for name, picture in pictures.items():
        column = bottoms.index(min(bottoms))
        places[name] = (_GAP + column * (width + _GAP), bottoms[column])
        bottoms[column] += _CAPTION + picture.height() + _GAP
    ground, ink = (QColor(colour) for colour in _GROUNDS[theme])
    sheet = QImage(max(full, left), max(bottoms), QImage.Format.Format_RGB32)
    sheet.fill(ground)
    painter = QPainter(sheet)
    painter.setPen(ink)
    for name, (left, upper) in places.items():
        painter.drawText(QRect(left, upper, width, _CAPTION), Qt.AlignmentFlag.AlignVCenter, name)
        painter.drawPixmap(left, upper + _CAPTION, {**pictures, **above}[name])
    painter.end()
    return sheet


def write_jpeg(picture: QImage, path: Path, most_bytes: int) -> None:
    """Write a picture as a JPEG, as good as the size of the file allows."""
    for quality in _QUALITIES:
        picture.save(str(path), "jpg", quality)
        if path.stat().st_size <= most_bytes:
            return
    raise ValueError(f"{path} is larger than {most_bytes} bytes at any quality: put fewer pictures on it.")
