"""Matte an image: find the opacity of every pixel that its trimap leaves unknown.

lsa matte photo.png trimap.png -o alpha.png --cutout cutout.png
lsa matte IMAGES TRIMAPS -o MATTES --cutout CUTOUTS
lsa matte stack.tif trimaps.tif -o alphas.tif

A folder's files are matched by name; a folder that was begun is finished, and what is done is kept. MATTES/mattes.csv
holds one line for each image. Of a TIFF with several pictures (z, time) each is matted, with the trimap of its page or
one trimap for all.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsa_engine.cli.files import PICTURES, add_image_options, check_outputs
from lsa_engine.cli.options import add_memory_options, add_method_options, add_model_options, refinement
from lsa_engine.cli.progress_bar import ProgressBar
from lsa_engine.cli.status import DONE, UNUSABLE

if TYPE_CHECKING:
    from lsa_engine.image_io.stacks import Stack
    from lsa_engine.inference.folders import MattedFile
    from lsa_engine.inference.refinement import Refinement
    from lsa_engine.inference.results import Report

_TABLES = (".csv", ".json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``lsa matte``."""
    parser.add_argument(
        "image",
        type=Path,
        metavar="IMAGE",
        help="photograph: 8 or 16 bits, or float; gray or RGB; also a .zarr; or a folder of them",
    )
    parser.add_argument(
        "trimap",
        type=Path,
        metavar="TRIMAP",
        help="0 background, 128 unknown, 255 foreground; same size as IMAGE; or a folder",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="alpha: .png, or .tif for float32 without rounding; or a folder",
    )
    parser.add_argument(
        "--cutout", type=Path, metavar="OUT", help="also write the cut-out, RGBA with straight colour; or a folder"
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="OUT",
        help="also write what was done, as .json; of folders one file each into a folder, or one .csv or .json for all",
    )
    parser.add_argument("--bits", type=int, default=16, choices=(8, 16), help="bits a channel in PNG files (16)")
    parser.add_argument("--format", choices=("png", "tif"), help="of the files in folders (png)")
    add_image_options(parser)
    add_model_options(parser)
    add_method_options(parser)
    add_memory_options(parser)


def run(options: argparse.Namespace) -> int:
    """Matte one image, or those of a folder, and write what was asked for."""
    from lsa_engine.image_io.zarr_folders import is_zarr

    of_image, of_trimap = (path.is_dir() and not is_zarr(path) for path in (options.image, options.trimap))
    if of_image != of_trimap:
        folder, other = (options.image, options.trimap) if of_image else (options.trimap, options.image)
        options.fail(f"{folder} is a folder and {other} is not: give two files, or two folders")
    return _run_folder(options) if of_image else _run_file(options)


def _run_file(options: argparse.Namespace) -> int:
    if options.format is not None:
        options.fail("--format is for folders: the ending of a file's name says its format")
    outputs: dict[Path, tuple[str, ...]] = {options.output: PICTURES}
    for path, suffixes in ((options.cutout, PICTURES), (options.report, (".json",))):
        if path in outputs:
            options.fail(f"{path} is named for two outputs: give each its own name")
        if path is not None:
            outputs[path] = suffixes
    check_outputs(outputs, (options.image, options.trimap))
    method = refinement(options)

    from lsa_engine.image_io import parts, read_colours, read_trimap
    from lsa_engine.image_io.stacks import read_stack
    from lsa_engine.image_io.tiff import is_ome
    from lsa_engine.image_io.zarr_folders import is_zarr
    from lsa_engine.inference.files import ResultFiles, cut_out, write_report, write_result
    from lsa_engine.inference.one_call import matte

    stack = None if is_zarr(options.image) else read_stack(options.image)
    if stack is not None:
        return _run_stack(options, stack, method)
    # Cut-outs and classical methods take the whole image.
    image = parts.open_in_parts(options.image) if options.cutout is None and options.method == "network" else None
    data_range, out = options.data_range, None
    if image is None:
        image = read_colours(options.image, data_range=data_range, ignore_alpha=options.ignore_alpha)
        data_range = None
    elif image.shape[0] * image.shape[1] >= parts.LARGE and options.output.suffix.lower() in (".tif", ".tiff"):
        out = None if is_ome(options.output) else options.output
    trimap = read_trimap(options.trimap)
    with ProgressBar() as progress:
        result = matte(
            image,
            trimap,
            method=options.method,
            weights=options.weights,
            refinement=method,
            tta=options.tta,
            device=options.device,
            dtype=options.dtype,
            tiles=options.tiles,
            memory_limit=options.memory_limit,
            data_range=data_range,
            out=out,
            progress=progress,
        )
        # All computing comes before the first file, so that Ctrl-C leaves either nothing or everything.
        rgba = cut_out(image, result.alpha, progress=progress) if options.cutout is not None else None

    if out is None:
        write_result(ResultFiles(options.output, options.cutout, options.report), result, rgba, bits=options.bits)
    elif options.report is not None:
        write_report(options.report, result.report)
    report = result.report
    for note in report.notes:
        print(f"lsa: {note}", file=sys.stderr)
    how = f"{report.weights or report.method} on {report.device}, {report.dtype}, {report.seconds:.1f} s"
    print(f"Wrote {', '.join(map(str, outputs))} ({how}).")
    return DONE


