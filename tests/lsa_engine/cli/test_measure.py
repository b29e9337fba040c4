from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile

from lsa_engine.cli.main import main
from lsa_engine.image_io import read_alpha, read_image
from lsa_engine.measure import measure_matte, to_columns


@pytest.fixture
def labels_file(folder: Path) -> Path:
    """Labels 7 and 300 for the left and the right half of the scene."""
    height, width = read_alpha(folder / "alpha.png").shape
    labels = np.full((height, width), 7, np.uint16)
    labels[:, width // 2 :] = 300
    tifffile.imwrite(folder / "labels.tif", labels)
    return folder / "labels.tif"


def test_the_table_holds_what_the_engine_measures(folder: Path, labels_file: Path, capsys) -> None:
    alpha, image, out = folder / "alpha.png", folder / "image.png", folder / "table.csv"
    command = ["measure", str(alpha), "--image", str(image), "--labels", str(labels_file)]
    assert main([*command, "--spacing", "0.5", "0.25", "--unit", "um", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"Wrote {out} (2 objects).\n"
    expected = to_columns(
        measure_matte(
            read_alpha(alpha),
            read_image(image),
            labels=read_image(labels_file),
            spacing=(0.5, 0.25),
            unit="um",
            channel_names=["red", "green", "blue"],
        )
    )
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [row["object"] for row in rows] == ["7", "300"]
    for name, column in expected.items():
        assert [float(row[name]) for row in rows] == column


def test_without_a_file_the_table_is_printed_as_markdown_in_pixels(folder: Path, capsys) -> None:
    assert main(["measure", str(folder / "alpha.png")]) == 0
    text = capsys.readouterr().out
    soft = measure_matte(read_alpha(folder / "alpha.png"))[0].soft_area
    assert "Lengths are in pixel;" in text and "| soft_area_pixel2 |" in text
    assert f"| alpha | {soft:.5g} |" in text


@pytest.mark.parametrize("half", [["--unit", "um"], ["--spacing", "1", "2"]])
def test_a_spacing_without_a_unit_or_the_reverse_is_a_usage_error(folder: Path, half: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main(["measure", str(folder / "alpha.png"), *half])
    assert left.value.code == 2
    assert "--spacing and --unit go together" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "table.txt"], "does not end in .csv"),
        (["--labels", "image.png"], "labels have shape"),
        (["--spacing", "0", "1", "--unit", "um"], "above 0"),
        (["--image", "nowhere.png"], "no file nowhere.png"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    folder: Path, arguments: list[str], words: str, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert main(["measure", "alpha.png", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and words in said
