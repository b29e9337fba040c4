"""Benchmark protocols: find the cases of a data set, and score stored mattes or a method on them.

A data set is a folder of folders whose files match by name, whatever their suffix::

    data/image/GT02.png     data/alpha/GT02.png     data/trimap/GT02.png        (a folder of one's own)
    data/image/GT02.png     data/alpha/GT02.png     data/trimap1/GT02.png       (alphamatting.com: several trimaps,
                                                    data/trimap2/GT02.png        each a case of its own)
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lsa_engine.errors import DataError, InputError
from lsa_engine.evaluation.metrics import Scores, evaluate
from lsa_engine.image_io import read_alpha, read_image, read_trimap
from lsa_engine.image_io.folders import PICTURE_SUFFIXES, enumerated, pictures_in
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.trimap import Trimap

_TRIMAP_FOLDER = re.compile(r"trimap\d*")

Predict = Callable[[NDArray[Any], Trimap], Any]
"""A method: takes an image as stored (H, W), (H, W, 3) or (H, W, 4) and a trimap, returns alpha (H, W)."""


@dataclass(frozen=True)
class Case:
    """One image with one trimap and the true alpha.

    Attributes
    ----------
    name : str
        Stem of the files ("GT02").
    trimap_name : str
        Name of the trimap's folder ("trimap1"), which tells apart the cases of one image.
    image, alpha, trimap : Path
        The files.
    """

    name: str
    trimap_name: str
    image: Path
    alpha: Path
    trimap: Path

    def __str__(self) -> str:
        """Trimap folder and name, as in a path."""
        return f"{self.trimap_name}/{self.name}"


@dataclass(frozen=True)
class Row:
    """One line of a results table.

    Attributes
    ----------
    method : str
        What made the matte.
    image, trimap : str
        Name and trimap folder of the case.
    scores : Scores
        The metrics, over the unknown region.
    seconds : float or None
        Wall time of the method on this case, without reading files; None for stored mattes.
    """

    method: str
    image: str
    trimap: str
    scores: Scores
    seconds: float | None


def find_cases(folder: str | PathLike[str]) -> list[Case]:
    """List the cases of a data set, checked to be complete.

    Parameters
    ----------
    folder : path
        Holds ``image/``, ``alpha/`` and ``trimap/`` or ``trimap1/``, ``trimap2/`` …, with files of equal stems.

    Returns
    -------
    list of Case
        Sorted by trimap folder, then by name.

    Raises
    ------
    DataError
        If a folder is missing or empty, a file lacks a counterpart, or two files share a stem; all of it in one
        message.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(
            f"{root} is not a folder, but a data set with image/, alpha/ and trimap/ is expected: check the path."
        )
    trimap_names = sorted(
        (entry.name for entry in root.iterdir() if entry.is_dir() and _TRIMAP_FOLDER.fullmatch(entry.name)),
        key=_natural,
    )
    names = ["image", "alpha", *(trimap_names or ["trimap"])]
    problems: list[str] = []
    files = {name: _files_by_stem(root / name, problems) for name in names}
    stems = sorted(set().union(*files.values()), key=_natural)
    for name in names:
        # A folder that is not there or empty is one problem, not one for every file.
        if files[name]:
            missing = [f"{name}/{stem}.*" for stem in stems if stem not in files[name]]
            problems += missing
    if problems:
        raise DataError(
            f"The data set {root} is incomplete: looked for {', '.join(f'{name}/' for name in names)} with one file "
            f"a name in each ({', '.join(sorted(PICTURE_SUFFIXES))}), and did not find {enumerated(problems)}: "
            "add or remove files until all folders match."
        )
    return [
        Case(stem, trimap_name, files["image"][stem], files["alpha"][stem], files[trimap_name][stem])
        for trimap_name in trimap_names
        for stem in stems
    ]


