"""What a computation hands to the Matter, which makes a result of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.inference.correction import LiveCorrection
from lsa_engine.inference.descent import Refined
from lsa_engine.inference.planes import Violation


@dataclass(frozen=True)
class Outcome:
    """A matte that was written to its sink, and what is to be told of it.

    Attributes
    ----------
    violation : Violation
        Of the matte before refinement.
    evaluations : int
        Passes of the decoder.
    initial_alpha, uncertainty : (H, W) float32 or None
        As in :class:`~lsa_engine.MatteResult`; None for the matte itself, and for none.
    refined : list of Refined
        One for each copy, none without a refinement.
    copies : int
        So many copies are in the mean.
    live : LiveCorrection or None
        From which edits can go on.
    """

    violation: Violation
    evaluations: int = 1
    initial_alpha: NDArray[np.float32] | None = None
    uncertainty: NDArray[np.float32] | None = None
    refined: list[Refined[Any]] = field(default_factory=list)
    copies: int = 1
    live: LiveCorrection | None = None
