"""From what was computed to the report of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from lsa_engine.devices import peak_memory
from lsa_engine.inference.memory import Way
from lsa_engine.inference.outcome import Outcome
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.results import Report
from lsa_engine.versions import versions

_COSTS_BEFORE = ("cost_before", "boundary_cost_before", "fidelity_cost_before")
_COSTS_AFTER = ("cost_after", "boundary_cost_after", "fidelity_cost_after")


@dataclass(frozen=True)
class Reporter:
    """What was asked for, and when.

    Attributes
    ----------
    identity : (str, str, str)
        Name and hash of the weights, and the network's size.
    method : str
        As in :class:`Report`.
    start : float
        On :func:`time.perf_counter`.
    tta : int
        Number of copies asked for, 0 without augmentation.
    settings : Refinement or None
        Those of the refinement.
    """

    identity: tuple[str, str, str]
    method: str
    start: float
    tta: int = 0
    settings: Refinement | None = None

    def report(self, shape: tuple[int, int], way: Way, outcome: Outcome | None, notes: tuple[str, ...] = ()) -> Report:
        """Return the report of an outcome, None where nothing had to be computed.

        Parameters
        ----------
        shape : (int, int)
            Height and width of the image.
        way : Way
            How it was computed.
        outcome : Outcome or None
            What came of it.
        notes : tuple of str
            Sentences to begin with.
        """
        device = way.runner.device
        tiled = way.side is not None
        if tiled:
            notes = (
                *notes,
                f"Computed in tiles of {way.side} pixels, with the network's gates of a reduced pass over the image.",
            )
        weights, sha256, size = self.identity
        return Report(
            weights=weights,
            weights_sha256=sha256,
            size=size,
            device=str(device),
            dtype=str(way.runner.dtype).removeprefix("torch."),
            method=self.method,
            tta=self.tta,
            image_shape=shape,
            seconds=time.perf_counter() - self.start,
            tiles=way.side,
            evaluations=0 if outcome is None else outcome.evaluations,
            gates=_gates(outcome, tiled),
            violation=None if outcome is None else outcome.violation.mean(),
            peak_memory_bytes=peak_memory(device),
            versions=versions("torch"),
            notes=(*notes, *self._cancelled(outcome), *self._hurried(outcome)),
            **self._costs(outcome),
        )

    def _costs(self, outcome: Outcome | None) -> dict[str, Any]:
        if self.settings is None or outcome is None:
            return {}
        before, after = (np.mean([getattr(one, when) for one in outcome.refined], 0) for when in ("before", "after"))
        return {
            "iterations": max(one.evaluations for one in outcome.refined),
            "cancelled": any(one.cancelled for one in outcome.refined) or outcome.copies < self.tta,
            "boundary": self.settings.boundary,
            **dict(zip(_COSTS_BEFORE, map(float, before), strict=True)),
            **dict(zip(_COSTS_AFTER, map(float, after), strict=True)),
        }

    def _cancelled(self, outcome: Outcome | None) -> tuple[str, ...]:
        """Return a sentence for a refinement that was stopped."""
        if self.settings is None or outcome is None:
            return ()
        if self.tta and (outcome.copies < self.tta or any(one.cancelled for one in outcome.refined)):
            return (f"The refinement was cancelled in copy {outcome.copies} of {self.tta}; this is the mean so far.",)
        if any(one.cancelled for one in outcome.refined):
            passes = f"{outcome.refined[0].evaluations} of {self.settings.iterations} passes"
            return (f"The refinement was cancelled after {passes}; this is the best matte so far.",)
        return ()

    def _hurried(self, outcome: Outcome | None) -> tuple[str, ...]:
        """Return a sentence for copies that shared a time budget which was too short."""
        if self.settings is None or not self.settings.time_budget or not self.tta or outcome is None:
            return ()
        if not any(one.out_of_time for one in outcome.refined):
            return ()
        passes = [one.evaluations for one in outcome.refined]
        each = f"{passes[0]} passes each" if len(set(passes)) == 1 else f"{', '.join(map(str, passes))} passes"
        return (
            f"The {len(passes)} copies shared a time budget of {self.settings.time_budget:g} s and took {each}; a "
            "larger budget allows for more.",
        )


def _gates(outcome: Outcome | None, tiled: bool) -> str | None:
    """Return what the network's gates were; None where they could not have been otherwise."""
    if outcome is None or not (tiled or outcome.refined):
        return None
    # A correction near an edit holds them, whatever its settings are.
    return "frozen" if tiled or any(one.gates_held for one in outcome.refined) else "live"
