"""Import weights: convert a published checkpoint to this program's format, without executing what it holds.

Takes the paper's published matting checkpoint, and ImageNet encoders of mmclassification and timm. Without --output,
the result joins the user's own weights, where its name finds it.

  lsa import-weights model.pth --name lsa-r50d
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lsa_engine.cli.status import DONE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``lsa import-weights``."""
    parser.add_argument("checkpoint", type=Path, metavar="FILE", help="the checkpoint: .pth, .pt or .safetensors")
    parser.add_argument("--name", help="what the weights are to be called (as the file that is written)")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write this .safetensors file, not one among the user's own weights",
    )
    parser.add_argument("--licence", help="licence to write down (what is known of such checkpoints)")
    parser.add_argument(
        "--kind",
        default="auto",
        choices=("auto", "lsa-matting", "mmclassification", "timm"),
        help="what FILE is (auto: told by the names of its tensors)",
    )


def run(options: argparse.Namespace) -> int:
    """Convert one checkpoint."""
    from lsa_engine.weights import import_checkpoint

    made = import_checkpoint(
        options.checkpoint, options.output, name=options.name, licence=options.licence, kind=options.kind
    )
    known_as = made.path if options.output is not None else made.name
    use = f"--weights {known_as}" if made.kind == "matting" else f'start_from = "{known_as}" in a recipe'
    print(f"Wrote {made.path} ({made.size}, {made.kind}); use it with {use}.")
    print(f"Licence: {made.licence}")
    return DONE
