"""Scripts of the Matting widget's runs: one matte, one after live strokes, or one for each object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_lsa_matting.code_inputs import Recorded, array_input, image_input, trimap_input
from napari_lsa_matting.code_snippet import Input, Script, call
from napari_lsa_matting.live_state import repeatable
from napari_lsa_matting.matte_request import NETWORK, MatteOutcome, MatteSettings

if TYPE_CHECKING:
    from lsa_engine.inference.results import Report
    from napari_lsa_matting.object_request import ObjectsOutcome

_ALPHA = "alpha = result.alpha  # float32 (H, W) in [0, 1]"


def matte_script(outcome: MatteOutcome, image_path: str | None, trimap_path: str | None) -> Script:
    """Return the script of a matte; the paths are where its layers came from."""
    image = image_input(outcome.image, outcome.inputs.get("image_sha256", ""), image_path)
    report = outcome.result.report
    title = f"The matte of {outcome.image.name!r}"
    if outcome.strokes:
        labels = {f"labels_{number}": stroke.labels.unpack for number, stroke in enumerate(outcome.strokes)}
        return Script(title, report.versions, (image, Input(labels)), (*_corrected(outcome), _ALPHA))
    refinement = repeatable(outcome.settings, outcome.result)
    options = _options(outcome.settings, report, outcome.image.data_range, refinement)
    body = ("", "result = lsa.matte(", "    image,", "    trimap,", *options, ")", _ALPHA)
    return Script(title, report.versions, (image, trimap_input(outcome.labels, trimap_path)), body)


def objects_script(outcome: ObjectsOutcome, image_path: str | None, labels_path: str | None) -> Script:
    """Return the script of the mattes of objects; the paths are where its layers came from."""
    image = image_input(outcome.image, outcome.inputs["image_sha256"], image_path)
    given = Recorded(lambda: outcome.labels, outcome.inputs["labels_sha256"], "The labels")
    report = next(iter(outcome.reports.values()))
    band, settings = outcome.band, outcome.settings
    arguments = {"inner": band.inner, "outer": band.outer, "spacing": band.spacing, "only": list(outcome.alphas)}
    options = _options(settings, report, outcome.image.data_range, settings.refinement)
    body = (
        *("", "mattes = matte_objects(", "    image,", "    labels,"),
        *(f"    {name}={value!r}," for name, value in arguments.items()),
        *(*options, ")"),
        "alphas = {matte.label: matte.alpha for matte in mattes}  # float32 (H, W) in [0, 1]",
    )
    return Script(
        title=f"The mattes of the objects in {outcome.image.name!r}",
        versions=report.versions,
        inputs=(image, array_input("labels", given, labels_path)),
        body=body,
        imports=("lsa_engine.inference.objects.matte_objects",),
    )


def matte_arguments(
    settings: MatteSettings, data_range: tuple[float, float] | None, refinement: str | None
) -> dict[str, str]:
    """Return the arguments of a matte beside those that set its network up, as code; `refinement` is code too."""
    arguments = {"method": repr(settings.method)} if settings.method != NETWORK else {}
    if settings.method == NETWORK and refinement is not None:
        arguments["refinement"] = refinement
    if settings.method == NETWORK and settings.tta:
        arguments["tta"] = repr(settings.tta)
    if data_range is not None:
        arguments["data_range"] = repr(data_range)
    return arguments


def network_arguments(settings: MatteSettings, report: Report) -> dict[str, str]:
    """Return the arguments that set a network up as it was, as code; none for a classical method."""
    if settings.method != NETWORK:
        return {}
    given = {
        "weights": settings.weights,
        "device": report.device,
        "dtype": report.dtype,
        "tiles": report.tiles or "off",
    }
    return {name: repr(value) for name, value in given.items()}


def matter_line(settings: MatteSettings, report: Report) -> str:
    """Return the line that sets a network up as it was."""
    given = ", ".join(f"{name}={code}" for name, code in network_arguments(settings, report).items())
    return f"matter = lsa.Matter({given}){_sha256(report)}"


def _options(
    settings: MatteSettings,
    report: Report,
    data_range: tuple[float, float] | None,
    refinement: Mapping[str, Any] | None,
) -> list[str]:
    """Return all arguments of a matte, a line each."""
    refining = None if refinement is None else call("lsa.Refinement", refinement)
    arguments = {**network_arguments(settings, report), **matte_arguments(settings, data_range, refining)}
    return [f"    {name}={code},{_sha256(report) if name == 'weights' else ''}" for name, code in arguments.items()]


def _sha256(report: Report) -> str:
    return f"  # SHA-256 {report.weights_sha256}"


def _corrected(outcome: MatteOutcome) -> list[str]:
    strokes, data_range = outcome.strokes, outcome.image.data_range
    known_range = "" if data_range is None else f", data_range={data_range!r}"
    lines = [
        "",
        matter_line(outcome.settings, outcome.result.report),
        f"matter.set_image(image{known_range})",
        'matter.set_trimap(lsa.Trimap.from_labels(arrays["labels_0"]))',
        f"result = matter.refine({call('lsa.Refinement', strokes[0].refinement)})",
    ]
    if len(strokes) > 1:
        lines.append("refinements = [")
        lines += [f"    {call('lsa.Refinement', stroke.refinement)}," for stroke in strokes[1:]]
        lines += [
            "]",
            "for number, refinement in enumerate(refinements, 1):  # the strokes, one after the other",
            '    edited = lsa.Trimap.from_labels(arrays[f"labels_{number}"])',
            "    result = matter.correct(edited, refinement)",
        ]
    return lines
