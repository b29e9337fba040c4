"""A matte from the known colours alone, however far away: known-to-unknown flow (Aksoy et al. 2017, section 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsa_engine.boxes import Box
from lsa_engine.guidance.enlarging import enlarge_bilinearly, enlarge_by_lines, lines_of
from lsa_engine.guidance.reducing import reduce_pair, reduction_for, unknown_pixels
from lsa_engine.progress import unchecked

_FACTOR = 2
_MOST_UNKNOWN = 400_000
_MOST_KNOWN = 60_000
_NEIGHBOURS = 5
_COLOUR_DISTANCE = 160.0  # so many pixels apart are as far as black from full red
_RIDGE = 1e-2
_QUERIES = 10_000  # pixels between two checks, for each thread
_SLACK = 1.0  # neighbours may be up to twice as far as the nearest: a third of the time, the same error


def sampled_matte(image: Tensor, trimap: Tensor, check: Callable[[], None] = unchecked) -> Tensor:
    """Return a matte by the colours that are known, and how far it is to be trusted.

    For every unknown pixel of the image at half its size, the nearest known foreground pixels and the nearest known
    background pixels are looked up, by colour and, with less weight, position. The affine combination of their colours
    that comes closest to the pixel's (Roweis and Saul's weights) gives α: the weights of those in the foreground.
    Nothing has to be connected, so that a hole sees the background's colours, and a leaf those of other leaves.

    Parameters
    ----------
    image : Tensor
        (N, 3, H, W), float32 in [0, 1].
    trimap : Tensor
        (N, 1, H, W), uint8 with 0 background, 128 unknown, 255 foreground.
    check : callable, optional
        Called between parts of the work, in several threads; may raise to stop.

    Returns
    -------
    Tensor
        (N, 3, H, W) float32 on the image's device. First the matte in [0, 1], with 0 and 1 where the trimap says so
        and 0.5 where one of the two layers is not known at all; then, both 0 in known regions, how far apart the two
        layers' nearest colours are, and how far the combination stays from the pixel's colour (Euclidean, RGB in
        [0, 1]).
    """
    factor, colours, known = reduce_pair(image, trimap, _FACTOR, _MOST_UNKNOWN)
    threads = max(1, min(len(image), torch.get_num_threads()))
    workers = max(1, torch.get_num_threads() // threads)

    # Searches and loops release the interpreter lock, so the images of a batch are solved side by side.
    with ThreadPoolExecutor(threads) as pool:
        solved = [
            pool.submit(sampled_lines, *pair, factor, workers, check) for pair in zip(colours, known, strict=True)
        ]
        lines, trust = zip(*(future.result() for future in solved), strict=True)
    return enlarge_samples(image, trimap, np.stack(lines), np.stack(trust), factor, check=check)


def sampled_reduction(unknown: int, pixels: int) -> int:
    """Return by how much an image with so many unknown pixels, and so many in all, is reduced."""
    return reduction_for(unknown, pixels, _FACTOR, _MOST_UNKNOWN)


def sampled_lines(
    colours: NDArray[np.float64],
    known: NDArray[np.bool_],
    factor: int,
    workers: int = 1,
    check: Callable[[], None] = unchecked,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lines (4, h, w) of the matte of a reduced image (h, w, 3), and how far to trust it (2, h, w)."""
    alpha, trust = flow(colours, known, _COLOUR_DISTANCE / factor, workers, check)
    check()
    return lines_of(colours, alpha, unknown_pixels(known)), trust


def enlarge_samples(
    image: Tensor,
    trimap: Tensor,
    lines: NDArray[np.float32],
    trust: NDArray[np.float32],
    factor: int,
    box: Box | None = None,
    check: Callable[[], None] = unchecked,
) -> Tensor:
    """Return matte and trust (N, 3, H, W) as :func:`sampled_matte` does, of an image or of the part in a box."""
    matte = enlarge_by_lines(image, trimap, lines, factor, box, check)
    box = box or Box(0, image.shape[-2], 0, image.shape[-1])
    check()
    rest = enlarge_bilinearly(trust, factor, box, image.device)
    return torch.cat([matte, torch.where(trimap == 128, rest, 0.0)], 1)


def flow(
    colours: NDArray[np.float64],
    known: NDArray[np.bool_],
    reach: float,
    workers: int = 1,
    check: Callable[[], None] = unchecked,
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return the matte that known colours give, and how far to trust it.

    Parameters
    ----------
    colours : ndarray
        (H, W, 3) float64 in [0, 1].
    known : ndarray
        (2, H, W) bool, known foreground and known background.
    reach : float
        Distance in pixels that counts as much as a difference of 1 in one channel.
    workers : int
        Threads to search with.
    check : callable, optional
        Called between parts of the work; may raise to stop.

    Returns
    -------
    alpha : ndarray
        (H, W) float64 in [0, 1].
    trust : ndarray
        (2, H, W) float32: the distance between the two layers' colours, and that of their combination from the
        pixel's; 0 where the pixel is known.
    """
    from lsa_engine.guidance.flow_kernels import combine

    unknown = unknown_pixels(known)
    alpha = known[0].astype(np.float64)
    trust = np.zeros((2, *unknown.shape), np.float32)
    if not unknown.any():
        return alpha, trust
    alpha[unknown] = 0.5
    if not (known[0].any() and known[1].any()):
        return alpha, trust
    near = [_nearest_colours(colours, layer, unknown, reach, workers, check) for layer in known]
    check()
    alpha[unknown], trust[0, unknown], trust[1, unknown] = combine(colours[unknown], *near, _RIDGE)
    return alpha, trust


def _nearest_colours(
    colours: NDArray[np.float64],
    layer: NDArray[np.bool_],
    unknown: NDArray[np.bool_],
    reach: float,
    workers: int,
    check: Callable[[], None],
) -> NDArray[np.float64]:
    """Return the colours (U, K, 3) of the known pixels of one layer that are nearest to each unknown one."""
    from scipy.spatial import cKDTree

    check()
    places = np.argwhere(layer)
    places = places[:: -(-len(places) // _MOST_KNOWN)]
    known = colours[places[:, 0], places[:, 1]]
    tree = cKDTree(np.column_stack([known, places / reach]), balanced_tree=False, compact_nodes=False)
    wanted = np.column_stack([colours[unknown], np.argwhere(unknown) / reach])
    count = min(_NEIGHBOURS, len(places))
    nearest = np.empty((len(wanted), count), np.intp)
    step = _QUERIES * workers
    for start in range(0, len(wanted), step):
        check()
        part = slice(start, start + step)
        _, nearest[part] = tree.query(wanted[part], range(1, count + 1), eps=_SLACK, workers=workers)
    return known[nearest]
