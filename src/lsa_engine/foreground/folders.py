"""Refine the foregrounds of a data set: pairs of files, side by side, each once however often it is started."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import as_alpha
from lsa_engine.bands import usable_cores
from lsa_engine.compositing import cutout
from lsa_engine.errors import Cancelled, DataError, LsaError
from lsa_engine.foreground.energy import energy
from lsa_engine.foreground.refinement import ForegroundReport, RefinementMethod, refine_foreground
from lsa_engine.image_io import read_alpha, read_image, write_image, write_rgba
from lsa_engine.image_io.atomic import remove_left_overs
from lsa_engine.image_io.folders import enumerated, fingerprint, make_folder, pictures_by_stem, refuse_foreign_files
from lsa_engine.image_io.record import Record
from lsa_engine.image_io.writing import Bits
from lsa_engine.progress import CancelToken, ProgressCallback, Steps

RECORD = "refined.csv"
"""Name of the table in the output folder: one line for each file."""

_KEPT_FORMATS = frozenset({".png", ".tif", ".tiff"})


@dataclass(frozen=True)
class ForegroundPair:
    """A foreground and its alpha, as files.

    Attributes
    ----------
    foreground : Path
        Straight colours, gray or RGB; with `alpha` None, RGBA.
    alpha : Path or None
        Opacity of the same size; None takes the alpha channel of `foreground`.
    """

    foreground: Path
    alpha: Path | None

    @property
    def output_name(self) -> str:
        """Name of the refined file: the foreground's, as PNG where its own format would lose bits."""
        kept = self.foreground.suffix.lower() in _KEPT_FORMATS
        return self.foreground.name if kept else f"{self.foreground.stem}.png"


@dataclass(frozen=True)
class RefinedFile:
    """One line of the record.

    Attributes
    ----------
    name : str
        Name of the refined file.
    height, width : int
        Its size.
    cost_before, cost_after : float
        The cost of the foreground as given and as written (:func:`lsa_engine.foreground.energy`).
    relative_gap : float or None
        Estimated bound of (E − E*)/E*; None for method "paper".
    seconds : float
        Wall time of the refinement alone.
    settings : str
        Method, κ and tolerance.
    source : str
        Sizes and times of the files that it was made from.
    """

    name: str
    height: int
    width: int
    cost_before: float
    cost_after: float
    relative_gap: float | None
    seconds: float
    settings: str
    source: str


@dataclass(frozen=True)
class FolderReport:
    """What became of the pairs.

    Attributes
    ----------
    refined, kept : tuple of RefinedFile
        Made now, and made by an earlier run from the same files with the same settings.
    failed : tuple of (str, str)
        Names of foregrounds that could not be refined, and why.
    """

    refined: tuple[RefinedFile, ...]
    kept: tuple[RefinedFile, ...]
    failed: tuple[tuple[str, str], ...]


def find_pairs(foregrounds: str | PathLike[str], alphas: str | PathLike[str] | None = None) -> list[ForegroundPair]:
    """Match the pictures of two folders by their names, whatever their suffixes.

    Parameters
    ----------
    foregrounds : path
        Folder of foregrounds.
    alphas : path, optional
        Folder of their alphas; without it the foregrounds hold their alpha as fourth channel.

    Returns
    -------
    list of ForegroundPair
        Sorted by name.

    Raises
    ------
    DataError
        If a folder is missing or holds no picture, two files share a name, or a foreground has no alpha.
    """
    colours = pictures_by_stem(Path(foregrounds))
    if alphas is None:
        return [ForegroundPair(path, None) for path in colours.values()]
    opacities = pictures_by_stem(Path(alphas))
    missing = [name for name in colours if name not in opacities]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(colours)} foregrounds in {foregrounds} have no alpha of the same name in {alphas} "
            f"({enumerated(missing)}): add the files, or take the foregrounds out."
        )
    return [ForegroundPair(path, opacities[name]) for name, path in colours.items()]


