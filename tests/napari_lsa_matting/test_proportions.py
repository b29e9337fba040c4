"""Pictures that keep their proportions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QLabel, QWidget

from napari_lsa_matting.panel import Panel
from napari_lsa_matting.profile_view import ProfileView
from napari_lsa_matting.training_view import PictureView


def profile(folder: Path) -> ProfileView:
    view = ProfileView()
    view.show_picture(np.full((300, 400, 4), 200, np.uint8))
    return view


def validation(folder: Path) -> PictureView:
    pixels = QPixmap(400, 300)
    pixels.fill()
    assert pixels.save(str(folder / "step-8.png"))
    view = PictureView(("image", "matte"))
    view.show_file(folder / "step-8.png")
    return view


@pytest.mark.parametrize("make", [profile, validation])
def test_a_picture_in_a_panel_that_it_just_fills_settles_at_every_height(
    viewer_model: ViewerModel, qtbot: Any, tmp_path: Path, make: Any
) -> None:
    panel = Panel(viewer_model)
    qtbot.addWidget(panel)
    above = QLabel("What was made.")
    picture: QWidget = make(tmp_path)
    panel.add(above)
    panel.add(picture)
    panel.resize(270, 320)
    with qtbot.waitExposed(panel):
        panel.show()
    widths = set()
    for height in range(320, 160, -1):
        panel.resize(270, height)
        qtbot.wait(1)
        qtbot.waitUntil(lambda: picture.height() == picture.heightForWidth(picture.width()))
        assert picture.width() > 200
        widths.add(picture.width())
    # Without the bar, beside it, and in between, where only that fits.
    assert len(widths) > 2