def evaluate_method(
    cases: Sequence[Case],
    predict: Predict,
    *,
    method: str = "prediction",
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> list[Row]:
    """Run a method on every case and score what it returns.

    Parameters
    ----------
    cases : sequence of Case
        As from :func:`find_cases`.
    predict : callable
        ``predict(image, trimap)`` returns alpha (H, W); the image comes in the file's own type.
    method : str
        Name in the table.
    progress, cancel : optional
        Called and checked after every case; `predict` may check the same token within one.

    Returns
    -------
    list of Row
        One a case, in order.

    Raises
    ------
    InputError
        If there are no cases, or an alpha does not fit its case (which is named).
    FileError
        If a file cannot be read.
    Cancelled
        If `cancel` was set.
    """

    def run(case: Case) -> tuple[Any, Trimap, float | None]:
        image, trimap = read_image(case.image), read_trimap(case.trimap)
        start = time.perf_counter()
        alpha = predict(image, trimap)
        return alpha, trimap, time.perf_counter() - start

    return _score(cases, run, method, progress, cancel)


def evaluate_predictions(
    cases: Sequence[Case],
    folder: str | PathLike[str],
    *,
    method: str | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> list[Row]:
    """Score mattes that are stored as files.

    Parameters
    ----------
    cases : sequence of Case
        As from :func:`find_cases`.
    folder : path
        Holds ``<trimap folder>/<name>.*``, or ``<name>.*`` where the data set has one trimap an image.
    method : str, optional
        Name in the table; the folder's name by default.
    progress, cancel : optional
        Called and checked after every case.

    Returns
    -------
    list of Row
        One a case, in order; ``seconds`` is None.

    Raises
    ------
    DataError
        If mattes are missing or ambiguous; all of them in one message.
    InputError, FileError, Cancelled
        As in :func:`evaluate_method`.
    """
    root = Path(folder)
    found = _find_predictions(cases, root)

    def run(case: Case) -> tuple[Any, Trimap, float | None]:
        return read_alpha(found[case]), read_trimap(case.trimap), None

    return _score(cases, run, method or root.resolve().name, progress, cancel)


def _score(
    cases: Sequence[Case],
    run: Callable[[Case], tuple[Any, Trimap, float | None]],
    method: str,
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> list[Row]:
    if not cases:
        raise InputError(
            "No cases were given, but at least one is needed for a table: find them with find_cases(folder)."
        )
    steps = Steps("evaluating", len(cases), progress, cancel)
    rows = []
    for case in cases:
        alpha, trimap, seconds = run(case)
        try:
            scores = evaluate(alpha, read_alpha(case.alpha), trimap)
        except InputError as error:
            raise type(error)(f"{case}: {error}") from error
        rows.append(Row(method, case.name, case.trimap_name, scores, seconds))
        steps.advance()
    return rows


def _find_predictions(cases: Sequence[Case], root: Path) -> dict[Case, Path]:
    if not root.is_dir():
        raise DataError(f"{root} is not a folder, but one with a matte for every case is expected: check the path.")
    trimap_names = {case.trimap_name for case in cases}
    problems: list[str] = []
    found: dict[Case, Path] = {}
    for trimap_name in sorted(trimap_names, key=_natural):
        nested = root / trimap_name
        # Mattes lying in the folder itself can only belong to one set of trimaps.
        place = root if len(trimap_names) == 1 and not nested.is_dir() else nested
        files = _files_by_stem(place, problems, label="" if place == root else f"{trimap_name}/")
        wanted = [case for case in cases if case.trimap_name == trimap_name]
        if files:
            problems += [f"{place.relative_to(root) / case.name}.*" for case in wanted if case.name not in files]
        found.update({case: files[case.name] for case in wanted if case.name in files})
    if problems:
        raise DataError(
            f"The folder of mattes {root} does not cover the {len(cases)} cases: looked for one file a case "
            f"({', '.join(sorted(PICTURE_SUFFIXES))}), and did not find {enumerated(problems)}: "
            "make the missing mattes or score fewer cases."
        )
    return found


def _files_by_stem(folder: Path, problems: list[str], label: str | None = None) -> dict[str, Path]:
    """Return the image files of a folder by stem; what is wrong with the folder is added to `problems`."""
    label = f"{folder.name}/" if label is None else label
    if not folder.is_dir():
        problems.append(f"the folder {label}")
        return {}
    files: dict[str, Path] = {}
    for path in pictures_in(folder):
        if path.stem in files:
            problems.append(f"a single {label}{path.stem}.* (there are {files[path.stem].name} and {path.name})")
        files[path.stem] = path
    if not files:
        problems.append(f"any image in {label or folder}")
    return files


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts trimap2 before trimap10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
