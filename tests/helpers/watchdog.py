"""Ends the training runs of tests that were killed: runs are made to outlive the process that launched them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_WATCH = """
import os, sys
from contextlib import suppress
import psutil

# Ends with the tests, however they end; a word says that they have cleaned up themselves.
if sys.stdin.read():
    sys.exit()
for process in psutil.process_iter():
    with suppress(psutil.Error):
        words = process.cmdline()
        if "lsa_engine" in words and any(word.startswith(sys.argv[1] + os.sep) for word in words):
            process.kill()
"""


class Watchdog:
    """A process that ends the runs under a folder once this process is gone, or lets go of it.

    Parameters
    ----------
    folder : Path
        Where the runs' own folders lie.
    """

    def __init__(self, folder: Path) -> None:
        # In a session of its own: a signal to all processes of the tests must not reach it.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WATCH, str(folder.resolve())], stdin=subprocess.PIPE, start_new_session=True
        )

    def dismiss(self) -> None:
        """Leave runs as they are."""
        self._process.communicate(b"done")

    def let_go(self) -> None:
        """Close the pipe, as happens when this process is killed, and wait until the runs are ended."""
        self._process.communicate()
