"""The script of a run of the Measure widget: the table of mattes, or of the labelled objects in one, in all frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_lsa_matting.code_inputs import Recorded, array_input
from napari_lsa_matting.code_snippet import Input, Script
from napari_lsa_matting.measure_pixels import Pixels
from napari_lsa_matting.measure_request import MeasureOutcome, MeasureRequest, Part


def measure_script(
    request: MeasureRequest,
    names: Mapping[str, Sequence[str]],
    paths: Mapping[str, Sequence[str | None]],
    outcome: MeasureOutcome,
) -> Script:
    """Return the script of measurements.

    Parameters
    ----------
    request : MeasureRequest
        What was measured.
    names, paths : mapping of str to sequence of str
        Names of the layers "alpha" (one for each matte), "image" and "labels", and where they came from.
    outcome : MeasureOutcome
        What came of it.
    """
    parts = [part for part in request.parts if part.frame not in outcome.left_out]
    inputs: list[Input] = []
    series: dict[str, Recorded] = {}
    for what in ("alpha", "image", "labels"):
        for number, name in enumerate(names[what]):
            recorded = {
                request.key(what, part, number): _recorded(request, outcome, part, what, number, name) for part in parts
            }
            if request.series is not None and what not in request.constant:
                series |= recorded
                continue
            ((key, given),) = recorded.items()
            pixels = _pixels(parts[0], what, number)
            # The file of a stack holds more than what was measured of it.
            path = None if pixels.index else paths[what][number]
            inputs.append(array_input(key, given, path, "[..., :3]" if pixels.drops_alpha else ""))
    if series:
        inputs.append(Input(series))
    return Script(
        title=f"Measurements of {' and '.join(map(repr, dict.fromkeys(names['alpha'])))}",
        versions=outcome.versions,
        inputs=tuple(inputs),
        body=tuple(_once(request) if request.series is None else _frame_by_frame(request, parts)),
        imports=("lsa_engine.measure.to_columns",),
    )


def _recorded(
    request: MeasureRequest, outcome: MeasureOutcome, part: Part, what: str, number: int, name: str
) -> Recorded:
    contents = "labels" if what == "labels" else "pixels"
    sha256 = outcome.inputs[f"{request.key(what, part, number)}_sha256"]
    return Recorded(_pixels(part, what, number).read, sha256, f"The {contents} of {name!r}")


def _pixels(part: Part, what: str, number: int) -> Pixels:
    pixels: Pixels = part.alphas[number] if what == "alpha" else getattr(part, what)
    return pixels


def _once(request: MeasureRequest) -> list[str]:
    return [
        "",
        "measurements = lsa.measure_matte(",
        *(f"    {line}," for line in _arguments(request)),
        ")",
        "table = to_columns(measurements)  # columns with their units, one row for each object",
    ]


def _frame_by_frame(request: MeasureRequest, parts: Sequence[Part]) -> list[str]:
    series = request.series
    column = None if series is None else series.column
    step = None if series is None else series.step
    when = [] if column is None else [f"    leading[{column!r}] += [{step!r} * frame] * len(found)"]
    return [
        "",
        f"frames = {[part.frame for part in parts]!r}",
        f"measurements, leading = [], {{{', '.join(f'{name!r}: []' for name in ('frame', column) if name)}}}",
        "for frame in frames:",
        "    found = lsa.measure_matte(",
        *(f"        {line}," for line in _arguments(request)),
        "    )",
        "    measurements += found",
        '    leading["frame"] += [frame] * len(found)',
        *when,
        "table = to_columns(measurements, leading)  # columns with their units, one row for each object in a frame",
    ]


def _arguments(request: MeasureRequest) -> list[str]:
    """Return the arguments of a call that measures one part."""
    first = request.parts[0]

    def array(what: str, number: int = 0) -> str:
        if request.series is None or what in request.constant:
            return request.key(what, first, number)
        name = what if not (request.names and what == "alpha") else f"{what}_{number}"
        return f'arrays[f"{name}_{{frame}}"]'

    if request.names:
        each = [f"{name!r}: {array('alpha', number)}" for number, name in enumerate(request.names)]
        arguments = [f"{{{', '.join(each)}}}"]
    else:
        arguments = [array("alpha")]
    arguments += [array("image")] if first.image is not None else []
    arguments += [f"labels={array('labels')}"] if first.labels is not None else []
    arguments += [f"spacing={request.spacing!r}", f"unit={request.unit!r}"]
    if request.channel_names is not None:
        arguments.append(f"channel_names={list(request.channel_names)!r}")
    return arguments
