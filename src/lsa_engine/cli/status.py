"""Exit statuses of the ``lsa`` command; 1 is Python's own, for a fault of the program."""

from __future__ import annotations

DONE = 0
UNUSABLE = 2
"""The command or the data cannot be used as given: one sentence on standard error, nothing written."""
STOPPED = 130
"""Stopped with Ctrl-C; a training run also by SIGTERM or its STOP file."""
