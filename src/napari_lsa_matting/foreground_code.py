"""Scripts of the Foreground widget's runs: colours of a photograph estimated, a foreground or a folder refined."""

from __future__ import annotations

from lsa_engine.versions import versions
from napari_lsa_matting.code_inputs import image_input
from napari_lsa_matting.code_snippet import Input, Script
from napari_lsa_matting.foreground_folder_request import RefineFolderRequest
from napari_lsa_matting.requests import ForegroundOutcome, ForegroundRequest, RefineForegroundRequest

_UNIT = "lsa_engine.arrays.as_float_image"


def estimate_script(
    request: ForegroundRequest, image_path: str | None, alpha_path: str | None, outcome: ForegroundOutcome
) -> Script:
    """Return the script of colours estimated; the paths are where the layers came from."""
    body = [
        "",
        f"image = as_float_image(image, data_range={request.image.data_range!r})",
        f"foreground, background = lsa.estimate_foreground(image, alpha, method={request.method!r})",
    ]
    if "cut-out" in request.wanted:
        body.append("cutout = lsa.cutout(foreground, alpha)  # float32 (H, W, 4), straight colours")
    return Script(
        title=f"The colours of {request.image.name!r}",
        versions=outcome.versions,
        inputs=_inputs(request, "image", outcome, image_path, alpha_path),
        body=tuple(body),
        imports=(_UNIT,),
    )


def refine_script(
    request: RefineForegroundRequest, image_path: str | None, alpha_path: str | None, outcome: ForegroundOutcome
) -> Script:
    """Return the script of a foreground refined; the paths are where the layers came from."""
    settings = f"method={request.method!r}, kappa={request.kappa!r}"
    body = (
        "",
        f"foreground = as_float_image(foreground, data_range={request.image.data_range!r})",
        f"refined = lsa.refine_foreground(foreground, as_alpha(alpha), {settings})",
    )
    return Script(
        title=f"The foreground {request.image.name!r} refined",
        versions=outcome.versions,
        inputs=_inputs(request, "foreground", outcome, image_path, alpha_path),
        body=body,
        imports=(_UNIT, "lsa_engine.arrays.as_alpha"),
    )


def folder_script(request: RefineFolderRequest) -> Script:
    """Return the script of a folder of foregrounds refined."""
    folders = [request.foregrounds] if request.alphas is None else [request.foregrounds, request.alphas]
    body = (
        f"pairs = find_pairs({', '.join(repr(str(folder)) for folder in folders)})",
        "report = refine_files(  # keeps what is done: name another folder to make all of them again",
        f"    pairs, {str(request.output)!r}, method={request.method!r}, kappa={request.kappa!r}",
        ")",
    )
    return Script(
        title=f"The foregrounds in {request.foregrounds.name!r} refined",
        versions=versions("numba"),
        inputs=(),
        body=body,
        imports=("lsa_engine.foreground.folders.find_pairs", "lsa_engine.foreground.folders.refine_files"),
    )


def _inputs(
    request: ForegroundRequest | RefineForegroundRequest,
    name: str,
    outcome: ForegroundOutcome,
    image_path: str | None,
    alpha_path: str | None,
) -> tuple[Input, ...]:
    return (
        image_input(request.image, outcome.inputs["image_sha256"], image_path, name),
        image_input(request.alpha, outcome.inputs["alpha_sha256"], alpha_path, "alpha"),
    )
