from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from lsa_engine.errors import FileError, InputError
from lsa_engine.evaluation.metrics import Scores
from lsa_engine.evaluation.protocols import Row
from lsa_engine.evaluation.report import means, to_csv, to_json, to_markdown, write_report


def rows() -> list[Row]:
    """Two images with two trimaps by one method, one case by another."""
    return [
        Row("ours", "GT02", "trimap1", Scores(1.0, 0.010, 4.0, 0.5, 100), 1.0),
        Row("ours", "GT05", "trimap1", Scores(3.0, 0.030, 6.0, 1.5, 300), 3.0),
        Row("ours", "GT02", "trimap2", Scores(5.0, 0.050, 8.0, 2.5, 200), 2.0),
        Row("ours", "GT05", "trimap2", Scores(9.0, 0.070, 2.0, 3.5, 400), 4.0),
        Row("other | one", "GT02", "trimap1", Scores(7.0, 1 / 3, 5.0, 4.5, 100), None),
    ]


def test_means_are_taken_per_trimap_and_over_all_with_every_case_counting_the_same() -> None:
    found = [(m.method, m.trimap, m.cases, m.sad, m.mse, m.grad, m.conn, m.seconds) for m in means(rows())]
    assert found == [
        ("ours", "trimap1", 2, 2.0, pytest.approx(0.02), 5.0, 1.0, 2.0),
        ("ours", "trimap2", 2, 7.0, pytest.approx(0.06), 5.0, 3.0, 3.0),
        ("ours", "all", 4, 4.5, pytest.approx(0.04), 5.0, 2.0, 2.5),
        ("other | one", "all", 1, 7.0, 1 / 3, 5.0, 4.5, None),
    ]


def test_a_method_with_one_trimap_has_one_mean() -> None:
    assert [mean.trimap for mean in means(rows()[:2])] == ["all"]


def test_a_mean_time_needs_the_time_of_every_case() -> None:
    mixed = [rows()[0], Row("ours", "GT05", "trimap1", rows()[1].scores, None)]
    assert means(mixed)[0].seconds is None


def test_markdown_names_the_region_and_the_units_and_has_a_row_for_every_mean_and_case() -> None:
    text = to_markdown(rows())
    assert "over the unknown region of the trimap" in text.splitlines()[0]
    assert "SAD ÷ 1000, MSE plain, Grad ÷ 1000, Conn ÷ 1000" in text.splitlines()[0]
    assert "| ours | all | 4 | 4.500 | 0.04000 | 5.000 | 2.000 | 2.50 |" in text
    assert "| ours | GT05 | trimap2 | 400 | 9.000 | 0.07000 | 2.000 | 3.500 | 4.00 |" in text
    assert r"| other \| one | GT02 | trimap1 | 100 | 7.000 | 0.33333 | 5.000 | 4.500 | – |" in text
    tables = [block.splitlines() for block in text.split("\n\n")[1:]]
    assert [len(table) for table in tables] == [2 + 4, 2 + 5]
    for table in tables:
        columns = {line.replace(r"\|", "").count("|") for line in table}
        assert len(columns) == 1


def test_csv_keeps_full_precision_and_tells_cases_from_means() -> None:
    lines = list(csv.DictReader(to_csv(rows()).splitlines()))
    assert [line["kind"] for line in lines] == ["case"] * 5 + ["mean"] * 4
    assert {line["region"] for line in lines} == {"unknown"}
    other = lines[4]
    assert (other["method"], other["image"], other["seconds"]) == ("other | one", "GT02", "")
    assert float(other["mse"]) == 1 / 3
    whole = lines[7]
    assert (whole["method"], whole["trimap"], whole["cases"], float(whole["sad"])) == ("ours", "all", "4", 4.5)


def test_json_holds_region_units_means_and_cases() -> None:
    document = json.loads(to_json(rows()))
    assert document["region"] == "the unknown region of the trimap"
    assert document["units"]["mse"] == "plain"
    assert document["cases"][4] == {
        "method": "other | one",
        "image": "GT02",
        "trimap": "trimap1",
        "sad": 7.0,
        "mse": 1 / 3,
        "grad": 5.0,
        "conn": 4.5,
        "unknown_pixels": 100,
        "seconds": None,
    }
    assert document["means"][2]["sad"] == 4.5
    assert document["means"][2]["cases"] == 4


@pytest.mark.parametrize(("suffix", "form"), [(".md", to_markdown), (".CSV", to_csv), (".json", to_json)])
def test_the_suffix_chooses_the_format_of_a_file(tmp_path: Path, suffix: str, form) -> None:
    path = tmp_path / f"scores{suffix}"
    path.write_text("an older table")
    write_report(path, rows())
    assert path.read_bytes().decode("utf-8") == form(rows())
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_suffix_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scores\.xlsx does not end in \.md, \.csv, \.json"):
        write_report(tmp_path / "scores.xlsx", rows())
    assert not list(tmp_path.iterdir())


def test_no_rows_are_refused_and_an_older_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "scores.md"
    path.write_text("an older table")
    with pytest.raises(InputError, match="No rows"):
        write_report(path, [])
    assert path.read_text() == "an older table"


def test_a_folder_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="missing"):
        write_report(tmp_path / "missing" / "scores.md", rows())
