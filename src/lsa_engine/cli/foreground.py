"""Refine a foreground: make its colours smooth where it is hardly seen (section 4.1).

lsa refine-foreground foreground.png alpha.png -o refined.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lsa_engine.cli.files import PICTURES, check_outputs
from lsa_engine.cli.progress_bar import ProgressBar
from lsa_engine.cli.status import DONE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``lsa refine-foreground``."""
    parser.add_argument("foreground", type=Path, metavar="FOREGROUND", help="straight colours, gray or RGB")
    parser.add_argument("alpha", type=Path, metavar="ALPHA", help="opacity; same size as FOREGROUND")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="refined colours, .png or .tif, as deep as FOREGROUND",
    )
    parser.add_argument("--kappa", type=float, default=1.0, help="weight of the smoothness term (1)")
    parser.add_argument("--method", default="paper", choices=("paper",), help="Algorithm 2 of the paper (paper)")


def run(options: argparse.Namespace) -> int:
    """Refine one foreground and write it."""
    check_outputs({options.output: PICTURES}, (options.foreground, options.alpha))

    from lsa_engine.foreground import energy, refine_foreground
    from lsa_engine.image_io import read_alpha, read_image, write_image

    foreground = read_image(options.foreground)
    alpha = read_alpha(options.alpha)
    with ProgressBar() as progress:
        refined = refine_foreground(foreground, alpha, kappa=options.kappa, method=options.method, progress=progress)
    write_image(options.output, refined, bits=8 if refined.dtype.itemsize == 1 else 16)

    before = energy(foreground, foreground, alpha, kappa=options.kappa)
    after = energy(refined, foreground, alpha, kappa=options.kappa)
    print(f"Wrote {options.output} (cost {before:.6g} before, {after:.6g} after).")
    return DONE