def _run_stack(options: argparse.Namespace, stack: Stack, method: Refinement | None) -> int:
    if options.cutout is not None:
        options.fail(f"--cutout was given, but {options.image} is a stack: cut-outs are made of single pictures")
    if options.output.suffix.lower() not in (".tif", ".tiff"):
        options.fail(f"{options.image} is a stack, whose mattes go into one .tif: name one, not {options.output}")
    from contextlib import ExitStack
    from functools import partial

    from lsa_engine.inference.matter import Matter
    from lsa_engine.inference.one_call import matte
    from lsa_engine.inference.stacks import matte_stack

    with ProgressBar() as progress, ExitStack() as opened:
        run = partial(matte, method=options.method, refinement=method, tta=options.tta)
        if options.method == "network":
            settings = {name: getattr(options, name) for name in ("device", "dtype", "tiles", "memory_limit")}
            run = partial(run, weights=opened.enter_context(Matter(options.weights, **settings)))

        def tell(number: int, report: Report) -> None:
            for note in report.notes:
                progress.print(f"lsa: page {number}: {note}", sys.stderr)

        reports = matte_stack(
            stack,
            options.trimap,
            options.output,
            run,
            name=str(options.image),
            data_range=options.data_range,
            ignore_alpha=options.ignore_alpha,
            each=tell,
            progress=progress,
        )
    if options.report is not None:
        _write_json(options.report, [report.to_dict() for report in reports])
    seconds = sum(report.seconds for report in reports)
    print(f"Wrote {options.output} ({len(reports)} pages, {seconds:.1f} s).")
    return DONE


def _run_folder(options: argparse.Namespace) -> int:
    for option, path in (("-o", options.output), ("--cutout", options.cutout)):
        if path is not None and path.suffix.lower() in PICTURES and not path.is_dir():
            options.fail(f"{option} {path} names a file, but {options.image} is a folder: name a folder")
    table = options.report if options.report is not None and options.report.suffix.lower() in _TABLES else None
    if table is not None:
        check_outputs({table: _TABLES})
    method = refinement(options)

    from lsa_engine.image_io.record import write_csv
    from lsa_engine.inference.folders import RECORD, MattedFile, find_pairs, matte_files

    pairs = find_pairs(options.image, options.trimap)
    with ProgressBar() as progress:
        files = matte_files(
            pairs,
            options.output,
            suffix=f".{options.format or 'png'}",
            bits=options.bits,
            cutouts=options.cutout,
            reports=options.report if table is None else None,
            method=options.method,
            weights=options.weights,
            refinement=method,
            tta=options.tta,
            device=options.device,
            dtype=options.dtype,
            tiles=options.tiles,
            memory_limit=options.memory_limit,
            data_range=options.data_range,
            ignore_alpha=options.ignore_alpha,
            each=lambda file: _print_summary(file, progress),
            progress=progress,
        )
    if table is not None and table.suffix.lower() == ".csv":
        write_csv(table, files, MattedFile)
    elif table is not None:
        _write_json(table, [asdict(file) for file in files])
    failed, kept = sum(file.failed for file in files), sum(file.kept for file in files)
    done = f"{len(files) - failed - kept} matted, {kept} kept from before, {failed} failed"
    print(f"{options.output}: {done}; one line each in {RECORD}.")
    return UNUSABLE if failed else DONE


def _print_summary(file: MattedFile, progress: ProgressBar) -> None:
    if file.failed:
        progress.print(f"lsa: {file.image} was not matted: {file.status}", sys.stderr)
        return
    size = f"{file.width} × {file.height}, {file.unknown} pixels unknown"
    progress.print(f"{file.image}: {file.status}, {size}, {file.seconds or 0:.1f} s")
    if file.notes:
        progress.print(f"lsa: {file.image}: {file.notes}", sys.stderr)


def _write_json(path: Path, lines: list[dict[str, Any]]) -> None:
    from lsa_engine.image_io import atomic_path

    with atomic_path(path) as temporary:
        text = json.dumps(lines, indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
