"""Foregrounds of a folder: matched, refined once, kept, and never damaged."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lsa_engine.errors import Cancelled, DataError, FileError
from lsa_engine.foreground import energy, refine_foreground
from lsa_engine.foreground.folders import RECORD, find_pairs, read_pair, refine_files
from lsa_engine.image_io import read_alpha, read_image, write_alpha, write_image, write_rgba
from lsa_engine.progress import CancelToken, Progress


def make_pairs(root: Path, count: int, size: int = 24, bits: int = 8) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    colours, alphas = root / "foregrounds", root / "alphas"
    colours.mkdir()
    alphas.mkdir()
    for index in range(count):
        write_image(colours / f"{index:03}.png", rng.random((size, size + index % 5, 3), np.float32), bits=bits)
        write_alpha(alphas / f"{index:03}.tif", rng.random((size, size + index % 5), np.float32))
    return colours, alphas


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_each_file_becomes_what_the_function_gives(tmp_path: Path, bits: int, dtype: type) -> None:
    pairs = find_pairs(*make_pairs(tmp_path, 3, bits=bits))
    report = refine_files(pairs, tmp_path / "out", kappa=0.5)
    assert [line.name for line in report.refined] == ["000.png", "001.png", "002.png"]
    assert (report.kept, report.failed) == ((), ())
    for pair, line in zip(pairs, report.refined, strict=True):
        refined = read_image(tmp_path / "out" / line.name)
        assert refined.dtype == dtype
        colours, alpha = read_image(pair.foreground), read_alpha(pair.alpha)
        np.testing.assert_array_equal(refined, refine_foreground(colours, alpha, kappa=0.5))
        assert line.cost_before == pytest.approx(energy(colours, colours, alpha, 0.5))
        assert line.cost_after == pytest.approx(energy(refined, colours, alpha, 0.5))
        assert line.cost_after < line.cost_before
        assert line.relative_gap is not None
        assert line.relative_gap <= 1.01e-3


def test_cut_outs_bring_their_alpha_and_keep_it(tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "in").mkdir()
    pixels = rng.integers(0, 65536, (20, 30, 4), dtype=np.uint16)
    write_rgba(tmp_path / "in" / "a.tif", pixels)
    (pair,) = find_pairs(tmp_path / "in")
    refine_files([pair], tmp_path / "out")
    refined = read_image(tmp_path / "out" / "a.tif")
    assert refined.dtype == np.uint16
    np.testing.assert_array_equal(refined[..., 3], pixels[..., 3])
    np.testing.assert_array_equal(refined[..., :3], refine_foreground(pixels[..., :3], pixels[..., 3] / 65535))


def test_a_second_call_keeps_what_is_done_and_redoes_what_has_changed(tmp_path: Path) -> None:
    colours, alphas = make_pairs(tmp_path, 4)
    pairs, out = find_pairs(colours, alphas), tmp_path / "out"
    first = refine_files(pairs, out)
    times = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    again = refine_files(pairs, out)
    assert again.refined == ()
    assert again.kept == first.refined
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == times

    write_image(colours / "001.png", np.zeros((24, 25, 3), np.uint8))
    (out / "002.png").unlink()
    third = refine_files(pairs, out)
    assert [line.name for line in third.refined] == ["001.png", "002.png"]
    assert [line.name for line in third.kept] == ["000.png", "003.png"]
    assert read_image(out / "001.png").max() == 0

    other = refine_files(pairs, out, kappa=2.0)
    assert len(other.refined) == 4


def test_a_file_that_could_not_be_made_anew_is_not_kept_for_the_new_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, out = find_pairs(*make_pairs(tmp_path, 2)), tmp_path / "out"
    refine_files(pairs, out)

    def full(*_: object) -> None:
        raise FileError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr("lsa_engine.foreground.folders.write_refined", full)
        assert len(refine_files(pairs, out, kappa=2.0).failed) == 2
    assert len(refine_files(pairs, out, kappa=2.0).refined) == 2
    assert len(refine_files(pairs, out, kappa=2.0).kept) == 2


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    colours, alphas = make_pairs(tmp_path, 3)
    (colours / "001.png").write_bytes(b"no picture")
    write_alpha(alphas / "002.tif", np.zeros((5, 5), np.float32))
    report = refine_files(find_pairs(colours, alphas), tmp_path / "out")
    assert [line.name for line in report.refined] == ["000.png"]
    assert [name for name, _ in report.failed] == ["001.png", "002.png"]
    assert "(5, 5)" in report.failed[1][1]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["000.png", RECORD]


def test_the_record_is_a_table_that_other_programs_read(tmp_path: Path) -> None:
    refine_files(find_pairs(*make_pairs(tmp_path, 2)), tmp_path / "out", method="paper")
    with (tmp_path / "out" / RECORD).open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["name"])
    assert [row["name"] for row in rows] == ["000.png", "001.png"]
    assert rows[0]["settings"] == "paper kappa=1"
    assert float(rows[0]["cost_after"]) < float(rows[0]["cost_before"])
    assert rows[0]["relative_gap"] == ""


def test_a_record_cut_off_in_the_middle_of_a_line_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    pairs, out = find_pairs(*make_pairs(tmp_path, 2)), tmp_path / "out"
    refine_files(pairs, out, workers=1)
    text = (out / RECORD).read_text()
    (out / RECORD).write_text(text[: text.rindex("001.png") + 12])
    (out / "001.png").unlink()
    report = refine_files(pairs, out)
    assert [line.name for line in report.kept] == ["000.png"]
    assert [line.name for line in refine_files(pairs, out).kept] == ["000.png", "001.png"]


def test_cancelling_keeps_what_is_written(tmp_path: Path) -> None:
    pairs, out, token = find_pairs(*make_pairs(tmp_path, 12)), tmp_path / "out", CancelToken()

    def stop_after_three(step: Progress) -> None:
        if step.done >= 3:
            token.cancel()

    with pytest.raises(Cancelled):
        refine_files(pairs, out, workers=1, progress=stop_after_three, cancel=token)
    written = sorted(path.name for path in out.iterdir())
    assert 3 <= len(written) - 1 < 12
    report = refine_files(pairs, out)
    assert len(report.kept) == len(written) - 1
    assert len(report.kept) + len(report.refined) == 12


class SetAtTheThirdLook(CancelToken):
    """A token that is set while the first file is at work: the run itself has looked twice before that."""

    looks = 0

    @property
    def cancelled(self) -> bool:
        self.looks += 1
        return self.looks > 2


def test_cancelling_does_not_wait_for_the_file_at_work(tmp_path: Path) -> None:
    pairs = find_pairs(*make_pairs(tmp_path, 1))
    with pytest.raises(Cancelled):
        refine_files(pairs, tmp_path / "out", cancel=SetAtTheThirdLook())
    assert list((tmp_path / "out").glob("*.png")) == []


def test_a_run_killed_half_way_is_finished_by_the_next_without_redoing_or_damaging_any(tmp_path: Path) -> None:
    colours, alphas = make_pairs(tmp_path, 100)
    for number in range(100, 5000):  # so many that no run is over before it can be killed
        os.link(colours / "000.png", colours / f"{number:03}.png")
        os.link(alphas / "000.tif", alphas / f"{number:03}.tif")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "lsa_engine", "refine-foreground", str(colours), str(alphas), "-o", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not (out / RECORD).exists() or len((out / RECORD).read_text().splitlines()) < 40:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    whole = {path.name: path.stat().st_mtime_ns for path in out.glob("[0-9]*.png")}
    assert 30 < len(whole) < 5000
    for name in whole:
        assert read_image(out / name).shape[0] == 24

    # Of what was left, some are enough.
    left = sorted({path.name for path in colours.iterdir()} - whole.keys())
    for name in left[20:]:
        (colours / name).unlink()
        (alphas / name).with_suffix(".tif").unlink()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{len(whole)} kept from before, 0 failed" in done.stdout
    after = {path.name: path.stat().st_mtime_ns for path in out.iterdir() if path.name != RECORD}
    assert len(after) == len(whole) + 20
    assert {name: after[name] for name in whole} == whole
    for pair in find_pairs(colours, alphas)[::9]:
        np.testing.assert_array_equal(read_image(out / pair.output_name), refine_foreground(*read_pair(pair)))


def test_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    colours, alphas = make_pairs(tmp_path, 2)
    pairs = find_pairs(colours, alphas)
    with pytest.raises(FileError, match=r"2 files that a refinement did not put there \(000.png, 001.png\)"):
        refine_files(pairs, colours)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    pairs = find_pairs(*make_pairs(tmp_path, 1))
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="cannot be made"):
        refine_files(pairs, tmp_path / "out")


def test_what_does_not_match_is_told_in_one_sentence(tmp_path: Path) -> None:
    colours, alphas = make_pairs(tmp_path, 3)
    with pytest.raises(DataError, match="is not a folder"):
        find_pairs(tmp_path / "nowhere", alphas)
    (alphas / "002.tif").unlink()
    with pytest.raises(DataError, match=r"1 of 3 foregrounds .* \(002\)"):
        find_pairs(colours, alphas)
    write_image(colours / "001.tif", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match="two pictures named 001"):
        find_pairs(colours, alphas)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no picture"):
        find_pairs(tmp_path / "empty")


def test_a_foreground_without_alpha_says_what_to_do(tmp_path: Path) -> None:
    colours, _ = make_pairs(tmp_path, 1)
    report = refine_files(find_pairs(colours), tmp_path / "out")
    assert "has no alpha channel" in report.failed[0][1]
