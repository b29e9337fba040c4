"""Train a network: run a recipe, and write weights, losses and validation pictures into a folder.

RECIPE is a .toml file, or the name of one that comes with the package: quick, fine-tune, lsa-lite.
Ctrl-C (or SIGTERM, or a file named STOP in the folder) finishes the step, saves and leaves with exit status 130;
--resume goes on from there.

  lsa train quick --output runs/first
  lsa train fine-tune --data mine --output runs/mine      (own RGBA cut-outs in mine/cut-outs)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lsa_engine.cli.progress_bar import ProgressBar
from lsa_engine.cli.status import DONE, STOPPED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``lsa train``."""
    parser.add_argument("recipe", metavar="RECIPE", help="a .toml file, or a name: quick, fine-tune, lsa-lite")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER", help="the run's folder, made if it does not exist"
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="FOLDER", help="where the recipe's data folders lie (data)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (auto)")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in the run's folder")


def run(options: argparse.Namespace) -> int:
    """Train until the recipe's last step, or until somebody stops it."""
    from lsa_engine.training.trainer import train

    with ProgressBar() as progress:
        result = train(
            options.recipe,
            options.output,
            data=options.data,
            resume=options.resume,
            device=options.device,
            progress=progress,
        )
    if not result.finished:
        print(f"Stopped after step {result.steps} and saved; go on with --resume.")
        return STOPPED
    print(f"Wrote {result.weights} (validation SAD {result.best_score:.3f} after {result.steps} steps).")
    return DONE
