"""The door for single numbers: of Python or NumPy, but neither texts, nor arrays, nor truth values."""

from __future__ import annotations

from numbers import Real


def is_number(value: object, kind: type = Real) -> bool:
    """Whether something is a number of a kind (:mod:`numbers`); True and False are none."""
    return isinstance(value, kind) and not isinstance(value, bool)