def refine_files(
    pairs: Sequence[ForegroundPair],
    output: str | PathLike[str],
    *,
    kappa: float = 1.0,
    method: RefinementMethod = "multigrid",
    tolerance: float = 1e-3,
    workers: int | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> FolderReport:
    """Refine foregrounds from files into a folder (§4.1).

    Each file is written whole or not at all, as deep as its foreground, and noted in the folder's ``refined.csv``. A
    run that was stopped goes on where it was: files whose sources and settings have not changed are kept. One that
    fails does not stop the others.

    Parameters
    ----------
    pairs : sequence of ForegroundPair
        As from :func:`find_pairs`.
    output : path
        Folder for the refined files; made if it does not exist.
    kappa, method, tolerance
        As in :func:`~lsa_engine.foreground.refine_foreground`.
    workers : int, optional
        Files at a time; as many as there are processor cores by default.
    progress, cancel : optional
        Told of every file.

    Returns
    -------
    FolderReport

    Raises
    ------
    FileError
        If the folder cannot be used: it holds a source, or a file of an output's name that this did not make.
    Cancelled
        If `cancel` was set; what is written stays.
    """
    folder = Path(output)
    settings = f"{method} kappa={kappa:g}" + (f" tolerance={tolerance:g}" if method == "multigrid" else "")
    names = [pair.output_name for pair in pairs]
    _refuse_shared_names(names)
    make_folder(folder)
    record = Record(folder / RECORD, RefinedFile)
    refuse_foreign_files(folder, names, record.lines, "a refinement")
    remove_left_overs(folder)
    kept, waiting = [], []
    for pair in pairs:
        done = record.lines.get(pair.output_name)
        same = done is not None and (done.settings, done.source) == (settings, _fingerprint(pair))
        if done is not None and same and (folder / done.name).exists():
            kept.append(done)
        else:
            waiting.append(pair)

    steps = Steps("refining foregrounds", len(pairs), progress, cancel)
    steps.advance(len(kept))
    stop = _Stop(cancel)

    def refine(pair: ForegroundPair) -> RefinedFile:
        return _refine_file(pair, folder, record, settings, kappa, method, tolerance, stop)

    refined: list[RefinedFile] = []
    failed: list[tuple[str, str]] = []
    with record, ThreadPoolExecutor(max(1, min(workers or usable_cores(), len(waiting)))) as pool:
        try:
            pending = {pool.submit(refine, pair): pair for pair in waiting}
            for future in as_completed(pending):
                try:
                    refined.append(future.result())
                except Cancelled:
                    raise
                except LsaError as error:
                    failed.append((pending[future].foreground.name, str(error)))
                steps.advance(message=f"refining foregrounds, {len(kept) + len(refined)} of {len(pairs)} done")
        except BaseException:
            # Ctrl-C too: those at work end between two bands of rows, those that wait never begin.
            stop.cancel()
            pool.shutdown(cancel_futures=True)
            raise
    by_name = sorted(refined, key=lambda line: line.name)
    return FolderReport(tuple(by_name), tuple(kept), tuple(sorted(failed)))


class _Stop(CancelToken):
    """Stops the files at work: set by their run, or by whoever cancels that, who shall not wait for the next file."""

    def __init__(self, outer: CancelToken | None) -> None:
        super().__init__()
        self._outer = outer

    @property
    def cancelled(self) -> bool:
        return super().cancelled or (self._outer is not None and self._outer.cancelled)


def _refine_file(
    pair: ForegroundPair,
    folder: Path,
    record: Record[RefinedFile],
    settings: str,
    kappa: float,
    method: RefinementMethod,
    tolerance: float,
    stop: CancelToken,
) -> RefinedFile:
    colours, alpha = read_pair(pair)
    reports: list[ForegroundReport] = []
    began = time.perf_counter()
    refined = refine_foreground(
        colours,
        alpha,
        kappa=kappa,
        method=method,
        tolerance=tolerance,
        device="cpu",
        report=reports.append,
        cancel=stop,
    )
    seconds = time.perf_counter() - began
    line = RefinedFile(
        name=pair.output_name,
        height=alpha.shape[0],
        width=alpha.shape[1],
        cost_before=energy(colours, colours, alpha, kappa),
        cost_after=energy(refined, colours, alpha, kappa),
        relative_gap=reports[0].relative_gap,
        seconds=seconds,
        settings=settings,
        source=_fingerprint(pair),
    )
    # The line of a new file comes before it, so that it is known for ours; that of one made anew comes after it, so
    # that an older file does not pass for the newer one when this is stopped in between.
    anew = line.name in record.lines
    if not anew:
        record.add(line)
    write_refined(folder / line.name, refined, None if pair.alpha is not None else alpha)
    if anew:
        record.add(line)
    return line


def read_pair(pair: ForegroundPair) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the foreground as stored, (H, W) or (H, W, 3), and its alpha (H, W), float32.

    Raises
    ------
    FileError
        If a file cannot be read.
    InputError
        If there is no alpha, or the foreground has other channels.
    """
    pixels = read_image(pair.foreground)
    if pair.alpha is not None:
        return (pixels[..., :3] if pixels.ndim == 3 and pixels.shape[2] == 4 else pixels), read_alpha(pair.alpha)
    if pixels.ndim != 3 or pixels.shape[2] != 4:
        raise DataError(
            f"{pair.foreground} has no alpha channel, its shape is {pixels.shape}: name the file or folder with alphas."
        )
    return np.ascontiguousarray(pixels[..., :3]), as_alpha(pixels[..., 3])


def write_refined(path: Path, refined: NDArray[Any], alpha: NDArray[np.float32] | None) -> None:
    """Write refined colours as deep as they are; with `alpha` as an RGBA file."""
    bits: Bits = 8 if refined.dtype == np.uint8 else 16
    colours = refined if refined.dtype.kind == "u" else np.clip(refined, 0, 1)
    if alpha is None:
        write_image(path, colours, bits=bits)
    else:
        write_rgba(path, cutout(colours, alpha), bits=bits)


def _fingerprint(pair: ForegroundPair) -> str:
    """Return what tells whether the sources have changed."""
    return fingerprint(path for path in (pair.foreground, pair.alpha) if path is not None)


def _refuse_shared_names(names: Sequence[str]) -> None:
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise DataError(f"{len(twice)} refined files would share a name ({enumerated(twice)}): rename sources.")
