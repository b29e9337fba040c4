"""Tables of measurements: columns for napari and pandas, CSV to keep, Markdown to read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from lsa_engine.errors import InputError
from lsa_engine.image_io import atomic_path
from lsa_engine.markdown import markdown_table
from lsa_engine.measure.intensity import PERCENTILES
from lsa_engine.measure.matte import AXES, Measurement

Cell = int | float | str

_AXIS_NAMES = {2: ("major", "minor"), 3: ("major", "middle", "minor")}


def to_columns(
    measurements: Sequence[Measurement], leading: Mapping[str, Sequence[Cell]] | None = None
) -> dict[str, list[Cell]]:
    """Return a table as columns, which ``layer.features`` of napari and ``pandas.DataFrame`` take.

    Parameters
    ----------
    measurements : sequence of Measurement
        As from :func:`~lsa_engine.measure.measure_matte`; those of several calls may be joined.
    leading : mapping of str to sequence, optional
        Columns to put before those, one value a measurement: ``{"frame": …, "time_s": …}`` for a series.

    Returns
    -------
    dict of str to list
        Column names, which end in the unit of what has one ("soft_area_um2"), and one value an object. What is
        undefined is NaN.

    Raises
    ------
    InputError
        If there are no measurements, they differ in unit, axes or channels, or a leading column does not fit them.
    """
    if not measurements:
        raise InputError("No measurements were given, but a table needs at least one: measure a matte first.")
    rows = [_row(measurement) for measurement in measurements]
    for row in rows[1:]:
        if row.keys() != rows[0].keys():
            raise InputError(
                "The measurements differ in their columns "
                f"({', '.join(sorted(row.keys() ^ rows[0].keys()))}), but one table needs one unit, the same axes and "
                "the same channels: make a table for each."
            )
    first = {name: list(cells) for name, cells in (leading or {}).items()}
    for name, cells in first.items():
        if name in rows[0] or len(cells) != len(rows):
            raise InputError(
                f"The leading column {name!r} has {len(cells)} values, but a name that no measurement has and "
                f"{len(rows)} values, one a measurement, are expected: pass such a column."
            )
    return first | {name: [row[name] for row in rows] for name in rows[0]}


def to_csv(measurements: Sequence[Measurement], leading: Mapping[str, Sequence[Cell]] | None = None) -> str:
    """Return one line an object in full precision, with the columns of :func:`to_columns`; NaN is an empty cell."""
    columns = to_columns(measurements, leading)
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(["" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row])
    return stream.getvalue()


def write_csv(
    measurements: Sequence[Measurement],
    path: str | PathLike[str],
    leading: Mapping[str, Sequence[Cell]] | None = None,
) -> None:
    """Write a table of measurements.

    Parameters
    ----------
    measurements : sequence of Measurement
        As for :func:`to_columns`.
    path : path
        Ends in .csv; an existing file is replaced at once or not at all.
    leading : mapping of str to sequence, optional
        As for :func:`to_columns`.

    Raises
    ------
    InputError
        If the suffix is another, or the measurements make no table.
    FileError
        If the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() != ".csv":
        raise InputError(f"{target.name} does not end in .csv, the only format of this table: choose such a name.")
    text = to_csv(measurements, leading)
    with atomic_path(target) as temporary:
        Path(temporary).write_text(text, encoding="utf-8", newline="")


def to_markdown(measurements: Sequence[Measurement]) -> str:
    """Return a table of areas and shapes, one line an object, and one of intensities, one line a channel of it."""
    to_columns(measurements)  # refuses what does not make one table
    rows = [_figures(found) for found in measurements]
    sides = AXES[len(measurements[0].centroid)]
    heads = [name for name in rows[0] if not name.startswith("covariance_")]
    lines = [[_text(row[name]) for name in heads] for row in rows]
    unit = measurements[0].unit
    text = [
        f"Lengths are in {unit}; the origin of {', '.join(sides)} is the centre of the first pixel.",
        "",
        *markdown_table(heads, lines, words=1),
        "",
    ]
    if measurements[0].channels:
        heads = ["object", "channel", "mean", "sd", *(f"p{percent}" for percent in PERCENTILES)]
        lines = [
            [str(found.object), channel.channel]
            + [_text(value) for value in (channel.mean, channel.standard_deviation, *channel.percentiles)]
            for found in measurements
            for channel in found.channels
        ]
        text += [*markdown_table(heads, lines, words=2), ""]
    return "\n".join(text)


def _row(found: Measurement) -> dict[str, Cell]:
    row = _figures(found)
    for channel in found.channels:
        row[f"{channel.channel}_mean"] = channel.mean
        row[f"{channel.channel}_sd"] = channel.standard_deviation
        percentiles = zip(PERCENTILES, channel.percentiles, strict=True)
        row |= {f"{channel.channel}_p{percent}": value for percent, value in percentiles}
    return row


def _figures(found: Measurement) -> dict[str, Cell]:
    """Return the columns without those of the image."""
    axes, unit = len(found.centroid), found.unit
    sides = AXES[axes]
    flat = axes == 2
    area, outline = ("area", "outline_length") if flat else ("volume", "surface_area")
    pixels = "pixels" if flat else "voxels"
    row: dict[str, Cell] = {
        "object": found.object,
        f"soft_{area}_{unit}{axes}": found.soft_area,
        f"hard_{area}_{unit}{axes}": found.hard_area,
        "mean_opacity": found.mean_opacity,
        f"partial_{pixels}": found.partial_pixels,
        f"{outline}_{unit}{'' if flat else 2}": found.outline_length,
        f"transition_width_{unit}": found.transition_width,
        f"band_width_{unit}": found.band_width,
    }
    row |= {f"centroid_{side}_{unit}": place for side, place in zip(sides, found.centroid, strict=True)}
    row |= {
        f"covariance_{sides[i]}{sides[j]}_{unit}2": found.covariance[i][j] for i in range(axes) for j in range(i, axes)
    }
    names = _AXIS_NAMES[axes]
    row |= {f"{name}_axis_{unit}": length for name, length in zip(names, found.axis_lengths, strict=True)}
    if flat:
        row["orientation_rad"] = found.orientation
    else:
        row |= {f"major_axis_direction_{side}": part for side, part in zip(sides, found.major_axis, strict=True)}
    row["eccentricity"] = found.eccentricity
    return row


def _text(cell: Cell) -> str:
    if isinstance(cell, float):
        return "–" if math.isnan(cell) else f"{cell:.5g}"
    return str(cell)
