"""Matte an image: find the opacity of every pixel that its trimap leaves unknown.

lsa matte photo.png trimap.png -o alpha.png --cutout cutout.png
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from lsa_engine.cli.files import PICTURES, add_image_options, check_outputs, read_colours
from lsa_engine.cli.options import add_method_options, add_model_options, refinement
from lsa_engine.cli.progress_bar import ProgressBar
from lsa_engine.cli.status import DONE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``lsa matte``."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help="photograph: 8 or 16 bits, or float; gray or RGB")
    parser.add_argument(
        "trimap", type=Path, metavar="TRIMAP", help="0 background, 128 unknown, 255 foreground; same size as IMAGE"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="alpha: .png, or .tif for float32 without rounding",
    )
    parser.add_argument("--cutout", type=Path, metavar="FILE", help="also write the cut-out, RGBA with straight colour")
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write what was done, as .json")
    parser.add_argument("--bits", type=int, default=16, choices=(8, 16), help="bits a channel in PNG files (16)")
    add_image_options(parser)
    add_model_options(parser)
    add_method_options(parser)


def run(options: argparse.Namespace) -> int:
    """Matte one image and write what was asked for."""
    outputs: dict[Path, tuple[str, ...]] = {options.output: PICTURES}
    for path, suffixes in ((options.cutout, PICTURES), (options.report, (".json",))):
        if path in outputs:
            options.fail(f"{path} is named for two outputs: give each its own name")
        if path is not None:
            outputs[path] = suffixes
    check_outputs(outputs, (options.image, options.trimap))
    method = refinement(options)

    from lsa_engine.compositing import cutout
    from lsa_engine.foreground import estimate_foreground
    from lsa_engine.image_io import atomic_path, read_trimap, write_alpha, write_rgba
    from lsa_engine.inference.matter import matte

    image = read_colours(options.image, options)
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
            progress=progress,
        )
        # All computing comes before the first file, so that Ctrl-C leaves either nothing or everything.
        rgba = None
        if options.cutout is not None:
            foreground, _ = estimate_foreground(image, result.alpha, progress=progress)
            rgba = cutout(foreground, result.alpha)

    report = result.report
    write_alpha(options.output, result.alpha, bits=options.bits, metadata=report.to_dict())
    if rgba is not None:
        write_rgba(options.cutout, rgba, bits=options.bits)
    if options.report is not None:
        with atomic_path(options.report) as temporary:
            text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False)
            Path(temporary).write_text(text + "\n", encoding="utf-8")

    for note in report.notes:
        print(f"lsa: {note}", file=sys.stderr)
    how = f"{report.weights or report.method} on {report.device}, {report.dtype}, {report.seconds:.1f} s"
    print(f"Wrote {', '.join(map(str, outputs))} ({how}).")
    return DONE
