"""From a request to its result: what is known is answered at once, the rest in as large parts as memory allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lsa_engine.devices import begin_peak_memory, release_memory
from lsa_engine.errors import InputError
from lsa_engine.inference.correction import LiveCorrection
from lsa_engine.inference.descent import Refined
from lsa_engine.inference.memory import Way, with_what_memory_there_is
from lsa_engine.inference.outcome import Outcome
from lsa_engine.inference.pairs import KNOWN
from lsa_engine.inference.planes import matte_plane, violation_of
from lsa_engine.inference.reporting import Reporter
from lsa_engine.inference.results import MatteResult
from lsa_engine.inference.sinks import Sink, open_sink
from lsa_engine.inference.tiling import Tiles, chosen_side, expected_bytes
from lsa_engine.inference.whole import Runner
from lsa_engine.trimap import Trimap

_IN_FLOAT32 = "Refined in float32, because most gradients of a refinement are too small for float16."
_LARGE = 2_000_000
"""Pixels from which on what is left behind is worth the tens of milliseconds that it takes to give it back."""


def answer(
    run: Callable[[Way, Sink], Outcome],
    runner: Runner,
    trimap: Trimap,
    reporter: Reporter,
    out: Any,
    tiles: Tiles,
    memory_limit: float,
    *,
    whole: bool,
    scale: float = 1.0,
) -> tuple[MatteResult, LiveCorrection | None, Way]:
    """Return what `run` computes, what corrections can go on from, and the way that it was computed in the end.

    Parameters
    ----------
    run : callable
        Computes in the way that it is given, and writes to a sink.
    runner : Runner
        The network.
    trimap : Trimap
        Of the image.
    reporter : Reporter
        What was asked for.
    out : array, path or None
        Where the matte is written.
    tiles, memory_limit
        As in :class:`~lsa_engine.Matter`.
    whole : bool
        Whether it can be computed at once only.
    scale : float
        Of the largest copy of the image that is computed.

    Raises
    ------
    InputError
        If tiles were asked for where the whole image is needed, or `out` does not fit.
    TrimapError
        If the trimap has no known foreground or no known background.
    NotEnoughMemory
        If not even the smallest tiles fit into memory.
    """
    begin_peak_memory(runner.device)
    if not trimap.unknown.any():
        return answer_known(runner, trimap, reporter, out), None, Way(runner, None)
    trimap.require_known()
    refining = reporter.settings is not None
    first = runner.refining() if refining else runner
    height, width = (round(length * scale) for length in trimap.shape)
    side = chosen_side(tiles, memory_limit, runner.network, (height, width), refining=refining)
    if whole and side is not None and tiles != "auto":
        raise InputError(
            f"Got tiles of {side} pixels with a refinement of augmented copies or the paper's, which take the whole "
            "image: choose tiles='off', or the fast refinement without augmentation."
        )
    with open_sink(out, trimap.shape) as sink:
        outcome, way, notes = with_what_memory_there_is(
            lambda way: run(way, sink),
            Way(first, None if whole else side),
            trimap.shape,
            tileable=not whole and tiles != "off",
        )
    if whole and side is not None:
        gigabytes = expected_bytes(runner.network, (height, width), refining=refining) / 1e9
        notes = (
            f"Computed at once, which takes about {gigabytes:.2g} GB, although the memory limit is {memory_limit:g} "
            "GB: a refinement of augmented copies and the paper's take the whole image.",
            *notes,
        )
    if first is not runner:
        notes = (_IN_FLOAT32, *notes)
    if height * width > _LARGE and way.runner.device.type == "cpu":
        release_memory()
    alpha = sink.result()
    initial = alpha if outcome.initial_alpha is None else outcome.initial_alpha
    report = reporter.report(trimap.shape, way, outcome, notes)
    result = MatteResult(alpha, initial, report, outcome.uncertainty, outcome.violation.map)
    return result, outcome.live, way


def answer_known(runner: Runner, trimap: Trimap, reporter: Reporter, out: Any = None) -> MatteResult:
    """Return the matte of a trimap that leaves nothing unknown."""
    with open_sink(out, trimap.shape) as sink:
        sink.write_known(trimap.values)
    alpha = sink.result()
    known = replace(reporter, method="known", tta=0, settings=None)
    return MatteResult(alpha, alpha, known.report(trimap.shape, Way(runner, None), None, (KNOWN,)))


def answer_corrected(refined: Refined[Any], live: LiveCorrection, way: Way, reporter: Reporter) -> MatteResult:
    """Return the matte of a correction, or of one that was undone."""
    violation = violation_of(live.initial, live.trimap)
    outcome = Outcome(violation, refined.evaluations, refined=[refined])
    report = reporter.report(live.trimap.shape, way, outcome)
    alpha, initial = (matte_plane(output, live.trimap) for output in (refined.output, live.initial))
    return MatteResult(alpha, initial, report, None, violation.map)
