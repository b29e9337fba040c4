"""A folder of foregrounds refined in a worker, and the words for what came of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lsa_engine as lsa
from lsa_engine.errors import DataError
from lsa_engine.foreground.folders import FolderReport
from lsa_engine.image_io import read_image, write_rgba
from lsa_engine.progress import CancelToken, Progress
from napari_lsa_matting.foreground_folder_request import RefineFolderRequest, describe_report


def test_cut_outs_are_refined_by_their_own_alpha_as_the_engine_does(tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "in").mkdir()
    pixels = rng.integers(0, 256, (20, 30, 4), dtype=np.uint8)
    write_rgba(tmp_path / "in" / "a.png", pixels)
    told: list[Progress] = []
    request = RefineFolderRequest(tmp_path / "in", None, tmp_path / "out", "paper", 0.5)
    report = request.run(told.append, CancelToken())
    expected = lsa.refine_foreground(pixels[..., :3], pixels[..., 3] / np.float32(255), method="paper", kappa=0.5)
    refined = read_image(tmp_path / "out" / "a.png")
    np.testing.assert_array_equal(refined[..., :3], expected)
    np.testing.assert_array_equal(refined[..., 3], pixels[..., 3])
    assert [line.settings for line in report.refined] == ["paper kappa=0.5"]
    assert (told[-1].done, told[-1].total) == (1, 1)


def test_foregrounds_without_alphas_are_told_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="holds no picture"):
        RefineFolderRequest(tmp_path / "in", None, tmp_path / "out", "paper", 1.0).run(lambda _: None, CancelToken())
    assert not (tmp_path / "out").exists()


def test_of_many_failures_the_first_are_told_and_the_others_counted() -> None:
    failed = tuple((f"{number}.png", "It is no picture.") for number in range(7))
    said = describe_report(FolderReport((), (), failed))
    assert said[0] == "0 refined, 0 kept from before, 7 failed; costs in refined.csv."
    assert said[1:] == [*(f"{number}.png: It is no picture." for number in range(5)), "… and 2 more."]
