"""Settings of backpropagating refinement (§4.3)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Literal

from lsa_engine.errors import InputError
from lsa_engine.scalars import is_number

_DEFAULTS = {"fast": (15, 0.1), "paper": (100, 20.0)}


@dataclass(frozen=True)
class Refinement:
    """How to refine.

    Attributes
    ----------
    method : {"fast", "paper"}
        "fast": Adam with few steps, the best of them kept. "paper": gradient descent with a fixed rate, as printed.
    boundary : {"paper", "released"}
        "paper": ∂R by the four-neighbourhood, on both sides of the border (§4). "released": the unknown pixels with an
        eight-neighbour in the known region, and 0.1 added to each count, as in the published code.
    gates : {"live", "frozen"}
        "live": the network as it is, whose gates tie every pixel to every other. "frozen" ("fast" only): its gates stay
        as they are without refinement; everything is then local, and less has to be computed.
    iterations : int
        Most passes of the decoder: 15 with "fast", 100 with "paper". The matte of the paper's last pass is its result,
        so there is one update less.
    learning_rate : float
        Step size: 0.1 with "fast", 20 with "paper".
    fidelity_weight : float
        Weight of C2, which holds the matte near the unrefined one.
    tolerance : float
        "fast" stops when no pixel moves by more than this from one pass to the next; half a step of 8 bits.
    time_budget : float or None
        No further pass begins when so many seconds have gone by since the refinement began; 0 leaves the matte as it
        is. Copies of test-time augmentation share it by their sizes.

    Raises
    ------
    InputError
        If a value is of another kind, or out of range.
    """

    method: Literal["fast", "paper"] = "fast"
    boundary: Literal["paper", "released"] = "paper"
    gates: Literal["live", "frozen"] = "live"
    iterations: int = None  # type: ignore[assignment]  # the method's own
    learning_rate: float = None  # type: ignore[assignment]
    fidelity_weight: float = 0.1
    tolerance: float = 1 / 510
    time_budget: float | None = None

    def __post_init__(self) -> None:
        if self.method not in tuple(_DEFAULTS):
            raise InputError(
                f"Got refinement method {self.method!r}, expected 'fast' or 'paper'; choose one of these, or no "
                "refinement at all."
            )
        usual = dict(zip(("iterations", "learning_rate"), _DEFAULTS[self.method], strict=True))
        for name, value in usual.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if self.boundary not in ("paper", "released"):
            raise InputError(
                f"Got boundary rule {self.boundary!r}, expected 'paper' or 'released'; choose one of these."
            )
        if self.gates not in ("live", "frozen") or (self.gates == "frozen" and self.method == "paper"):
            raise InputError(
                f"Got gates {self.gates!r} with method {self.method!r}, expected 'live', or 'frozen' with 'fast'; "
                "choose one of these."
            )
        if not (is_number(self.iterations, Integral) and self.iterations >= 1):
            raise InputError(
                f"Got {self.iterations!r} refinement iterations, expected a whole number of at least 1; "
                f"the default is {usual['iterations']}."
            )
        if not (is_number(self.learning_rate) and 0 < self.learning_rate < math.inf):
            raise InputError(
                f"Got learning rate {self.learning_rate!r}, expected a positive number; "
                f"the default is {usual['learning_rate']:g}."
            )
        for what, value, note in (
            ("fidelity weight", self.fidelity_weight, "the paper uses 0.1"),
            ("tolerance", self.tolerance, "the default is 1/510"),
        ):
            if not (is_number(value) and 0 <= value < math.inf):
                raise InputError(f"Got {what} {value!r}, expected a number, 0 or more; {note}.")
        if self.time_budget is not None and not (is_number(self.time_budget) and self.time_budget >= 0):
            raise InputError(
                f"Got a time budget of {self.time_budget!r}, expected seconds, 0 or more; None sets no limit."
            )

    def time_is_up(self, began: float) -> bool:
        """Whether the budget of a refinement that began at this :func:`time.perf_counter` is spent."""
        return self.time_budget is not None and time.perf_counter() - began >= self.time_budget


def checked_refinement(refinement: Refinement | None) -> Refinement | None:
    """Return settings as they are, None for the usual ones.

    Raises
    ------
    InputError
        If they are something else, such as a method's name.
    """
    if refinement is not None and not isinstance(refinement, Refinement):
        raise InputError(
            f"Got refinement {refinement!r}, expected the settings of one or None; pass a Refinement, for example "
            "Refinement('fast')."
        )
    return refinement


class TimeShares:
    """A refinement's time, shared by its copies: else the first would be refined and the last not at all.

    Parameters
    ----------
    settings : Refinement
        Of all copies.
    began : float
        When the refinement began, on :func:`time.perf_counter`.
    work : float
        Sizes of all copies together.
    """

    def __init__(self, settings: Refinement, began: float, work: float) -> None:
        self._settings, self._began, self._work = settings, began, work
        self._start, self._budget = began, math.inf

    def next(self, size: float) -> tuple[Refinement, float]:
        """Return the settings of the next copy, which is so large, and when it begins."""
        last, self._start = self._start, time.perf_counter()
        share, self._work = size / max(size, self._work), self._work - size
        whole = self._settings.time_budget
        if whole is None:
            return self._settings, self._start
        # A copy ends later than its time, by the pass that had begun and by what follows; the next will, too.
        late = max(0.0, self._start - last - self._budget)
        self._budget = max(0.0, share * (whole - (self._start - self._began)) - late)
        return replace(self._settings, time_budget=self._budget), self._start
