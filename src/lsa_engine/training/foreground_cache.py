"""Real foregrounds for training: cut-outs from folders, refined once (§4.1) and kept by what is in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lsa_engine.arrays import to_unit_range
from lsa_engine.errors import DataError
from lsa_engine.foreground import refine_foreground
from lsa_engine.foreground.refinement import RefinementMethod
from lsa_engine.image_io import read_image, write_rgba
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.training.datasets import as_bytes, list_pictures

Bytes = NDArray[np.uint8]
Refine = Literal["multigrid", "paper", "none"]

# Part of every key: to be raised when the same input would be refined to something else.
_VERSION = "1"


def foreground_cache() -> Path:
    """Return the folder of refined foregrounds: LSA_CACHE_DIR, else the one this system keeps for caches."""
    configured = os.environ.get("LSA_CACHE_DIR")
    if configured:
        return Path(configured).expanduser() / "foregrounds"
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("lsa-matting", appauthor=False)) / "foregrounds"


def load_foregrounds(
    folders: Sequence[str],
    root: Path,
    refine: Refine = "multigrid",
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> list[Bytes]:
    """Return the cut-outs of some folders under `root`, refined, in the order of their names.

    A refined foreground is kept in the cache under a hash of its pixels and the method, so that a second run, or
    another with some of the same files, reads what is there.

    Parameters
    ----------
    folders : sequence of str
        Folders of RGBA files with straight colours.
    root : Path
        Where the folders lie.
    refine : {"multigrid", "paper", "none"}
        As in :func:`lsa_engine.refine_foreground`; "none" takes colours as they are.
    progress, cancel : optional
        Told of every file.

    Returns
    -------
    list of array (H, W, 4), uint8

    Raises
    ------
    DataError
        If a folder is missing or holds no picture, or a picture has no alpha channel.
    """
    paths = [path for folder in folders for path in list_pictures(root / folder)]
    if not paths:
        return []
    steps = Steps("refining foregrounds", len(paths), progress, cancel)
    cutouts = []
    for path in paths:
        pixels = read_image(path)
        if pixels.ndim != 3 or pixels.shape[2] != 4:
            raise DataError(
                f"Got foreground {path} of shape {pixels.shape}, expected an RGBA cut-out with straight colours; "
                "join colours and alpha with lsa.cutout, or take the file out."
            )
        cutout = as_bytes(to_unit_range(pixels, None, str(path)))
        cutouts.append(cutout if refine == "none" else _refined(cutout, refine))
        steps.advance()
    return cutouts


def _refined(cutout: Bytes, refine: RefinementMethod) -> Bytes:
    content = np.ascontiguousarray(cutout)
    key = hashlib.sha256(f"{_VERSION} {refine} {content.shape}".encode() + content.tobytes()).hexdigest()
    kept = foreground_cache() / f"{key}.png"
    if kept.exists():
        return read_image(kept)
    colours = refine_foreground(np.ascontiguousarray(cutout[..., :3]), cutout[..., 3], method=refine, device="cpu")
    refined: Bytes = np.dstack([colours, cutout[..., 3]])
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_rgba(kept, refined, bits=8)
    return refined
