"""Trimaps kept for the case of a crash: a folder for every image, with an index and a picture for each part painted."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsa_engine.errors import FileError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from napari_lsa_matting.trimap_layer import BACKGROUND

if TYPE_CHECKING:
    from napari_lsa_matting.stack_frames import Proposed

_INDEX = "trimap.json"
_DAYS_KEPT = 30
_PLANES_READ, _ROWS_READ, _BANDS_READ = 16, 512, 8
# Pixels of a part at most: far fewer than Pillow reads, and soon written.
_PART = 1 << 24
# Parts that no index names may belong to another process, which is about to write its index.
_GRACE_S = 300
_CODES = np.array([128, 255, 0], np.uint8)  # of labels 0, 1, 2, as in any trimap file
_WRITING = threading.Lock()


def place_of(data: Any, name: str, folder: Path, check: Callable[[], None] = lambda: None) -> Path:
    """Return where the trimap of an image is kept, or would be: told by its name, shape and content.

    Parameters
    ----------
    data : array_like
        The image; of large ones some rows are read.
    name : str
        Its name.
    folder : Path
        Where trimaps are kept.
    check : callable
        Called again and again; may raise to give up.
    """
    digest = hashlib.sha256()
    for rows in _some_rows(data):
        check()
        digest.update(rows.data)
    return folder / f"{_outside(data, name)}-{digest.hexdigest()[:16]}"


def may_be_kept(data: Any, name: str, folder: Path) -> bool:
    """Return whether the trimap of an image of this name and shape is kept; its pixels are not looked at."""
    return any(folder.glob(f"{_outside(data, name)}-*/{_INDEX}"))


def saved_at(place: Path) -> float | None:
    """Return when a trimap was saved, in seconds as of ``time.time()``; None if there is none."""
    index = place / _INDEX
    return index.stat().st_mtime if index.is_file() else None


def forget(place: Path) -> None:
    """Delete a trimap."""
    with _WRITING:
        # The index first: what is left over without one is no trimap.
        (place / _INDEX).unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)


def forget_old(folder: Path) -> None:
    """Delete the trimaps that were not saved for a month."""
    if not folder.is_dir():
        return
    for place in folder.iterdir():
        when = saved_at(place) or place.stat().st_mtime
        if time.time() - when > _DAYS_KEPT * 86400 and place.is_dir():
            forget(place)


def save_trimap(
    labels: Any,
    place: Path,
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
    proposed: Proposed | None = None,
) -> bool:
    """Save a trimap whole or not at all; of what is there already, only parts that have changed are written.

    Parameters
    ----------
    labels : array_like (…, H, W)
        0 unknown, 1 foreground, 2 background; may be lazy.
    place : Path
        From :func:`place_of`.
    progress, cancel
        As everywhere in the engine.
    proposed : mapping, optional
        What was proposed for its planes, by which a proposal is told from what was painted.

    Returns
    -------
    bool
        Whether it is there now: not so an empty one, nor a segmentation.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    shape = tuple(int(length) for length in labels.shape)
    parts = list(_parts(shape))
    steps = Steps("saving the trimap", len(parts), progress, cancel)
    with _WRITING:
        names: list[str | None] = []
        for where in parts:
            rows = np.ascontiguousarray(labels[where])
            if rows.size and (rows.min() < 0 or rows.max() > BACKGROUND):
                return False
            names.append(_write_part(rows.astype(np.uint8), place) if rows.any() else None)
            steps.advance()
        if not any(names):
            return False
        _write_index(place, {"shape": list(shape), "parts": names, "proposals": dict(proposed or {})})
        _remove_unnamed(place, {name for name in names if name is not None})
    return True


def load_trimap(place: Path, progress: ProgressCallback | None, cancel: CancelToken | None) -> NDArray[np.uint8]:
    """Return the labels of a trimap that was saved.

    Raises
    ------
    FileError
        If it is gone or damaged.
    """
    from lsa_engine.image_io import read_image

    try:
        index = json.loads((place / _INDEX).read_text(encoding="utf-8"))
        labels = np.zeros(index["shape"], np.uint8)
        parts = list(zip(_parts(labels.shape), index["parts"], strict=True))
        steps = Steps("reading the trimap", len(parts), progress, cancel)
        for where, name in parts:
            if name is not None:
                codes = read_image(place / f"{name}.png")
                labels[where] = np.select([codes == _CODES[1], codes == _CODES[2]], [1, 2], 0)
            steps.advance()
    except (OSError, ValueError, KeyError, TypeError, FileError) as error:
        raise _unreadable(place, error) from error
    return labels


