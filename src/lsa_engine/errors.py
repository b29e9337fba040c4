"""The engine's exceptions.

Every message is one sentence that says what was given, what was expected and what to do. Catch :class:`LsaError` for
all of them; the subclasses also derive from the built-in exception that fits, so that plain Python code keeps
working.
"""


class LsaError(Exception):
    """Base of every error that the engine raises on purpose."""


class InputError(LsaError, ValueError):
    """An array or an option does not fit: wrong shape, type, range, or combination."""


class TrimapError(InputError):
    """A trimap cannot be used: odd values, no known foreground, no known background."""


class FileError(LsaError, OSError):
    """A file cannot be read or written: missing, truncated, foreign, no permission, disk full."""


class WeightsError(LsaError, ValueError):
    """A weights file does not fit the network, is damaged, unknown, or unsafe to load."""


class RecipeError(LsaError, ValueError):
    """A training recipe does not make sense."""


class DataError(LsaError, ValueError):
    """A training or evaluation data set is missing, half there, or mismatched."""


class NotEnoughMemory(LsaError, MemoryError):
    """The memory does not suffice, not even for the smallest parts that something can be computed in."""


class Cancelled(LsaError):
    """The work was stopped by its :class:`~lsa_engine.progress.CancelToken`; nothing was written."""
