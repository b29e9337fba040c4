"""Matte a stack of pictures, page by page, with one network."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from lsa_engine.errors import InputError, TrimapError
from lsa_engine.image_io.reading import colours_of
from lsa_engine.image_io.stacks import Stack, growing_stack
from lsa_engine.image_io.trimap_files import read_trimaps
from lsa_engine.inference.results import MatteResult, Report
from lsa_engine.progress import CancelToken, Progress, ProgressCallback, Steps

_PARTS = 100


def matte_stack(
    image: Stack,
    trimap: str | os.PathLike[str],
    output: str | os.PathLike[str],
    run: Callable[..., MatteResult],
    *,
    name: str = "image",
    data_range: tuple[float, float] | None = None,
    ignore_alpha: bool = False,
    each: Callable[[int, Report], None] = lambda number, report: None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> list[Report]:
    """Write the mattes of a stack into one TIFF file of float32 with the stack's axes.

    Parameters
    ----------
    image : Stack
        As from :func:`~lsa_engine.image_io.stacks.read_stack`.
    trimap : path
        A stack with as many pages, or one trimap for all.
    output : path
        Ends in .tif; there whole or not at all.
    run : callable
        From image and trimap, `progress` and `cancel` to a result, such as :func:`lsa_engine.matte` with a Matter.
    name : str
        Of the image, for messages.
    data_range, ignore_alpha
        As in :func:`~lsa_engine.image_io.read_colours`.
    each : callable, optional
        Told of every page, counted from 1, and its report.
    progress, cancel : optional
        Told of the work within every page, too.

    Returns
    -------
    list of Report
        One for each page.

    Raises
    ------
    InputError, TrimapError
        If the trimaps are not as many, or a page cannot be matted; the message names it.
    FileError
        If a file cannot be read or written.
    Cancelled
        If `cancel` was set; nothing is written then.
    """
    regions = read_trimaps(trimap)
    if len(regions) not in (1, len(image)):
        raise InputError(
            f"Got {len(image)} pictures in {name} and {len(regions)} trimaps in {os.fspath(trimap)}, expected one "
            "trimap for each, or one for all."
        )
    same = regions.page(0) if len(regions) == 1 else None
    steps = Steps("matting", _PARTS * len(image), progress, cancel)
    height, width = image.page(0).shape[:2]
    reports: list[Report] = []
    with growing_stack(output, image, (height, width)) as mattes:
        for number in range(len(image)):
            which = f"page {number + 1} of {len(image)}"

            def watch(step: Progress, number: int = number, which: str = which) -> None:
                steps.check()
                steps.reach(number * _PARTS + int(step.fraction * (_PARTS - 1)))
                steps.advance(0, f"{which}, {step.message}")

            known = same if same is not None else regions.page(number)
            try:
                pixels = colours_of(image.page(number), f"{name}, {which}", data_range, ignore_alpha)
                result = run(pixels, known, progress=watch, cancel=cancel)
            except (InputError, TrimapError) as error:
                raise type(error)(f"In {which}: {error}") from error
            steps.check()
            mattes[number] = np.asarray(result.alpha)
            reports.append(result.report)
            each(number + 1, result.report)
            steps.reach((number + 1) * _PARTS)
        del mattes
    return reports
