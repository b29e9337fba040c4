from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from lsa_engine.errors import FileError, InputError
from lsa_engine.measure import Measurement, measure_matte, to_columns, to_csv, to_markdown, write_csv


@pytest.fixture
def measurements() -> list[Measurement]:
    """Two objects of which the second has no opacity, under two channels."""
    y, x = np.mgrid[:20, :30]
    alpha = np.clip((7 - np.hypot(y - 9.3, (x - 10.2) / 1.2)) / 2, 0, 1)
    image = np.dstack([x, y]).astype(np.uint8)
    labels = np.where(x < 25, 1, 5)
    return measure_matte(alpha, image, labels=labels, spacing=(0.5, 0.25), unit="µm", channel_names=["mean", "a, b|c"])


def test_columns_name_their_units_and_hold_one_value_an_object(measurements: list[Measurement]) -> None:
    columns = to_columns(measurements)
    assert list(columns)[:17] == [
        "object",
        "soft_area_um2",
        "hard_area_um2",
        "mean_opacity",
        "partial_pixels",
        "outline_length_um",
        "transition_width_um",
        "band_width_um",
        "centroid_y_um",
        "centroid_x_um",
        "covariance_yy_um2",
        "covariance_yx_um2",
        "covariance_xx_um2",
        "major_axis_um",
        "minor_axis_um",
        "orientation_rad",
        "eccentricity",
    ]
    assert list(columns)[17:24] == [f"mean_{name}" for name in ("mean", "sd", "p5", "p25", "p50", "p75", "p95")]
    assert columns["object"] == [1, 5]
    assert columns["soft_area_um2"] == [measurements[0].soft_area, 0]
    assert columns["centroid_x_um"][0] == measurements[0].centroid[1]
    assert columns["covariance_yx_um2"][0] == measurements[0].covariance[0][1]
    assert columns["mean_p50"][0] == measurements[0].channels[0].percentiles[2]
    assert {len(column) for column in columns.values()} == {2}


def test_columns_of_one_s_own_come_first_in_table_and_file(measurements: list[Measurement], tmp_path: Path) -> None:
    leading = {"frame": [0, 4], "time_s": [0.0, 0.3]}
    columns = to_columns(measurements, leading)
    assert list(columns) == [*leading, *to_columns(measurements)]
    assert (columns["frame"], columns["time_s"], columns["object"]) == ([0, 4], [0.0, 0.3], [1, 5])
    write_csv(measurements, tmp_path / "table.csv", leading)
    lines = (tmp_path / "table.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:3] for line in lines] == [
        ["frame", "time_s", "object"],
        ["0", "0.0", "1"],
        ["4", "0.3", "5"],
    ]


@pytest.mark.parametrize("leading", [{"frame": [1]}, {"object": ["a", "b"]}])
def test_columns_of_one_s_own_must_fit_the_measurements(
    measurements: list[Measurement], leading: dict[str, list[int | float | str]]
) -> None:
    with pytest.raises(InputError, match=f"leading column '{next(iter(leading))}' has"):
        to_columns(measurements, leading)


def test_columns_of_a_volume_speak_of_volumes_and_surfaces() -> None:
    columns = to_columns(measure_matte(np.ones((2, 3, 4)), spacing=(2, 1, 1), unit="mm"))
    assert columns["soft_volume_mm3"] == columns["hard_volume_mm3"] == [48]
    assert columns["surface_area_mm2"] == [0]
    wanted = {"partial_voxels", "centroid_z_mm", "covariance_zx_mm2", "middle_axis_mm", "major_axis_direction_z"}
    assert wanted <= set(columns)
    assert "orientation_rad" not in columns


def test_a_file_gives_back_the_numbers_that_were_written(measurements: list[Measurement], tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_csv(measurements, path)
    with path.open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    columns = to_columns(measurements)
    assert list(first) == list(columns)
    assert {name: float(cell) for name, cell in first.items()} == {name: column[0] for name, column in columns.items()}
    for name, cell in second.items():
        expected = columns[name][1]
        assert cell == "" if math.isnan(expected) else float(cell) == expected
    assert second["soft_area_um2"] == "0.0" and second["centroid_y_um"] == ""


def test_names_of_objects_survive_commas_and_quotes() -> None:
    name = 'cell "3", left'
    (row,) = csv.DictReader(to_csv(measure_matte({name: np.ones((2, 2))})).splitlines())
    assert row["object"] == name


def test_a_table_that_cannot_be_written_leaves_the_old_one(measurements: list[Measurement], tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(InputError, match="No measurements"):
        write_csv([], path)
    with pytest.raises(InputError, match=r"table\.txt does not end in \.csv"):
        write_csv(measurements, tmp_path / "table.txt")
    with pytest.raises(FileError):
        write_csv(measurements, tmp_path / "nowhere" / "table.csv")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


def test_measurements_of_different_columns_make_no_table(measurements: list[Measurement]) -> None:
    other = measure_matte(np.ones((2, 2)), unit="mm")
    with pytest.raises(InputError, match="soft_area_mm2, soft_area_um2"):
        to_columns([*measurements, *other])


def test_markdown_has_a_line_an_object_and_one_a_channel_of_it(measurements: list[Measurement]) -> None:
    text = to_markdown(measurements)
    assert text.startswith("Lengths are in um; the origin of y, x is the centre of the first pixel.\n")
    _, objects, channels = (block.splitlines() for block in text.split("\n\n"))
    assert (len(objects), len(channels)) == (2 + 2, 2 + 4)
    assert "mean_opacity" in objects[0] and "covariance" not in objects[0]
    assert objects[3].startswith("| 5 | 0 | 0 | – | 0 | 0 | – |")
    assert channels[3].startswith(r"| 1 | a, b\|c |")
    for table in (objects, channels):
        assert len({line.replace(r"\|", "").count("|") for line in table}) == 1


def test_markdown_without_an_image_is_one_table() -> None:
    assert len(to_markdown(measure_matte(np.ones((2, 2)))).split("\n\n")) == 2
