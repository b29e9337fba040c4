"""Options that several subcommands share, and what the engine makes of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsa_engine.inference.refinement import Refinement

CLASSICAL = ("closed-form", "knn", "lbdm", "lkm", "random-walk", "shared")

# What the network's options are where they are not given, or say what every method does.
_NETWORK_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "tta": (0,),
    "refine": ("none",),
    "weights": ("lsa-lite",),
    "device": ("auto", "cpu"),
    "dtype": ("auto",),
    "tiles": ("auto",),
    "memory_limit": (4.0,),
}

# Option on the command line → field of Refinement. Defaults are the engine's, so they are not repeated here.
_REFINEMENT_FIELDS = {
    "--boundary": "boundary",
    "--gates": "gates",
    "--iterations": "iterations",
    "--learning-rate": "learning_rate",
    "--fidelity-weight": "fidelity_weight",
    "--tolerance": "tolerance",
    "--time-budget": "time_budget",
}


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add which weights run where: ``--weights``, ``--device``, ``--dtype``."""
    group = parser.add_argument_group("network")
    group.add_argument(
        "--weights", default="lsa-lite", metavar="NAME|FILE", help="a name that `lsa info` lists, or a file (lsa-lite)"
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (auto)")
    group.add_argument(
        "--dtype",
        default="auto",
        choices=("auto", "float32", "bfloat16", "float16"),
        help="precision of the computation (auto)",
    )


def add_memory_options(parser: argparse.ArgumentParser) -> None:
    """Add how large images are computed: ``--tiles``, ``--memory-limit``."""
    group = parser.add_argument_group("memory")
    group.add_argument(
        "--tiles",
        type=_tiles,
        default="auto",
        metavar="auto|off|PIXELS",
        help="compute in tiles: of this size, never, or where the whole image takes more than the limit (auto)",
    )
    group.add_argument(
        "--memory-limit",
        type=float,
        default=4.0,
        metavar="GB",
        help="what a computation may take beside image and matte (4)",
    )


def _tiles(text: str) -> str | int:
    return int(text) if text.isdigit() else text


def add_method_options(parser: argparse.ArgumentParser) -> None:
    """Add how the matte is made: test-time augmentation and backpropagating refinement."""
    group = parser.add_argument_group("method")
    group.add_argument(
        "--method",
        default="network",
        choices=("network", *CLASSICAL),
        help="the network, or a classical method to compare with (network)",
    )
    group.add_argument(
        "--tta",
        type=int,
        default=0,
        choices=(0, 8, 24),
        help="average over 8 or 24 rotated, mirrored, scaled images (0)",
    )
    group.add_argument(
        "--refine",
        default="none",
        choices=("none", "fast", "paper"),
        help="backpropagating refinement, section 4.3: fast, or as printed (none)",
    )
    group.add_argument(
        "--boundary", choices=("paper", "released"), help="with --refine: where the matte must obey the trimap (paper)"
    )
    group.add_argument(
        "--gates",
        choices=("live", "frozen"),
        help="with --refine: the network's gates tie every pixel to every other, or stay as they are: fast only (live)",
    )
    group.add_argument("--iterations", type=int, metavar="N", help="with --refine: most steps (fast: 15, paper: 100)")
    group.add_argument(
        "--learning-rate", type=float, metavar="RATE", help="with --refine: step size (fast: 0.1, paper: 20)"
    )
    group.add_argument(
        "--fidelity-weight", type=float, metavar="WEIGHT", help="with --refine: pull towards the first matte (0.1)"
    )
    group.add_argument(
        "--tolerance",
        type=float,
        metavar="ALPHA",
        help="with --refine fast: done when no pixel moves by more than this in a step (1/510)",
    )
    group.add_argument(
        "--time-budget", type=float, metavar="SECONDS", help="with --refine: no further step after this time (no limit)"
    )


def refinement(options: argparse.Namespace) -> Refinement | None:
    """Return the refinement that the options ask for, None for none.

    Raises
    ------
    SystemExit
        If a refinement's option is given without ``--refine``, or an option of the network with another method.
    InputError
        If a value is out of range.
    """
    if options.method != "network":
        _refuse_network_options(options)
    given: dict[str, Any] = {
        field: getattr(options, field) for field in _REFINEMENT_FIELDS.values() if getattr(options, field) is not None
    }
    if options.refine == "none":
        for option, field in _REFINEMENT_FIELDS.items():
            if field in given:
                options.fail(f"{option} was given, but nothing is refined: add --refine fast or leave it away")
        return None
    from lsa_engine.inference.refinement import Refinement

    return Refinement(method=options.refine, **given)


def given_network_options(options: argparse.Namespace) -> list[str]:
    """Return the options of the network that were given something else than what they are by default."""
    return [
        f"--{name.replace('_', '-')}"
        for name, usual in _NETWORK_DEFAULTS.items()
        if getattr(options, name, usual[0]) not in usual
    ]


def _refuse_network_options(options: argparse.Namespace) -> None:
    """Leave with a sentence where a classical method was given with options that say nothing about it."""
    given = given_network_options(options)
    if given:
        options.fail(f"--method {options.method} was given with {', '.join(given)}, which only the network has")
