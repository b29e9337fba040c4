"""Export weights as an ONNX model of the plain forward, checked against torch with onnxruntime.

lsa export lsa-lite -o lsa-lite.onnx
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lsa_engine.cli.files import check_outputs
from lsa_engine.cli.status import DONE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``lsa export``."""
    parser.add_argument("weights", metavar="NAME|FILE", help="a name that `lsa info` lists, or a file")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the model to write, .onnx")


def run(options: argparse.Namespace) -> int:
    """Export one network."""
    check_outputs({options.output: [".onnx"]})
    from lsa_engine.inference.onnx_export import export_onnx

    made = export_onnx(options.weights, options.output)
    checked = "not compared with torch: onnxruntime is not installed"
    if made.difference is not None:
        checked = f"onnxruntime's answer differs from torch's by {made.difference:.0e} at most"
    print(f"Wrote {made.path} ({made.channels} input channels, guidance {made.guidance!r}; {checked}).")
    return DONE
