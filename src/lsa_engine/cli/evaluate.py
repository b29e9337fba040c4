"""Evaluate a method, or stored mattes, on a data set: SAD, MSE, gradient and connectivity error.

The data set is a folder with image/, alpha/ and trimap/ (or trimap1/, trimap2/ …) and files of equal names in each.

  lsa evaluate my-data -o scores.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsa_engine.cli.files import check_outputs
from lsa_engine.cli.options import add_method_options, add_model_options, given_network_options, refinement
from lsa_engine.cli.progress_bar import ProgressBar
from lsa_engine.cli.status import DONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lsa_engine.trimap import Trimap

FORMATS = ("md", "csv", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``lsa evaluate``."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the data set")
    parser.add_argument(
        "--predictions",
        type=Path,
        metavar="FOLDER",
        help="score the mattes in this folder in place of running the network",
    )
    parser.add_argument("--format", choices=FORMATS, help="table as Markdown, CSV or JSON (md, or as FILE ends)")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the table here in place of printing it"
    )
    add_model_options(parser)
    add_method_options(parser)


def run(options: argparse.Namespace) -> int:
    """Score every case and print or write the table."""
    if options.output is not None:
        check_outputs({options.output: [f".{name}" for name in FORMATS]})
        ending = options.output.suffix.lower().removeprefix(".")
        if options.format not in (None, ending):
            options.fail(f"--format {options.format} does not fit {options.output}: leave it away or change the suffix")
    if options.predictions is not None:
        given = ["--method"] if options.method != "network" else given_network_options(options)
        if given:
            options.fail(f"--predictions was given with {', '.join(given)}, but nothing is computed: leave that away")
    method = refinement(options)

    from lsa_engine.evaluation import evaluate_method, evaluate_predictions, find_cases, report

    cases = find_cases(options.folder)
    with ProgressBar() as progress:
        if options.predictions is not None:
            rows = evaluate_predictions(cases, options.predictions, progress=progress)
        elif options.method != "network":
            from lsa_engine.inference.classical import classical_matte

            def classical(image: NDArray[Any], trimap: Trimap) -> NDArray[Any]:
                return classical_matte(image, trimap, options.method).alpha

            rows = evaluate_method(cases, classical, method=options.method, progress=progress)
        else:
            from lsa_engine.inference.matter import Matter

            matter = Matter(options.weights, device=options.device, dtype=options.dtype)

            def predict(image: NDArray[Any], trimap: Trimap) -> NDArray[Any]:
                matter.set_image(image)
                matter.set_trimap(trimap)
                result = matter.predict(tta=options.tta) if method is None else matter.refine(method, tta=options.tta)
                return result.alpha

            rows = evaluate_method(cases, predict, method=_title(options), progress=progress)

    if options.output is not None:
        report.write_report(options.output, rows)
        print(f"Wrote {options.output} ({len(rows)} cases).")
        return DONE
    write = {"md": report.to_markdown, "csv": report.to_csv, "json": report.to_json}[options.format or "md"]
    print(write(rows), end="")
    return DONE


def _title(options: argparse.Namespace) -> str:
    parts = [Path(options.weights).stem]
    if options.tta:
        parts.append(f"TTA {options.tta}")
    if options.refine != "none":
        parts.append(f"refined ({options.refine})")
    return ", ".join(parts)
