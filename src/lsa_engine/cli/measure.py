"""Measure a matte: soft areas, shape, width of the transition, and intensities weighted by opacity.

Every label, or the whole matte, is one line of the table.

  lsa measure alpha.tif --image image.tif --labels labels.tif --spacing 0.5 0.5 --unit um -o table.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lsa_engine.cli.files import check_outputs
from lsa_engine.cli.progress_bar import ProgressBar
from lsa_engine.cli.status import DONE

_COLOURS = {3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``lsa measure``."""
    parser.add_argument("alpha", type=Path, metavar="ALPHA", help="the matte, or a cut-out with its alpha channel")
    parser.add_argument("--image", type=Path, metavar="FILE", help="also measure the intensities of this image")
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="whole numbers, 0 for none: measure every label by itself"
    )
    parser.add_argument(
        "--spacing", nargs=2, type=float, metavar=("HEIGHT", "WIDTH"), help="size of a pixel, with --unit (1 1)"
    )
    parser.add_argument("--unit", help="unit of --spacing: um, mm, … (pixel)")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write all columns here (.csv) in place of printing some"
    )


def run(options: argparse.Namespace) -> int:
    """Measure the matte and print or write the table."""
    if (options.spacing is None) != (options.unit is None):
        options.fail("--spacing and --unit go together: give both, or neither to measure in pixels")
    sources = [path for path in (options.alpha, options.image, options.labels) if path is not None]
    if options.output is not None:
        check_outputs({options.output: [".csv"]}, sources)

    from lsa_engine.image_io import read_alpha, read_image
    from lsa_engine.measure import measure_matte, to_markdown, write_csv

    alpha = read_alpha(options.alpha)
    image = None if options.image is None else read_image(options.image)
    labels = None if options.labels is None else read_image(options.labels)
    with ProgressBar() as progress:
        measurements = measure_matte(
            alpha if labels is not None else {options.alpha.stem: alpha},
            image,
            labels=labels,
            spacing=options.spacing or (1.0, 1.0),
            unit=options.unit or "pixel",
            channel_names=_COLOURS.get(image.shape[-1]) if image is not None and image.ndim == 3 else None,
            progress=progress,
        )
    if options.output is not None:
        write_csv(measurements, options.output)
        print(f"Wrote {options.output} ({len(measurements)} {'object' if len(measurements) == 1 else 'objects'}).")
        return DONE
    print(to_markdown(measurements), end="")
    return DONE
