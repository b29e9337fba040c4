"""Refine foregrounds: make their colours smooth where they are hardly seen (section 4.1).

lsa refine-foreground foreground.png alpha.png -o refined.png
lsa refine-foreground cutout.png -o refined.png
lsa refine-foreground FOREGROUNDS ALPHAS -o REFINED

A folder's files are matched by name; a folder that was begun is finished, and what is done is kept. REFINED/refined.csv
holds the cost of every file before and after.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsa_engine.cli.files import PICTURES, check_outputs
from lsa_engine.cli.progress_bar import ProgressBar
from lsa_engine.cli.status import DONE, UNUSABLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from lsa_engine.foreground.folders import FolderReport, RefinedFile

_METHODS = ("multigrid", "paper")
_FIGURES = (".png", ".pdf", ".svg")
_MOST_LINES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``lsa refine-foreground``."""
    parser.add_argument(
        "foreground", type=Path, metavar="FOREGROUND", help="straight colours, gray, RGB or RGBA; or a folder of them"
    )
    parser.add_argument(
        "alpha",
        type=Path,
        nargs="?",
        metavar="ALPHA",
        help="opacity, same size as FOREGROUND, or a folder; without it the alpha channel of FOREGROUND",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="refined colours, .png or .tif, as deep as FOREGROUND; or a folder",
    )
    parser.add_argument("--kappa", type=float, default=1.0, help="weight of the smoothness term (1)")
    parser.add_argument(
        "--method", default="multigrid", choices=_METHODS, help="to the minimum of the cost, or Algorithm 2 as printed"
    )
    parser.add_argument(
        "--tolerance", type=float, default=1e-3, help="largest estimated (E - E*)/E* of multigrid (0.001)"
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="also draw F, αF, |∇F| and |∇F| against α, before and after (.png, .pdf, .svg); of a folder, the first",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="files of a folder at a time (one for each core)")


def run(options: argparse.Namespace) -> int:
    """Refine one foreground, or those of a folder."""
    return _run_folder(options) if options.foreground.is_dir() else _run_file(options)


def _run_file(options: argparse.Namespace) -> int:
    sources = [path for path in (options.foreground, options.alpha) if path is not None]
    if options.plot == options.output:
        options.fail(f"{options.plot} is named for two outputs: give each its own name")
    check_outputs({options.output: PICTURES} | ({options.plot: _FIGURES} if options.plot else {}), sources)

    from lsa_engine.foreground import ForegroundReport, energy, refine_foreground
    from lsa_engine.foreground.folders import ForegroundPair, read_pair, write_refined

    foreground, alpha = read_pair(ForegroundPair(options.foreground, options.alpha))
    reports: list[ForegroundReport] = []
    with ProgressBar() as progress:
        refined = refine_foreground(
            foreground,
            alpha,
            kappa=options.kappa,
            method=options.method,
            tolerance=options.tolerance,
            report=reports.append,
            progress=progress,
        )
    before = energy(foreground, foreground, alpha, kappa=options.kappa)
    after = energy(refined, foreground, alpha, kappa=options.kappa)
    figure = _figure(foreground, refined, alpha) if options.plot else None
    write_refined(options.output, refined, None if options.alpha is not None else alpha)
    if figure is not None:
        _write_figure(figure, options.plot)
    for note in reports[0].notes:
        print(f"lsa: {note}", file=sys.stderr)
    print(f"Wrote {options.output} (cost {before:.6g} before, {after:.6g} after).")
    return DONE


def _run_folder(options: argparse.Namespace) -> int:
    from lsa_engine.foreground.folders import RECORD, find_pairs, read_pair, refine_files
    from lsa_engine.image_io import read_image

    if options.plot:
        check_outputs({options.plot: _FIGURES})
    pairs = find_pairs(options.foreground, options.alpha)
    with ProgressBar() as progress:
        report = refine_files(
            pairs,
            options.output,
            kappa=options.kappa,
            method=options.method,
            tolerance=options.tolerance,
            workers=options.workers,
            progress=progress,
        )
    _print_table(report)
    made = {line.name for line in (*report.refined, *report.kept)}
    shown = next((pair for pair in pairs if pair.output_name in made), None)
    if options.plot and shown is not None:
        foreground, alpha = read_pair(shown)
        _write_figure(_figure(foreground, read_image(options.output / shown.output_name), alpha), options.plot)
    for name, reason in report.failed:
        print(f"lsa: {name} was not refined: {reason}", file=sys.stderr)
    done = f"{len(report.refined)} refined, {len(report.kept)} kept from before, {len(report.failed)} failed"
    print(f"{options.output}: {done}; costs in {RECORD}.")
    return UNUSABLE if report.failed else DONE


def _figure(foreground: NDArray[Any], refined: NDArray[Any], alpha: NDArray[Any]) -> Figure:
    from lsa_engine.foreground.figure import draw_refinement

    # A refined cut-out has its alpha behind the colours.
    return draw_refinement(foreground, refined[..., :3] if refined.ndim == 3 else refined, alpha)


def _write_figure(figure: Figure, path: Path) -> None:
    from lsa_engine.image_io import atomic_path

    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _print_table(report: FolderReport) -> None:
    lines = report.refined
    if not lines:
        return
    longest = max(len(line.name) for line in lines[:_MOST_LINES])
    print(f"{'file':{longest}}  {'size':>11}  {'cost before':>11}  {'after':>11}  seconds")
    for line in lines[:_MOST_LINES]:
        print(_table_line(line, longest))
    if len(lines) > _MOST_LINES:
        print(f"… and {len(lines) - _MOST_LINES} more")


def _table_line(line: RefinedFile, longest: int) -> str:
    size = f"{line.width}×{line.height}"
    costs = f"{line.cost_before:>11.5g}  {line.cost_after:>11.5g}"
    return f"{line.name:{longest}}  {size:>11}  {costs}  {line.seconds:7.2f}"
