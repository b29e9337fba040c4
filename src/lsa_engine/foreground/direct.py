"""The minimum of the refinement cost by factorisation: slow and greedy of memory, but sure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_PIXELS = 1_000_000
"""What a factorisation can be asked for: some ten seconds and two gigabytes."""


def minimise(colours: NDArray[np.float32], alpha: NDArray[np.float32], kappa: float) -> NDArray[np.float32]:
    """Return the colours that minimise the refinement cost (§4.1), by a sparse LU factorisation.

    Parameters
    ----------
    colours : ndarray
        (H, W, C) float32, the given foreground.
    alpha : ndarray
        (H, W) float32 in [0, 1], with something above 0.
    kappa : float
        Weight of smoothness.

    Returns
    -------
    ndarray
        (H, W, C) float32.
    """
    from scipy.sparse import csc_array, diags_array
    from scipy.sparse.linalg import splu

    places = np.arange(alpha.size).reshape(alpha.shape)
    smoothness = kappa * (1 - alpha.astype(np.float64)) ** 2
    pairs, weights = [], []
    for before, after in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        pairs.append(np.stack([places[before].ravel(), places[after].ravel()]))
        weights.append((smoothness[before] + smoothness[after]).ravel())
    first, second = np.concatenate(pairs, axis=1)
    edges = np.concatenate(weights)
    shape = (alpha.size, alpha.size)
    ties = csc_array((edges, (first, second)), shape)
    ties = ties + ties.T
    data = alpha.astype(np.float64).ravel() ** 2
    system = diags_array(data + ties.sum(axis=0)) - ties
    factors = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    solution: NDArray[np.float64] = factors.solve(data[:, None] * colours.reshape(alpha.size, -1))
    return solution.reshape(colours.shape).astype(np.float32)
