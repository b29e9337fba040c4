"""The Foreground widget over a folder: real small files, refined, resumed, cancelled, and told what they lack."""

from __future__ import annotations

import os
import time
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
import lsa_engine.foreground.folders
from lsa_engine.foreground.folders import RECORD
from lsa_engine.image_io import read_alpha, read_image, write_alpha, write_image
from napari_lsa_matting.foreground_widget import ForegroundWidget
from widgets import run, settle

_SIZE = 24


@pytest.fixture
def folders(tmp_path: Path, rng: np.random.Generator) -> tuple[Path, Path]:
    """Three foregrounds and their alphas."""
    colours, alphas = tmp_path / "foregrounds", tmp_path / "alphas"
    for folder in (colours, alphas):
        folder.mkdir()
    for name in ("a", "b", "c"):
        write_image(colours / f"{name}.png", rng.random((_SIZE, _SIZE, 3), np.float32), bits=8)
        write_alpha(alphas / f"{name}.tif", rng.random((_SIZE, _SIZE), np.float32))
    return colours, alphas


@pytest.fixture
def widget(scene_viewer: Any, folders: tuple[Path, Path], tmp_path: Path, qtbot: Any) -> ForegroundWidget:
    """The widget with everything chosen."""
    widget = ForegroundWidget(scene_viewer)
    scene_viewer.window.add_dock_widget(widget, name="Foreground")
    widget.task.value = "folder"
    widget.folders.foregrounds.value, widget.folders.alphas.value = folders
    widget.folders.output.value = tmp_path / "out"
    settle(qtbot, widget)
    return widget


def test_a_folder_is_refined_as_the_engine_does_and_a_second_run_keeps_what_is_done(
    widget: ForegroundWidget, folders: tuple[Path, Path], tmp_path: Path, qtbot: Any
) -> None:
    layers = len(widget.viewer.layers)
    widget.kappa.value = 0.5
    assert run(qtbot, widget) == "3 refined, 0 kept from before, 0 failed; costs in refined.csv."
    colours, alphas = folders
    for name in ("a", "b", "c"):
        expected = lsa.refine_foreground(
            read_image(colours / f"{name}.png"), read_alpha(alphas / f"{name}.tif"), kappa=0.5
        )
        np.testing.assert_array_equal(read_image(tmp_path / "out" / f"{name}.png"), expected)
    (tmp_path / "out" / "b.png").unlink()
    assert run(qtbot, widget).startswith("1 refined, 2 kept from before, 0 failed")
    widget.method.value = "paper"
    assert run(qtbot, widget).startswith("3 refined, 0 kept")
    assert len(widget.viewer.layers) == layers


def test_a_file_that_cannot_be_refined_is_named_with_the_reason(
    widget: ForegroundWidget, folders: tuple[Path, Path], qtbot: Any, notifications: list[str]
) -> None:
    (folders[0] / "b.png").write_bytes(b"no picture")
    first, failure = run(qtbot, widget).split("\n")
    assert first.startswith("2 refined, 0 kept from before, 1 failed")
    assert failure.startswith("b.png: ") and str(folders[0] / "b.png") in failure
    assert notifications == []


def test_cancel_keeps_the_files_that_are_done_and_the_next_run_goes_on(
    widget: ForegroundWidget, folders: tuple[Path, Path], tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refine, numbers = lsa_engine.foreground.folders.refine_foreground, count(1)

    def held_up(*arrays: Any, cancel: Any, **settings: Any) -> Any:
        held = next(numbers) > 3  # no run is over before it can be cancelled
        while held and not cancel.cancelled:
            time.sleep(0.01)
        return refine(*arrays, cancel=cancel, **settings)

    colours, alphas = folders
    for number in range(20):
        os.link(colours / "a.png", colours / f"{number:03}.png")
        os.link(alphas / "a.tif", alphas / f"{number:03}.tif")
    out = tmp_path / "out"
    settle(qtbot, widget)
    with monkeypatch.context() as patch:
        patch.setattr(lsa_engine.foreground.folders, "refine_foreground", held_up)
        widget.controls.run_button.click()
        qtbot.waitUntil(lambda: len(list(out.glob("*.png"))) == 3)
        widget.controls.cancel_button.click()
        settle(qtbot, widget)
    assert widget.controls.outcome.text() == (
        "Cancelled; the files that are done are kept, and the next run goes on with the others."
    )
    done = {path.name for path in out.glob("*.png")}
    assert len(done) == 3
    left = sorted({path.name for path in colours.iterdir()} - done)
    for name in left[2:]:
        (colours / name).unlink()
    assert run(qtbot, widget).startswith(f"2 refined, {len(done)} kept from before, 0 failed")


def test_the_code_refines_the_same_folder_into_the_same_files(
    widget: ForegroundWidget, tmp_path: Path, qtbot: Any, copied: Any, execute: Any
) -> None:
    widget.method.value, widget.kappa.value = "paper", 2.5
    run(qtbot, widget)
    files = {path: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    for path in (*files, tmp_path / "out" / RECORD):
        path.unlink()
    report = execute(copied(widget.code))["report"]
    assert [line.settings for line in report.refined] == ["paper kappa=2.5"] * 3
    assert {path: path.read_bytes() for path in files} == files


def test_what_does_not_fit_is_said_before_the_run(
    widget: ForegroundWidget, folders: tuple[Path, Path], tmp_path: Path, qtbot: Any
) -> None:
    rows, said = widget.folders, widget.controls.reason.text

    def choose(row: Any, path: Path | str) -> str:
        row.line_edit.value = str(path)
        settle(qtbot, widget)
        assert widget.controls.run_button.isEnabled() == (not said())
        return str(said())

    assert choose(rows.output, folders[1]).endswith("holds what is to be refined: choose another folder.")
    assert choose(rows.output, folders[0] / "a.png").endswith("is a file: choose a folder.")
    assert choose(rows.output, "") == "No output folder is chosen: choose where the refined files go."
    assert choose(rows.output, tmp_path / "new") == ""
    assert choose(rows.alphas, tmp_path / "nowhere").endswith("choose one that holds alphas, or none.")
    assert choose(rows.alphas, "") == ""
    assert widget.folders.request("paper", 1.0).alphas is None
    assert choose(rows.foregrounds, tmp_path / "nowhere").endswith("choose one that holds foregrounds.")
    assert choose(rows.foregrounds, "") == "No folder of foregrounds is chosen: choose one."


def test_the_rows_of_layers_and_of_folders_take_each_other_s_place(widget: ForegroundWidget, qtbot: Any) -> None:
    rows = widget.folders
    of_folders = [row.native for row in (rows.foregrounds, rows.alphas, rows.output)]
    assert not any(row.isHidden() for row in (*of_folders, widget.kappa.native))
    stack = widget.viewer.add_image(np.zeros((2, _SIZE, _SIZE)), name="stains", axis_labels=("c", "y", "x"))
    widget.image.value = stack
    settle(qtbot, widget)
    of_layers = [choice.native for choice in (widget.image, widget.alpha, widget.channels.box)]
    assert all(row.isHidden() for row in of_layers)
    widget.task.value = "refine"
    assert all(row.isHidden() for row in of_folders)
    assert not any(row.isHidden() for row in of_layers)
