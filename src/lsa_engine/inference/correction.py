"""Live correction (§4.3): strokes on the trimap bend the decoder further, from where it was, without a new encoding.

In a large image, a small edit moves what lies around it alone: only the cells of A and B that act on nothing else, with
the gates held, so that the answer takes as long as the edit is large, not the image, and the rest of the matte stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from lsa_engine.errors import Cancelled, InputError
from lsa_engine.inference.cost import Strokes
from lsa_engine.inference.descent import Objective, Refined, Tensors, descend
from lsa_engine.inference.mosaic import stand
from lsa_engine.inference.nearby import Region
from lsa_engine.inference.refinement import Refinement
from lsa_engine.network.decoder import Gates
from lsa_engine.progress import Steps
from lsa_engine.scalars import is_number
from lsa_engine.trimap import Trimap

_MOST_UNDONE = 50
_LEAST_UNDONE = 5  # whatever they take
_UNDO_BYTES = 64e6
_LARGE_IMAGE = 2_000_000  # pixels; below, the whole is quick enough
_LARGE_EDIT = 0.5  # one whose region holds this share of the unknown pixels is answered everywhere

Pose = Callable[[Trimap, Strokes | None, Refinement, Steps], Objective[Any]]
"""From a trimap, strokes that count beside its borders, settings, and what may cancel, to what is to be lowered."""


class Standing(NamedTuple):
    """A trimap and its matte, from which edits go on.

    Attributes
    ----------
    trimap, passed : Trimap
        As it was edited last, and as it was when the last pass was made.
    initial : Tensor or Parts
        Output of the untouched network.
    refined : Refined
        The matte, and A and B.
    gates : mapping or None
        Those that the matte was made with, once an edit needed them.
    """

    trimap: Trimap
    passed: Trimap
    initial: Any
    refined: Refined[Any]
    gates: Gates | None


class Nearby(Protocol):
    """What states the cost of an image as a function of what acts on a region alone."""

    def gates(self, tensors: Tensors) -> Gates:
        """Return the gates that A and B open."""

    def pose_nearby(
        self, region: Region, standing: Standing, trimap: Trimap, strokes: Strokes, settings: Refinement, steps: Steps
    ) -> Objective[Any]:
        """State the cost with the gates of what stands, which stays as it is outside the region."""


class LiveCorrection:
    """An image that was encoded once, and the refinement tensors that edits of its trimap have led to.

    Parameters
    ----------
    pose : callable
        States what is to be lowered after an edit.
    shapes : dict
        Shape of A and B after each refined stage.
    trimap : Trimap
        The one that was encoded.
    initial : Tensor or Parts
        Output of the untouched network.
    refined : Refined
        How it was refined.
    nearby : Nearby, optional
        States it around an edit alone; without one, every edit is answered everywhere.
    """

    def __init__(
        self,
        pose: Pose,
        shapes: dict[int, tuple[int, int, int]],
        trimap: Trimap,
        initial: Any,
        refined: Refined[Any],
        nearby: Nearby | None = None,
    ) -> None:
        self._pose, self._shapes, self._nearby = pose, shapes, nearby
        self.encoded = trimap
        self._frozen = refined.gates_held
        self._now = Standing(trimap, trimap, initial, refined, None)
        self._past: list[Standing] = []

    @property
    def trimap(self) -> Trimap:
        """The trimap as it was edited last."""
        return self._now.trimap

    @property
    def initial(self) -> Any:
        """Output of the untouched network."""
        return self._now.initial

    @property
    def refined(self) -> Refined[Any]:
        """What the last edit, or the refinement, has led to."""
        return self._now.refined

    def correct(self, edited: Trimap, settings: Refinement, steps: Steps, same_edit: bool = False) -> Refined[Any]:
        """Return the refinement after an edit: every pixel that is known otherwise than when encoded counts in C1.

        With `same_edit` it takes the place of the last correction in what can be undone.
        No pass is made with a time budget of 0, and where nothing is left to refine: the matte stays as it is.

        Raises
        ------
        InputError
            If the edited trimap has another size.
        Cancelled
            If the work was stopped; an edit is made or not.
        """
        if edited.shape != self.encoded.shape:
            sizes = [f"{height} × {width}" for height, width in (edited.shape, self.encoded.shape)]
            raise InputError(
                f"Got an edited trimap of {sizes[0]} pixels for an image of {sizes[1]}, expected the same size; edit "
                "the trimap that was matted, or call set_trimap."
            )
        now = self._now
        if not edited.unknown.any():
            # Nothing of it is to be seen, and there is nothing that it could cost.
            refined = replace(now.refined, before=now.refined.after, evaluations=0)
            return self._go_on(now._replace(trimap=edited, refined=refined), steps, same_edit)
        changed = edited.values != self.encoded.values
        strokes = (changed & edited.background, changed & edited.foreground)
        region = Region.around(edited.values != now.passed.values) if edited.values.size > _LARGE_IMAGE else None
        moved = edited.unknown | strokes[0] | strokes[1]
        if region is not None:
            moved &= region.mask
        if settings.time_budget == 0 or not moved.any():
            stood = stand(now.initial, now.refined.output, now.trimap, edited, strokes, settings)
            refined = replace(now.refined, output=stood.output, before=stood.cost, after=stood.cost, evaluations=0)
            passed = now.passed if moved.any() else edited
            return self._go_on(Standing(edited, passed, stood.initial, refined, now.gates), steps, same_edit)
        gates = None
        if (
            self._nearby is not None
            and region is not None
            and region.share(edited.unknown | now.passed.unknown) < _LARGE_EDIT
        ):
            gates = now.gates or self._nearby.gates(now.refined.tensors)
            now = self._now = now._replace(gates=gates)
            objective = self._nearby.pose_nearby(region, now, edited, strokes, settings, steps)
            moments = None  # they would move cells that are held
        else:
            objective = self._pose(edited, strokes, settings, steps)
            moments = now.refined.moments
        began = time.perf_counter()
        refined = descend(objective, self._shapes, settings, steps, began, now.refined.tensors, moments)
        if refined.cancelled:
            raise Cancelled("Cancelled while correcting; the correction before it stays.")
        refined = replace(refined, gates_held=self._frozen or gates is not None)
        return self._go_on(Standing(edited, edited, objective.initial, refined, gates), steps, same_edit)

    def undo(self, edits: int = 1) -> Refined[Any]:
        """Go back to before the last edits.

        Raises
        ------
        InputError
            If there are not as many; none is undone then.
        """
        if not self._past:
            raise InputError("Got a request to undo, expected a correction before it; there is none left to undo.")
        if not (is_number(edits, Integral) and 1 <= edits <= len(self._past)):
            raise InputError(
                f"Got a request to undo {edits!r} corrections, expected 1 to {len(self._past)}: no more are remembered."
            )
        self._now = self._past[-edits]
        del self._past[-edits:]
        # No pass was needed to come here.
        return replace(self.refined, before=self.refined.after, evaluations=0)

    def _go_on(self, state: Standing, steps: Steps, same_edit: bool) -> Refined[Any]:
        steps.finish()  # it raises if the work was stopped: the edit is not made then
        # What was encoded stays, whatever it was in the midst of.
        past = list(self._past) if same_edit and self._past else [*self._past[1 - _MOST_UNDONE :], self._now]
        while len(past) > _LEAST_UNDONE and _bytes_of(past) > _UNDO_BYTES:
            past.pop(0)
        self._past, self._now = past, state
        return state.refined


def _bytes_of(standings: Sequence[Standing]) -> int:
    """Return the memory that their tensors take; several may share one."""
    sizes = {}
    for standing in standings:
        refined = standing.refined
        moments = refined.moments
        held = [tensor for pair in refined.tensors.values() for tensor in pair]
        held += [] if moments is None else [*moments.means, *moments.squares]
        for matte in (standing.initial, refined.output):
            held += [matte] if isinstance(matte, Tensor) else [part for _, part in matte]
        for tensor in held:
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
    return sum(sizes.values())
