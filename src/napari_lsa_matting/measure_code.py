"""The script of a run of the Measure widget: the table of a matte, or of every labelled object in it."""

from __future__ import annotations

from collections.abc import Mapping

from napari_lsa_matting.code_inputs import Recorded, array_input
from napari_lsa_matting.code_snippet import Script
from napari_lsa_matting.measurement import MeasureOutcome, MeasureRequest


def measure_script(
    request: MeasureRequest, names: Mapping[str, str | None], paths: Mapping[str, str | None], outcome: MeasureOutcome
) -> Script:
    """Return the script of measurements.

    Parameters
    ----------
    request : MeasureRequest
        What was measured.
    names, paths : mapping of str to str
        Names of the layers "alpha", "image" and "labels", and where they came from.
    outcome : MeasureOutcome
        What came of it.
    """
    parts = {"alpha": request.alpha, "image": request.image, "labels": request.labels}
    inputs = []
    for name, pixels in parts.items():
        if pixels is not None:
            what = "labels" if name == "labels" else "pixels"
            given = Recorded(pixels.read, outcome.inputs[f"{name}_sha256"], f"The {what} of {names[name]!r}")
            # The file of a stack holds more than what was measured of it.
            path = None if pixels.index else paths[name]
            inputs.append(array_input(name, given, path, "[..., :3]" if pixels.drops_alpha else ""))
    arguments = ["alpha", *(["image"] if request.image is not None else [])]
    arguments += ["labels=labels"] if request.labels is not None else []
    arguments += [f"spacing={request.spacing!r}", f"unit={request.unit!r}"]
    if request.image is not None:
        arguments.append(f"channel_names={list(request.image.names)!r}")
    return Script(
        title=f"Measurements of {names['alpha']!r}",
        versions=outcome.versions,
        inputs=tuple(inputs),
        body=(
            "",
            "measurements = lsa.measure_matte(",
            *(f"    {argument}," for argument in arguments),
            ")",
            "table = to_columns(measurements)  # columns with their units, one row for each object",
        ),
        imports=("lsa_engine.measure.to_columns",),
    )
