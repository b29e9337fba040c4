"""Classical matting methods, all PyMatting's, behind the same interface as the network's: for comparison."""

from __future__ import annotations

import time
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import as_float_image
from lsa_engine.errors import InputError
from lsa_engine.inference.pairs import check_pair, known_matte
from lsa_engine.inference.results import MatteResult, Report
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.trimap import Trimap, as_trimap
from lsa_engine.versions import versions

CLASSICAL_METHODS: dict[str, str] = {
    "closed-form": "cf",
    "knn": "knn",
    "lbdm": "lbdm",
    "lkm": "lkm",
    "random-walk": "rw",
    "shared": "sm",
}
"""Our names of PyMatting's methods: closed-form (Levin et al. 2008), KNN (Chen et al. 2013), learning-based (Zheng and
Kambhamettu 2009), large-kernel (He et al. 2010), random-walk (Grady et al. 2005) and shared matting (Gastal 2010)."""


def classical_matte(
    image: Any,
    trimap: Any,
    method: str = "closed-form",
    *,
    data_range: tuple[float, float] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> MatteResult:
    """Return the matte of one image by a classical method.

    Parameters
    ----------
    image : (H, W, 3) or (H, W) array
        Integers are scaled by their type's range; floats lie in [0, 1] unless `data_range` is given.
    trimap : (H, W) array or Trimap
        The trimap, in any of the usual codings.
    method : str
        A key of :data:`CLASSICAL_METHODS`.
    data_range : (float, float), optional
        Values that mean black and white.
    progress, cancel : optional
        Told before and after; PyMatting itself can be neither watched nor stopped.

    Raises
    ------
    InputError
        If the method is unknown, the image is none, the sizes differ, or the method finds no matte: some need at least
        20 pixels (knn) or 41 × 41 (lkm).
    TrimapError
        If the trimap is none, or has no known foreground or no known background.
    Cancelled
        If `cancel` was set.
    """
    if method not in CLASSICAL_METHODS:
        names = ", ".join(CLASSICAL_METHODS)
        raise InputError(f"Got method {method!r}, expected 'network' or one of {names}; choose one of these.")
    start = time.perf_counter()
    pixels, regions = check_pair(as_float_image(image, data_range=data_range), as_trimap(trimap))
    if not regions.unknown.any():
        alpha, note = known_matte(regions)
        return MatteResult(alpha, alpha, _report("known", start, regions, (note,)))
    regions.require_known()
    steps = Steps(f"{method} matting (the first time it is compiled)", 1, progress, cancel)
    try:
        alpha = _solve(pixels, regions, CLASSICAL_METHODS[method])
    except (ValueError, AssertionError, ArithmeticError) as error:
        # All of PyMatting's own: it asserts sizes without a word, and raises where its solver does not converge.
        reason = " ".join(str(error).split()) or "the image is too small for it"
        raise InputError(
            f"Got an image of {regions.shape[0]} × {regions.shape[1]} pixels for which method {method!r} finds no "
            f"matte ({reason.rstrip('.')}); choose another method, or give a larger image."
        ) from error
    steps.advance()
    return MatteResult(alpha, alpha, _report(method, start, regions))


def _solve(pixels: NDArray[np.float32], regions: Trimap, name: str) -> NDArray[np.float32]:
    import pymatting

    trimap = np.where(regions.foreground, 1.0, np.where(regions.background, 0.0, 0.5))
    # Its remarks on preconditioners are nobody's output, nor are warnings where its solver fails, which it says after.
    with redirect_stdout(StringIO()), np.errstate(divide="ignore", invalid="ignore"):
        alpha = getattr(pymatting, f"estimate_alpha_{name}")(pixels.astype(np.float64), trimap)
    # Some methods move known pixels a little.
    alpha = np.where(regions.unknown, alpha, trimap)
    return np.clip(alpha, 0, 1).astype(np.float32)


def _report(method: str, start: float, regions: Trimap, notes: tuple[str, ...] = ()) -> Report:
    return Report(
        weights="",
        weights_sha256="",
        size="",
        device="cpu",
        dtype="float64",
        method=method,
        tta=0,
        image_shape=regions.shape,
        seconds=time.perf_counter() - start,
        versions=versions("pymatting"),
        notes=notes,
    )