def load_proposals(place: Path) -> Proposed:
    """Return what was proposed for the planes of a trimap that was saved.

    Raises
    ------
    FileError
        If it is gone or damaged.
    """
    try:
        return dict(json.loads((place / _INDEX).read_text(encoding="utf-8")).get("proposals", {}))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _unreadable(place, error) from error


@dataclass(frozen=True, eq=False)
class RestoreRequest:
    """Read a trimap that an earlier session has left: makes labels, as in :mod:`~napari_lsa_matting.trimap_requests`.

    Attributes
    ----------
    place : Path
        Where it is kept.
    """

    place: Path

    def run(self, progress: ProgressCallback, cancel: CancelToken) -> NDArray[np.uint8]:
        """Return the labels, of the shape of the image that they belong to.

        Raises
        ------
        FileError
            If it is gone or damaged.
        """
        return load_trimap(self.place, progress, cancel)

    def facts(self) -> dict[str, Any]:
        """Return how they are made, as plain values for a layer's metadata."""
        return {"from": "autosave", "path": str(self.place)}

    def given(self) -> dict[str, NDArray[Any]]:
        """Return what they are made from, by name."""
        return {}


def _unreadable(place: Path, error: Exception) -> FileError:
    return FileError(f"The autosaved trimap in {place} cannot be read ({error}): discard it, and paint or open one.")


def _outside(data: Any, name: str) -> str:
    """Return what an image looks like from outside, as part of a file's name."""
    return hashlib.sha256(repr((name, tuple(data.shape), str(data.dtype))).encode()).hexdigest()[:16]


def _some_rows(data: Any) -> Iterator[NDArray[Any]]:
    """Yield some hundred rows of an array, spread over all of it; all of a small one."""
    axes = 3 if data.ndim > 2 and data.shape[-1] in (3, 4) else 2
    planes = list(np.ndindex(*data.shape[:-axes]))
    chosen = planes[:: max(1, len(planes) // _PLANES_READ)]
    rows = _rows_of_plane(data.shape[-axes], len(chosen), isinstance(data, np.ndarray))
    for index in chosen:
        for some in rows:
            yield np.ascontiguousarray(data[(*index, some)])


def _rows_of_plane(height: int, planes: int, in_memory: bool) -> list[slice]:
    """Return which rows of a plane are read if those of so many planes are."""
    if in_memory:
        return [slice(None, None, max(1, height * planes // _ROWS_READ))]
    # Of a file, single rows cost whole chunks: all of the file, if they are spread over it.
    count = max(1, _BANDS_READ // planes)
    length = max(1, _ROWS_READ // planes // count)
    if height <= length * count:
        return [slice(0, height)]
    between = (height - length) / (count + 1)
    return [slice(first, first + length) for first in (round(between * (number + 1)) for number in range(count))]


def _parts(shape: tuple[int, ...]) -> Iterator[tuple[int | slice, ...]]:
    """Yield where the parts of a trimap lie: planes, or some rows of large ones."""
    height, width = shape[-2:]
    count = max(1, -(-height * width // _PART))
    bounds = [height * number // count for number in range(count + 1)]
    for index in np.ndindex(*shape[:-2]):
        for first, last in pairwise(bounds):
            yield (*index, slice(first, last))


def _write_part(rows: NDArray[np.uint8], place: Path) -> str:
    """Write rows unless a file holds them, and return its name: what is in it."""
    from lsa_engine.image_io import write_image

    name = hashlib.sha256(repr(rows.shape).encode() + rows.tobytes()).hexdigest()[:32]
    path = place / f"{name}.png"
    try:
        place.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            path.touch()
            return name
    except OSError as error:
        raise FileError(
            f"The trimap cannot be saved in {place} ({error.strerror}): choose another cache folder in napari's "
            "Preferences."
        ) from error
    write_image(path, _CODES[rows])
    return name


def _write_index(place: Path, index: dict[str, Any]) -> None:
    from lsa_engine.image_io import atomic_path

    path, text = place / _INDEX, json.dumps(index)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _remove_unnamed(place: Path, names: set[str]) -> None:
    for path in place.glob("*.png"):  # those of a write that was killed, too, which begin with a dot
        try:
            if path.stem not in names and time.time() - path.stat().st_mtime > _GRACE_S:
                path.unlink()
        except OSError:  # another process was faster
            continue
