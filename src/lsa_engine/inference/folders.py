"""Matte a folder of images: one network for all, each image once however often the run is started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lsa_engine.errors import DataError, FileError
from lsa_engine.image_io import check_format
from lsa_engine.image_io.atomic import remove_left_overs
from lsa_engine.image_io.folders import enumerated, fingerprint, make_folder, pictures_by_stem, refuse_foreign_files
from lsa_engine.image_io.record import Record
from lsa_engine.image_io.writing import Bits
from lsa_engine.inference.files import ResultFiles
from lsa_engine.inference.folder_run import DONE, Job, MattedFile, MattePair, Run, Settings
from lsa_engine.inference.matter import Matter
from lsa_engine.inference.one_call import matte
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.results import MatteResult, Report
from lsa_engine.inference.tiling import Tiles
from lsa_engine.progress import CancelToken, ProgressCallback

__all__ = ["RECORD", "MattePair", "MattedFile", "find_pairs", "matte_files"]

RECORD = "mattes.csv"
"""Name of the table in the output folder: one line for each image."""


@dataclass(frozen=True)
class _Places:
    mattes: Path
    cutouts: Path | None
    reports: Path | None

    def all(self) -> list[Path]:
        return [folder for folder in (self.mattes, self.cutouts, self.reports) if folder is not None]

    def files(self, stem: str, suffix: str) -> ResultFiles:
        return ResultFiles(
            self.mattes / f"{stem}{suffix}",
            None if self.cutouts is None else self.cutouts / f"{stem}{suffix}",
            None if self.reports is None else self.reports / f"{stem}.json",
        )


def find_pairs(images: str | PathLike[str], trimaps: str | PathLike[str]) -> list[MattePair]:
    """Match the images and trimaps of two folders by their names, whatever their suffixes.

    Parameters
    ----------
    images : path
        Folder of photographs.
    trimaps : path
        Folder of their trimaps; others in it are left alone.

    Returns
    -------
    list of MattePair
        Sorted by name; an image without trimap has None.

    Raises
    ------
    DataError
        If a folder is missing or holds no picture, two files of one share a name, or no name is in both.
    """
    photographs, regions = pictures_by_stem(Path(images)), pictures_by_stem(Path(trimaps))
    if not photographs.keys() & regions.keys():
        raise DataError(
            f"No image in {images} has a trimap of the same name in {trimaps} (images: {enumerated([*photographs])}; "
            f"trimaps: {enumerated([*regions])}), but files are matched by name: rename one of the two."
        )
    return [MattePair(path, regions.get(stem)) for stem, path in photographs.items()]


def matte_files(
    pairs: Sequence[MattePair],
    output: str | PathLike[str],
    *,
    suffix: str = ".png",
    bits: Bits = 16,
    cutouts: str | PathLike[str] | None = None,
    reports: str | PathLike[str] | None = None,
    method: str = "network",
    weights: str | Path | Matter = "lsa-lite",
    refinement: Refinement | None = None,
    tta: int = 0,
    device: str = "auto",
    dtype: str = "auto",
    tiles: Tiles = "auto",
    memory_limit: float = 4.0,
    data_range: tuple[float, float] | None = None,
    ignore_alpha: bool = False,
    each: Callable[[MattedFile], None] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> list[MattedFile]:
    """Matte images from files into a folder.

    While one image is computed, the next is read and the last is written. Each file is written whole or not at all,
    and noted in the folder's ``mattes.csv``. A run that was stopped goes on where it was: what was made of the same
    files with the same settings is kept. One that fails does not stop the others.

    Parameters
    ----------
    pairs : sequence of MattePair
        As from :func:`find_pairs`.
    output : path
        Folder for the mattes, named as their images; made if it does not exist.
    suffix : {".png", ".tif", ".tiff"}
        Format of mattes and cut-outs.
    bits : {8, 16}
        Depth of a PNG's channels, and of cut-outs; a matte as TIFF is float32.
    cutouts, reports : path, optional
        Folders for cut-outs (RGBA, straight colours) and for reports of what was done (.json).
    method, weights, refinement, tta, device, dtype, tiles, memory_limit
        As in :func:`~lsa_engine.matte`.
    data_range, ignore_alpha
        As in :func:`~lsa_engine.image_io.read_colours`.
    each : callable, optional
        Told of every image as soon as it is written, kept, or has failed, in this thread.
    progress, cancel : optional
        Told of the work within every image, too.

    Returns
    -------
    list of MattedFile
        What became of each of the `pairs`.

    Raises
    ------
    FileError
        If a folder cannot be used: it is one of the sources', or holds files of an output's name that this did not
        make.
    DataError
        If two images share a name.
    InputError, WeightsError
        If settings do not go together, or the weights cannot be used.
    Cancelled
        If `cancel` was set; what is written stays.

    Examples
    --------
    >>> files = matte_files(find_pairs("images", "trimaps"), "mattes", tta=8)  # doctest: +SKIP
    >>> [file.name for file in files if file.failed]  # doctest: +SKIP
    []
    """
    check_format(f"matte{suffix}", bits)
    places = _Places(
        Path(output), None if cutouts is None else Path(cutouts), None if reports is None else Path(reports)
    )
    _refuse_shared_names(pairs)
    _refuse_shared_folders(pairs, places)
    with ExitStack() as stack:
        network: dict[str, Any] = {"device": device, "dtype": dtype, "tiles": tiles, "memory_limit": memory_limit}
        words: list[str] = []  # what tiles and limit are, where they are not the usual ones
        if method == "network" and not isinstance(weights, Matter):
            weights = stack.enter_context(Matter(weights, **network))
            words = (
                [f"tiles={tiles}", f"memory_limit={memory_limit:g}"] if (tiles, memory_limit) != ("auto", 4.0) else []
            )

        def run(image: Any, trimap: Any, **watched: Any) -> MatteResult:
            how = network if method != "network" else {}
            return matte(
                image, trimap, method=method, weights=weights, refinement=refinement, tta=tta, **how, **watched
            )

        # Nothing is computed for a trimap without unknown pixels, but settings that do not fit are refused here, before
        # the first file, and its report names weights and precision.
        known = run(np.zeros((2, 2), np.float32), np.array([[0, 255], [0, 255]], np.uint8)).report
        settings = Settings(bits, data_range, ignore_alpha)
        described = " ".join([_described(known, settings, refinement, tta), *words])
        jobs = [_plan(pair, places, suffix, method, known, described) for pair in pairs]
        for folder in places.all():
            make_folder(folder)
        record = stack.enter_context(Record(places.mattes / RECORD, MattedFile))
        _refuse_foreign_files(jobs, record)
        for folder in places.all():
            remove_left_overs(folder)
        return Run(jobs, record, run, settings, each or (lambda _: None), progress, cancel).finish()


def _plan(pair: MattePair, places: _Places, suffix: str, method: str, known: Report, settings: str) -> Job:
    files = places.files(pair.image.stem, suffix)
    line = MattedFile(
        name=files.alpha.name,
        image=pair.image.name,
        height=None,
        width=None,
        unknown=None,
        seconds=None,
        method=method,
        weights=known.weights,
        weights_sha256=known.weights_sha256,
        settings=settings,
        cutout="" if files.cutout is None else str(files.cutout.absolute()),
        report="" if files.report is None else str(files.report.absolute()),
        source=_source(pair),
        notes="",
        status=DONE,
    )
    return Job(pair, files, line)


def _source(pair: MattePair) -> str:
    try:
        return fingerprint(path for path in (pair.image, pair.trimap) if path is not None)
    except FileError:
        return ""  # what is missing is told when it is this image's turn


def _described(known: Report, settings: Settings, refinement: Refinement | None, tta: int) -> str:
    """Return what a result depends on beside its sources, its method and its weights."""
    words = [known.dtype, f"bits={settings.bits}"]
    if tta:
        words.append(f"tta={tta}")
    if refinement is not None:
        words += [f"{field.name}={getattr(refinement, field.name)}" for field in fields(refinement)]
    if settings.data_range is not None:
        words.append("data_range={:g},{:g}".format(*settings.data_range))
    if settings.ignore_alpha:
        words.append("ignore_alpha")
    return " ".join(words)


def _refuse_shared_names(pairs: Sequence[MattePair]) -> None:
    twice = sorted(stem for stem, times in Counter(pair.image.stem for pair in pairs).items() if times > 1)
    if twice:
        raise DataError(f"{len(twice)} mattes would share a name ({enumerated(twice)}): rename images.")


def _refuse_shared_folders(pairs: Sequence[MattePair], places: _Places) -> None:
    sources = {path.parent.resolve() for pair in pairs for path in (pair.image, pair.trimap) if path is not None}
    for folder in places.all():
        if folder.resolve() in sources:
            raise FileError(f"{folder} holds images or trimaps that are read, and would be written to: choose another.")
    if places.cutouts is not None and places.cutouts.resolve() == places.mattes.resolve():
        raise FileError(
            f"{places.cutouts} is named for mattes and cut-outs, whose files have the same names: name two folders."
        )


def _refuse_foreign_files(jobs: Sequence[Job], record: Record[MattedFile]) -> None:
    lines = record.lines.values()
    own = {str(record.path.parent.absolute() / line.name) for line in lines}
    own |= {path for line in lines for path in (line.cutout, line.report)}
    by_folder: dict[Path, list[str]] = {}
    for job in jobs:
        for path in job.files.paths():
            by_folder.setdefault(path.parent, []).append(path.name)
    for folder, names in by_folder.items():
        known = {name for name in names if str(folder.absolute() / name) in own}
        refuse_foreign_files(folder, names, known, "this command")
