"""``lsa matte`` from folders to folders: lines, statuses, and runs that were stopped."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lsa_engine.cli.main import main
from lsa_engine.image_io import read_alpha, read_image, write_alpha, write_image

COMMON = ("--device", "cpu", "--dtype", "float32")


@pytest.fixture
def pairs(tmp_path: Path, scene, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with images/ and trimaps/ of three scenes."""
    fill(tmp_path, scene, ["a", "b", "ü 3"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


MANY = 2000


def fill_with_many(root: Path, scene) -> None:
    """Make folders of images that no run comes to the end of: nobody reads its lines, and a pipe holds 64 KiB of them.

    They are one and the same file.
    """
    fill(root, scene, ["0000"])
    for folder in (root / "images", root / "trimaps"):
        for number in range(1, MANY):
            os.link(folder / "0000.png", folder / f"{number:04}.png")


def fill(root: Path, scene, names: list[str]) -> None:
    for folder in ("images", "trimaps"):
        (root / folder).mkdir()
    for number, name in enumerate(names):
        write_image(root / "images" / f"{name}.png", np.roll(scene.image, number, 1), bits=8)
        write_alpha(root / "trimaps" / f"{name}.png", scene.trimap, bits=8)


def matte(weights: Path, *arguments: str) -> int:
    return main(["matte", "images", "trimaps", "-o", "out", "--weights", str(weights), *COMMON, *arguments])


def test_each_image_has_a_line_and_the_mattes_of_single_commands(pairs: Path, weights_file: Path, capsys) -> None:
    assert matte(weights_file, "--cutout", "cut", "--report", "reports") == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["a.png", "b.png", "ü 3.png", "out"]
    assert lines[0].startswith("a.png: done, 64 × 48, ") and "pixels unknown" in lines[0]
    assert lines[-1] == "out: 3 matted, 0 kept from before, 0 failed; one line each in mattes.csv."
    assert printed.err == ""
    single = ["-o", "s.png", "--cutout", "c.png", "--weights", str(weights_file), *COMMON]
    assert main(["matte", "images/ü 3.png", "trimaps/ü 3.png", *single]) == 0
    for ours, single in (("out/ü 3.png", "s.png"), ("cut/ü 3.png", "c.png")):
        expected = read_image(pairs / single)
        assert np.abs(read_image(pairs / ours).astype(float) - expected).max() <= 1e-4 * np.iinfo(expected.dtype).max
    assert sorted(path.name for path in (pairs / "reports").iterdir()) == ["a.json", "b.json", "ü 3.json"]


def test_failures_are_told_recorded_and_show_in_the_status_while_the_others_are_done(
    pairs: Path, weights_file: Path, capsys
) -> None:
    (pairs / "trimaps" / "a.png").unlink()
    (pairs / "images" / "b.png").write_bytes((pairs / "images" / "b.png").read_bytes()[:500])
    assert matte(weights_file, "--report", "all.json") == 2
    printed = capsys.readouterr()
    said = printed.err.splitlines()
    assert said[0].startswith("lsa: a.png was not matted: There is no trimap with the name of a.png")
    assert said[1].startswith("lsa: b.png was not matted: ") and "truncated or damaged" in said[1]
    assert printed.out.splitlines()[-1].startswith("out: 1 matted, 0 kept from before, 2 failed")
    assert read_alpha(pairs / "out" / "ü 3.png").shape == (48, 64)
    report = json.loads((pairs / "all.json").read_text(encoding="utf-8"))
    assert [line["status"] == "done" for line in report] == [False, False, True]


def test_all_lines_go_into_one_csv_table_on_request(pairs: Path, weights_file: Path) -> None:
    assert matte(weights_file, "--format", "tif") == 0
    assert matte(weights_file, "--format", "tif", "--report", "all.csv") == 0
    with (pairs / "all.csv").open(newline="", encoding="utf-8") as file:
        assert [(row["name"], row["status"]) for row in csv.DictReader(file)] == [
            ("a.tif", "kept"),
            ("b.tif", "kept"),
            ("ü 3.tif", "kept"),
        ]
    assert read_image(pairs / "out" / "a.tif").dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["images", "trimaps/a.png", "-o", "out"], "images is a folder and trimaps/a.png is not"),
        (["images/a.png", "trimaps", "-o", "out"], "trimaps is a folder and images/a.png is not"),
        (["images", "trimaps", "-o", "out.png"], "-o out.png names a file, but images is a folder"),
        (["images", "trimaps", "-o", "out", "--cutout", "c.tif"], "--cutout c.tif names a file"),
        (["images/a.png", "trimaps/a.png", "-o", "out.png", "--format", "tif"], "--format is for folders"),
    ],
)
def test_files_and_folders_that_do_not_go_together_are_usage_errors(
    arguments: list[str], said: str, pairs: Path, capsys
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["matte", *arguments])
    assert left.value.code == 2
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in pairs.iterdir()) == ["images", "trimaps"]


def start(folder: Path, weights: Path, lines: int) -> subprocess.Popen[str]:
    """Start a run, and return it when its record has so many lines."""
    process = subprocess.Popen(command(weights), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    record = folder / "out" / "mattes.csv"
    while not record.exists() or len(record.read_text(encoding="utf-8").splitlines()) < lines:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    return process


def command(weights: Path) -> list[str]:
    files = ["images", "trimaps", "-o", "out", "--weights", str(weights)]
    return [sys.executable, "-m", "lsa_engine", "matte", *files, *COMMON]


def test_a_run_killed_half_way_is_finished_by_the_next_without_redoing_or_damaging_any(
    tmp_path: Path, weights_file: Path, scene
) -> None:
    fill_with_many(tmp_path, scene)
    process = start(tmp_path, weights_file, 24)  # two lines an image: begun and done
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with (tmp_path / "out" / "mattes.csv").open(newline="", encoding="utf-8") as file:
        done = {row["name"] for row in csv.DictReader(file) if row["status"] == "done"}
    whole = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("[0-9]*.png")}
    assert 10 < len(done) < MANY
    assert done <= whole.keys()
    for name in whole:
        assert read_image(tmp_path / "out" / name).shape == (48, 64)

    # Of what was left, a few are enough; the first is the one that it was killed at.
    left = sorted({path.name for path in (tmp_path / "images").iterdir()} - done)
    for name in left[3:]:
        (tmp_path / "images" / name).unlink()
        (tmp_path / "trimaps" / name).unlink()
    again = subprocess.run(command(weights_file), cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"3 matted, {len(done)} kept from before, 0 failed" in again.stdout
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert len(after) == len(done) + 3 + 1
    assert {name: after[name] for name in done} == {name: whole[name] for name in done}


def test_ctrl_c_stops_with_130_and_whole_files_that_the_next_run_keeps(
    tmp_path: Path, weights_file: Path, scene
) -> None:
    fill_with_many(tmp_path, scene)
    process = start(tmp_path, weights_file, 10)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert said == "lsa: stopped with Ctrl-C; no half-written file was left.\n"
    with (tmp_path / "out" / "mattes.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["status"] for row in rows} == {"done"}
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [*sorted(row["name"] for row in rows), "mattes.csv"]
    assert 4 <= len(rows) < MANY
    for row in rows:
        assert read_image(tmp_path / "out" / row["name"]).shape == (48, 64)
