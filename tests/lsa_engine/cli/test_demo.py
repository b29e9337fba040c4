from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lsa_engine import samples
from lsa_engine.cli.demo import overview
from lsa_engine.cli.main import main
from lsa_engine.image_io import read_alpha, read_image


def test_the_demo_writes_alpha_cutout_and_overview_of_the_sample(tmp_path: Path, weights_file: Path) -> None:
    folder = tmp_path / "new" / "demo"
    assert main(["demo", "--output", str(folder), "--weights", str(weights_file), "--device", "cpu"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "alpha.png",
        "cutout.png",
        "overview.png",
        "refinement.png",
    ]
    image, trimap = samples.load_photograph(), samples.load_trimap()
    height, width = trimap.shape
    alpha = read_alpha(folder / "alpha.png")
    assert alpha.shape == (height, width)
    assert (alpha[trimap.foreground] == 1).all() and (alpha[trimap.background] == 0).all()
    cutout = read_image(folder / "cutout.png")
    assert cutout.shape == (height, width, 4) and cutout.dtype == np.uint8
    picture = read_image(folder / "overview.png")
    assert picture.shape[0] == height and picture.shape[1] > 4 * width
    np.testing.assert_array_equal(picture[:, :width], image)
    assert read_image(folder / "refinement.png").shape[2] == 3


def test_the_overview_shows_image_trimap_alpha_and_cutout_in_this_order(scene) -> None:
    rgba = np.dstack([scene.foreground, scene.alpha])
    picture = overview(scene.image, scene.trimap, rgba)
    width = scene.alpha.shape[1]
    gap = (picture.shape[1] - 4 * width) // 3
    parts = [picture[:, i * (width + gap) :][:, :width] for i in range(4)]
    np.testing.assert_allclose(parts[0], scene.image, atol=1e-6)
    np.testing.assert_allclose(parts[1][..., 0], scene.trimap / 255, atol=1e-6)
    np.testing.assert_allclose(parts[2][..., 1], scene.alpha, atol=1e-6)
    inside = scene.alpha == 1
    np.testing.assert_allclose(parts[3][inside], scene.foreground[inside], atol=1e-6)
    corner = parts[3][:32, :32][scene.alpha[:32, :32] == 0]
    assert len(np.unique(corner, axis=0)) == 2, "the checkerboard has two grays"


def test_a_folder_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, weights_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    assert main(["demo", "--output", str(tmp_path / "taken" / "demo"), "--weights", str(weights_file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "cannot be made" in said and "--output" in said


def test_a_demo_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    assert main(["demo", "--output", str(tmp_path / "demo"), "--weights", "no-such-weights"]) == 2
    assert list(tmp_path.iterdir()) == []
