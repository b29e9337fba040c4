"""What is to be seen of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtGui import QColor, QImage, QPixmap

from napari_lsa_matting.training_run import RunLog
from napari_lsa_matting.training_view import PictureView, describe_run


def drawn(view: PictureView) -> np.ndarray:
    """Return the green that is drawn, of which white has most and red none: (H, W)."""
    image = QImage(view.size(), QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    view.render(image)
    return np.array([[image.pixelColor(x, y).green() for x in range(view.width())] for y in range(view.height())])


def test_each_column_of_a_picture_has_its_caption_above_it(qtbot: Any, tmp_path: Path) -> None:
    picture = QPixmap(400, 200)
    picture.fill(QColor("white"))
    path = tmp_path / "step-8.png"
    assert picture.save(str(path))
    view = PictureView(("image", "trimap", "matte", "truth"))
    qtbot.addWidget(view)
    view.setStyleSheet("color: #ff0000;")
    view.show_file(path)
    view.resize(200, view.heightForWidth(200))
    above = view.height() - 100
    assert view.fontMetrics().height() <= above < 40
    green = drawn(view)
    assert (green[above:] == 255).all()
    assert all(column.min() < 100 for column in np.split(green[:above], 4, axis=1))
    assert view.heightForWidth(600) == above + 200  # not enlarged


def test_the_device_that_a_run_uses_is_said() -> None:
    run = RunLog(Path("run"), steps=10, step=3, losses=[(3, 0.25)], state="running", device="cuda:0")
    assert describe_run(run, stopping=False, ended_early=None) == "Running: step 3 of 10, on cuda:0, loss 0.2500"
    run.device = "auto"  # nothing is known of it yet
    assert describe_run(run, stopping=False, ended_early=None) == "Running: step 3 of 10, loss 0.2500"


def test_a_run_none_of_whose_steps_did_better_says_that_its_weights_are_those_of_its_start(tmp_path: Path) -> None:
    log = RunLog(tmp_path, steps=24, step=24, state="finished", message="All steps done.")
    log.scores = [(0, 1.13), (12, 1.2), (24, 1.19)]
    assert describe_run(log, False, None) == (
        "Finished at step 24 of 24. All steps done. No step did better than the weights that it started from: "
        "its weights are those."
    )
    for scores in ([(0, 1.13), (12, 1.2), (24, 1.1)], [(0, 1.13)], [(12, 1.1), (24, 1.2)], []):
        log.scores = scores
        assert describe_run(log, False, None) == "Finished at step 24 of 24. All steps done."
