"""A matte in one call."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from lsa_engine.errors import InputError
from lsa_engine.inference.classical import classical_matte
from lsa_engine.inference.matter import Matter
from lsa_engine.inference.refinement import Refinement
from lsa_engine.inference.results import MatteResult
from lsa_engine.inference.tiling import Tiles
from lsa_engine.progress import CancelToken, ProgressCallback


def matte(
    image: Any,
    trimap: Any,
    *,
    method: str = "network",
    weights: str | Path | Matter = "lsa-lite",
    refinement: Refinement | None = None,
    tta: int = 0,
    device: str | torch.device = "auto",
    dtype: str = "auto",
    tiles: Tiles = "auto",
    memory_limit: float = 4.0,
    out: Any = None,
    data_range: tuple[float, float] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> MatteResult:
    """Return the matte of one image in one call.

    Parameters
    ----------
    image : (H, W, 3) or (H, W) array
        As in :meth:`~lsa_engine.Matter.set_image`.
    trimap : (H, W) array or Trimap
        As in :meth:`~lsa_engine.Matter.set_trimap`.
    method : str
        "network", or a classical method to compare with: "closed-form", "knn", "lbdm", "lkm", "random-walk" or
        "shared" (:data:`~lsa_engine.inference.classical.CLASSICAL_METHODS`), which takes none
        of the next ones up to `out`, but for device "cpu".
    weights, device, dtype, tiles, memory_limit
        As in :class:`~lsa_engine.Matter`; or, as `weights`, a Matter that is there already, to use for many images
        and keep open.
    refinement : Refinement, optional
        Refine the matte by backpropagation (§4.3); None leaves it as the network gives it.
    tta : {0, 8, 24}
        Test-time augmentation, with a refinement that of every copy.
    out : array or path, optional
        Where the matte is written, as in :meth:`~lsa_engine.Matter.predict`; by the network only.
    data_range : (float, float), optional
        Values that mean black and white.
    progress, cancel
        As in :meth:`~lsa_engine.Matter.predict`.

    Raises
    ------
    InputError, TrimapError, WeightsError, Cancelled
        As in :class:`~lsa_engine.Matter` and :meth:`~lsa_engine.Matter.predict`.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((8, 8, 3), np.uint8)
    >>> trimap = np.zeros((8, 8), np.uint8)
    >>> trimap[:4] = 255
    >>> float(matte(image, trimap).alpha[0, 0])
    1.0
    """
    if method != "network":
        given = {
            "weights": not isinstance(weights, Matter) and str(weights) != "lsa-lite",
            "refinement": refinement is not None,
            "tta": bool(tta),
            "device": str(device) not in ("auto", "cpu"),
            "dtype": dtype != "auto",
            "tiles": tiles != "auto",
            "memory_limit": memory_limit != 4.0,
            "out": out is not None,
        }
        if any(given.values()):
            names = ", ".join(name for name, is_given in given.items() if is_given)
            raise InputError(f"Got method {method!r} with {names}, which only the network has; leave that away.")
        return classical_matte(image, trimap, method, data_range=data_range, progress=progress, cancel=cancel)
    own = (
        nullcontext(weights)
        if isinstance(weights, Matter)
        else Matter(weights, device=device, dtype=dtype, tiles=tiles, memory_limit=memory_limit)
    )
    with own as matter:
        matter.set_image(image, data_range=data_range)
        matter.set_trimap(trimap)
        if refinement is not None:
            return matter.refine(refinement, tta=tta, out=out, progress=progress, cancel=cancel)
        return matter.predict(tta=tta, out=out, progress=progress, cancel=cancel)
