"""Trimaps for the frames of a stack between those that a person painted: proposals, to be looked at and corrected.

Between the slices of a volume, the outlines are interpolated by their signed distances; along a video, the trimap moves
with the optical flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lsa_engine.arrays import as_float_image
from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.trimap import BACKGROUND, FOREGROUND, UNKNOWN, Trimap, as_trimap

Field = NDArray[np.float32]

_FLOW_SIDE = 512  # the flow is found on images reduced to this, and enlarged
_FLOW_RADIUS = 9
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def propose_trimaps(
    images: Sequence[Any],
    keys: Mapping[int, Any],
    frames: Iterable[int] | None = None,
    *,
    method: Literal["distance", "flow"] = "distance",
    spacing: tuple[float, float] = (1.0, 1.0),
    margin: float = 1.0,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> dict[int, Trimap]:
    """Return trimaps for the frames of a stack that have none, from the key frames that do.

    Parameters
    ----------
    images : sequence of (H, W) or (H, W, 3)
        The frames, integers or floats in [0, 1]; read one at a time, so a lazy array does. Looked at by "flow" only.
    keys : mapping of int to Trimap or array (H, W)
        The trimaps of some frames, by their index; arrays in any of the usual codings.
    frames : iterable of int, optional
        The frames to make proposals for; by default all without a trimap between the first and the last key frame.
    method : {"distance", "flow"}
        "distance": the outlines of known foreground and background, interpolated between the key frames at both sides;
        for the slices of a volume. "flow": the trimap moves with the image, from the key frames at both sides, and is
        unknown where the two disagree; for a video. Beyond the outermost key frames there is one side only.
    spacing : (float, float)
        Height and width of a pixel, in any unit.
    margin : float
        With "flow": so many pixels of known region are given up at its border with every frame.
    progress, cancel
        Told of every frame; may stop.

    Returns
    -------
    dict of int to Trimap
        The proposals, by frame.

    Raises
    ------
    InputError
        If there is no key frame, an index lies outside the stack, or sizes differ.
    TrimapError
        If a key frame's array is not a trimap.
    Cancelled
        If the work was stopped.
    """
    if method not in ("distance", "flow"):
        raise InputError(f"Got method {method!r}, expected 'distance' or 'flow'; choose one of these.")
    if not keys:
        raise InputError("Got no key frame, expected at least one trimap; paint one.")
    keys = {index: as_trimap(trimap) for index, trimap in keys.items()}
    shapes = {trimap.shape for trimap in keys.values()}
    if len(shapes) > 1:
        raise InputError(f"Got trimaps of sizes {sorted(shapes)}, expected one size; paint all on the same stack.")
    known = sorted(keys)
    wanted = sorted(set(range(known[0], known[-1] + 1) if frames is None else frames) - set(known))
    for index in (*known, *wanted):
        if not 0 <= index < len(images):
            raise InputError(f"Got frame {index}, expected 0 to {len(images) - 1}; name a frame of the stack.")
    if method == "distance":
        return _by_distance(keys, known, wanted, spacing, Steps("interpolating", len(wanted), progress, cancel))
    return _by_flow(images, keys, known, wanted, margin, progress, cancel)


def interpolate_trimaps(
    first: Trimap, last: Trimap, fraction: float, *, spacing: tuple[float, float] = (1.0, 1.0)
) -> Trimap:
    """Return the trimap between two, whose outlines lie at `fraction` of the way from the first's to the last's.

    Known foreground and known background are each interpolated as the zero set of their signed distance (Raya and Udupa
    1990); what neither takes is unknown.

    Parameters
    ----------
    first, last : Trimap
        (H, W).
    fraction : float
        0 gives the first, 1 the last.
    spacing : (float, float)
        Height and width of a pixel.

    Raises
    ------
    InputError
        If the sizes differ or the fraction lies outside [0, 1].
    """
    if first.shape != last.shape:
        raise InputError(f"Got trimaps of {first.shape} and {last.shape} pixels, expected equal sizes; resize one.")
    if not 0 <= fraction <= 1:
        raise InputError(f"Got fraction {fraction}, expected 0 to 1: 0 is the first trimap, 1 the last.")
    return _between(_distances(first, spacing), _distances(last, spacing), fraction)


def carry_trimap(trimap: Trimap, image: Any, target: Any, *, margin: float = 1.0) -> Trimap:
    """Return a trimap moved from its image to another that shows the same thing a little later.

    The outlines' signed distances follow the optical flow (the iterative Lucas–Kanade method of scikit-image).

    Parameters
    ----------
    trimap : Trimap
        (H, W), of `image`.
    image, target : (H, W) or (H, W, 3)
        Integers or floats in [0, 1].
    margin : float
        So many pixels of known region are given up at its border, since the flow is not exact.

    Raises
    ------
    InputError
        If the sizes differ.
    """
    distances = _moved(_distances(trimap, (1.0, 1.0)), _gray(image, trimap.shape), _gray(target, trimap.shape))
    return _of_distances(distances - margin)


def _by_distance(
    keys: Mapping[int, Trimap], known: list[int], wanted: list[int], spacing: tuple[float, float], steps: Steps
) -> dict[int, Trimap]:
    fields: dict[int, Field] = {}
    proposals = {}
    for frame in wanted:
        before, after = _neighbours(known, frame)
        if before is None or after is None:
            proposals[frame] = keys[known[0] if before is None else known[-1]]
        else:
            fields = {key: fields[key] if key in fields else _distances(keys[key], spacing) for key in (before, after)}
            proposals[frame] = _between(fields[before], fields[after], (frame - before) / (after - before))
        steps.advance()
    return proposals


def _by_flow(
    images: Sequence[Any],
    keys: Mapping[int, Trimap],
    known: list[int],
    wanted: list[int],
    margin: float,
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
) -> dict[int, Trimap]:
    """Walk from every key frame towards its neighbours, frame by frame, and join what comes from both sides."""
    shape = keys[known[0]].shape
    walks = [(key, step, _reach(known, wanted, key, step)) for key in known for step in (1, -1)]
    walks = [(key, step, end) for key, step, end in walks if end != key]
    steps = Steps("following the motion", sum(abs(end - key) for key, _, end in walks), progress, cancel)
    arrived: dict[int, list[Field]] = {frame: [] for frame in wanted}
    for key, step, end in walks:
        distances, before = _distances(keys[key], (1.0, 1.0)), _gray(images[key], shape)
        for frame in range(key + step, end + step, step):
            now = _gray(images[frame], shape)
            distances = _moved(distances, before, now) - margin
            before = now
            if frame in arrived:
                arrived[frame].append(distances)
            steps.advance()
    # Known only where all that came agree: the smaller distance.
    return {frame: _of_distances(np.minimum.reduce(fields)) for frame, fields in arrived.items()}


def _neighbours(known: list[int], frame: int) -> tuple[int | None, int | None]:
    """Return the key frames before and after a frame."""
    return (
        max((key for key in known if key < frame), default=None),
        min((key for key in known if key > frame), default=None),
    )


def _reach(known: list[int], wanted: list[int], key: int, step: int) -> int:
    """Return the last frame to walk to from a key frame: the outermost wanted one before the next key frame."""
    before, after = _neighbours(known, key)
    stop = after if step > 0 else before
    frames = [frame for frame in wanted if (frame - key) * step > 0 and (stop is None or (stop - frame) * step > 0)]
    return key if not frames else (max(frames) if step > 0 else min(frames))


def _distances(trimap: Trimap, spacing: tuple[float, float]) -> Field:
    """Return signed distances (2, H, W), positive inside, to the outlines of known foreground and background.

    Their sum is nowhere positive, however two of them are mixed: inside the one, the other is at least as far away.
    """
    largest = float(np.hypot(trimap.shape[0] * spacing[0], trimap.shape[1] * spacing[1]))
    fields = np.empty((2, *trimap.shape), np.float32)
    for field, mask in zip(fields, (trimap.foreground, trimap.background), strict=True):
        if mask.all() or not mask.any():
            field[:] = largest if mask.any() else -largest
            continue
        inside = ndimage.distance_transform_edt(mask, sampling=spacing)
        outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
        # The outline lies half-way between a pixel inside and its neighbour outside.
        field[:] = inside - outside - 0.5 * min(spacing) * np.where(mask, 1, -1)
    return fields


def _between(first: Field, last: Field, fraction: float) -> Trimap:
    return _of_distances((1 - fraction) * first + fraction * last)


def _of_distances(distances: Field) -> Trimap:
    values = np.full(distances.shape[1:], UNKNOWN, np.uint8)
    foreground, background = distances > 0
    values[foreground & ~background] = FOREGROUND
    values[background & ~foreground] = BACKGROUND
    return Trimap(values)


def _moved(distances: Field, before: Field, now: Field) -> Field:
    """Return distances (2, H, W) moved as the image did from one frame to the next."""
    from skimage.registration import optical_flow_ilk

    height, width = now.shape
    factor = max(1.0, max(height, width) / _FLOW_SIDE)
    if factor > 1:
        # A pixel of the small image is the mean of as many of the large one.
        small = [
            ndimage.zoom(ndimage.gaussian_filter(frame, factor / 2), 1 / factor, order=1) for frame in (now, before)
        ]
    else:
        small = [now, before]
    flow = optical_flow_ilk(*small, radius=_FLOW_RADIUS, prefilter=True)
    if factor > 1:
        scales = [now.shape[axis] / small[0].shape[axis] for axis in (0, 1)]
        flow = np.stack([ndimage.zoom(flow[axis], scales, order=1, grid_mode=True, mode="nearest") for axis in (0, 1)])
        flow *= np.array(scales)[:, None, None]
    places = np.mgrid[:height, :width] + flow[:, :height, :width]
    return np.stack([ndimage.map_coordinates(field, places, order=1, mode="nearest") for field in distances])


def _gray(image: Any, shape: tuple[int, int]) -> Field:
    colours = as_float_image(image)
    if colours.shape[:2] != shape:
        raise InputError(
            f"Got a frame of {colours.shape[:2]} pixels with trimaps of {shape}, expected equal sizes; paint the "
            "trimap on this stack."
        )
    return colours @ _LUMINANCE
