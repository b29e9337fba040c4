from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from lsa_engine.cli.main import main
from lsa_engine.evaluation import evaluate
from lsa_engine.image_io import read_alpha, write_alpha, write_image


@pytest.fixture
def data_set(tmp_path: Path, scene) -> Path:
    """Two cases in a folder: the scene, and the scene mirrored."""
    root = tmp_path / "data"
    for name in ("image", "alpha", "trimap"):
        (root / name).mkdir(parents=True)
    for name, step in (("one", 1), ("two", -1)):
        write_image(root / "image" / f"{name}.png", scene.image[:, ::step])
        write_alpha(root / "alpha" / f"{name}.png", scene.alpha[:, ::step])
        write_alpha(root / "trimap" / f"{name}.png", scene.trimap[:, ::step], bits=8)
    return root


def test_a_network_is_scored_on_every_case(
    data_set: Path, weights_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(data_set), "--weights", str(weights_file), "--device", "cpu", "--format", "json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert [case["image"] for case in table["cases"]] == ["one", "two"]
    assert {case["method"] for case in table["cases"]} == {"untrained"}
    assert all(case["seconds"] > 0 for case in table["cases"])


def test_the_network_of_the_table_is_the_one_of_matte(
    data_set: Path, weights_file: Path, tmp_path: Path, scene, capsys
) -> None:
    model = ["--weights", str(weights_file), "--device", "cpu", "--dtype", "float32"]
    image, trimap = (str(data_set / kind / "one.png") for kind in ("image", "trimap"))
    assert main(["matte", image, trimap, "-o", str(tmp_path / "out.tif"), *model]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(data_set), "--format", "json", *model]) == 0
    case = json.loads(capsys.readouterr().out)["cases"][0]
    alone = evaluate(read_alpha(tmp_path / "out.tif"), read_alpha(data_set / "alpha" / "one.png"), scene.trimap)
    assert case["sad"] == pytest.approx(alone.sad, rel=1e-3)


def test_stored_mattes_are_scored_and_true_ones_score_zero(data_set: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    assert main(["evaluate", str(data_set), "--predictions", str(data_set / "alpha"), "-o", str(out)]) == 0
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [row["kind"] for row in rows] == ["case", "case", "mean"]
    assert all(float(row[metric]) == 0 for row in rows for metric in ("sad", "mse", "grad", "conn"))


@pytest.mark.parametrize("option", [("--tta", "8"), ("--refine", "fast"), ("--weights", "mine"), ("--method", "knn")])
def test_stored_mattes_are_not_scored_as_if_something_were_computed(
    data_set: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["evaluate", str(data_set), "--predictions", str(data_set / "alpha"), *option])
    assert left.value.code == 2
    assert f"--predictions was given with {option[0]}, but nothing is computed" in capsys.readouterr().err


def test_the_table_is_markdown_unless_asked_otherwise(data_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(data_set), "--predictions", str(data_set / "alpha")]) == 0
    assert "| alpha | all | 2 | 0.000 | 0.00000 | 0.000 | 0.000 | – |" in capsys.readouterr().out


def test_a_folder_without_cases_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(tmp_path) in said


def test_a_format_that_contradicts_the_file_is_a_usage_error(
    data_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["evaluate", str(data_set), "--format", "md", "-o", "scores.csv"])
    assert left.value.code == 2
    assert "--format md does not fit scores.csv" in capsys.readouterr().err
