"""The ``lsa`` command line: choose a subcommand, run it, and turn what goes wrong into one line and an exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from lsa_engine.cli import demo, evaluate, export, foreground, info, matte, measure, train, weights
from lsa_engine.cli.status import DONE, STOPPED, UNUSABLE
from lsa_engine.errors import LsaError

_COMMANDS: dict[str, ModuleType] = {
    "matte": matte,
    "refine-foreground": foreground,
    "measure": measure,
    "evaluate": evaluate,
    "train": train,
    "import-weights": weights,
    "export": export,
    "info": info,
    "demo": demo,
}


class _PrintVersion(argparse.Action):
    """Look the version up only when it is asked for: reading package metadata takes longer than parsing."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import lsa_engine

        print(f"lsa {lsa_engine.__version__}")
        parser.exit(DONE)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; the chosen subcommand's ``run`` is left in the result as ``run``."""
    parser = argparse.ArgumentParser(
        prog="lsa",
        description="Natural image matting with local smoothness assumptions.",
        epilog="Exit status: 0 done, 2 the command or the data cannot be used as given, 130 stopped with Ctrl-C.",
    )
    parser.add_argument("--version", action=_PrintVersion, nargs=0, help="print the version and leave")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    for name, module in _COMMANDS.items():
        description = (module.__doc__ or "").strip()
        subparser = commands.add_parser(
            name,
            help=description.splitlines()[0].rstrip("."),
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run, fail=subparser.error)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``lsa`` command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``lsa``; None takes them from the command line.

    Returns
    -------
    int
        The exit status, one of :mod:`lsa_engine.cli.status`.
    """
    try:
        options = build_parser().parse_args(arguments)
        _show_warnings()
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except LsaError as error:
        print(f"lsa: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("lsa: stopped with Ctrl-C; no half-written file was left.", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # The reader of our output (`lsa info | head`) has left, and the interpreter must not try to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _show_warnings() -> None:
    """Let what the engine logs as a warning read like the command's other messages."""
    import logging

    logging.basicConfig(level=logging.WARNING, format="lsa: %(message)s")
    # What zarr had begun when a chunk could not be read: a dozen lines behind the one that says so.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
