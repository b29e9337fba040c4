"""Tables of results: Markdown to read, CSV to plot, JSON to keep."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from statistics import fmean

from lsa_engine.errors import InputError
from lsa_engine.evaluation.metrics import REGION
from lsa_engine.evaluation.protocols import Row
from lsa_engine.image_io import atomic_path
from lsa_engine.markdown import markdown_table

ALL = "all"
"""Stands for "every trimap" in a mean."""

_METRICS = ("sad", "mse", "grad", "conn")
_UNITS = {"sad": "÷ 1000", "mse": "plain", "grad": "÷ 1000", "conn": "÷ 1000"}
_TITLES = {"sad": "SAD", "mse": "MSE", "grad": "Grad", "conn": "Conn"}


@dataclass(frozen=True)
class Mean:
    """Means of one method over the cases of one trimap folder, or over all; every case counts the same.

    Attributes
    ----------
    method : str
        The method.
    trimap : str
        The trimap folder, or "all".
    cases : int
        How many cases went in.
    sad, mse, grad, conn : float
        Means of the metrics over the cases, each over the unknown region.
    seconds : float or None
        Mean time of a case, None where a case has none.
    """

    method: str
    trimap: str
    cases: int
    sad: float
    mse: float
    grad: float
    conn: float
    seconds: float | None


def means(rows: Sequence[Row]) -> list[Mean]:
    """Average the rows of every method, per trimap folder (where it has several) and over all.

    Parameters
    ----------
    rows : sequence of Row
        Of one or several methods.

    Returns
    -------
    list of Mean
        Methods and trimap folders in the order of their first row; a method's mean over all comes last.

    Raises
    ------
    InputError
        If there are no rows.
    """
    if not rows:
        raise InputError("No rows were given, but a table needs at least one: evaluate some cases first.")
    result = []
    for method in dict.fromkeys(row.method for row in rows):
        mine = [row for row in rows if row.method == method]
        trimaps = list(dict.fromkeys(row.trimap for row in mine))
        if len(trimaps) > 1:
            result += [_mean(method, trimap, [row for row in mine if row.trimap == trimap]) for trimap in trimaps]
        result.append(_mean(method, ALL, mine))
    return result


def to_markdown(rows: Sequence[Row]) -> str:
    """Return a table of means and a table of all cases, with the region and units of the metrics above them."""
    average = means(rows)
    units = ", ".join(f"{_TITLES[name]} {unit}" for name, unit in _UNITS.items())
    heads = [*_TITLES.values(), "s"]
    summary = [[m.method, m.trimap, str(m.cases), *_numbers(asdict(m), m.seconds)] for m in average]
    cases = [
        [row.method, row.image, row.trimap, str(row.scores.unknown_pixels), *_numbers(asdict(row.scores), row.seconds)]
        for row in rows
    ]
    return "\n".join(
        [
            f"All metrics are over {REGION}; lower is better ({units}; s is seconds a case).",
            "",
            *markdown_table(["method", "trimap", "cases", *heads], summary, words=2),
            "",
            *markdown_table(["method", "image", "trimap", "unknown pixels", *heads], cases, words=3),
            "",
        ]
    )


def to_csv(rows: Sequence[Row]) -> str:
    """Return one line a case, then one a mean (``kind`` tells them apart), in full precision."""
    average = means(rows)
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["kind", "method", "image", "trimap", "region", *_METRICS, "unknown_pixels", "cases", "seconds"])
    for row in rows:
        values = [getattr(row.scores, name) for name in _METRICS]
        writer.writerow(
            ["case", row.method, row.image, row.trimap, "unknown", *values, row.scores.unknown_pixels, 1, row.seconds]
        )
    for mean in average:
        values = [getattr(mean, name) for name in _METRICS]
        writer.writerow(["mean", mean.method, "", mean.trimap, "unknown", *values, "", mean.cases, mean.seconds])
    return stream.getvalue()


def to_json(rows: Sequence[Row]) -> str:
    """Return an object with ``region``, ``units``, ``means`` and ``cases``, in full precision."""
    document = {
        "region": REGION,
        "units": _UNITS,
        "means": [asdict(mean) for mean in means(rows)],
        "cases": [
            {
                "method": row.method,
                "image": row.image,
                "trimap": row.trimap,
                **asdict(row.scores),
                "seconds": row.seconds,
            }
            for row in rows
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


_FORMATS = {".md": to_markdown, ".csv": to_csv, ".json": to_json}


def write_report(path: str | PathLike[str], rows: Sequence[Row]) -> None:
    """Write a table; the suffix chooses the format.

    Parameters
    ----------
    path : path
        Ends in .md, .csv or .json; an existing file is replaced at once or not at all.
    rows : sequence of Row
        As from :func:`~lsa_engine.evaluation.protocols.evaluate_method`; rows of several methods may be joined.

    Raises
    ------
    InputError
        If the suffix is another, or there are no rows.
    FileError
        If the file cannot be written.
    """
    target = Path(path)
    form = _FORMATS.get(target.suffix.lower())
    if form is None:
        raise InputError(
            f"{target.name} does not end in {', '.join(_FORMATS)}, so its format is unknown: choose one of these."
        )
    text = form(rows)
    with atomic_path(target) as temporary:
        Path(temporary).write_text(text, encoding="utf-8", newline="")


def _mean(method: str, trimap: str, rows: Sequence[Row]) -> Mean:
    averages = {name: fmean(getattr(row.scores, name) for row in rows) for name in _METRICS}
    times = [row.seconds for row in rows if row.seconds is not None]
    return Mean(method, trimap, len(rows), **averages, seconds=fmean(times) if len(times) == len(rows) else None)


def _numbers(values: dict[str, float], seconds: float | None) -> list[str]:
    texts = [f"{values[name]:.5f}" if name == "mse" else f"{values[name]:.3f}" for name in _METRICS]
    return [*texts, "–" if seconds is None else f"{seconds:.2f}"]
