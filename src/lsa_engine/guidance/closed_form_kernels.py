"""Closed-form matting (Levin et al. 2008) of the unknown pixels alone, as loops over float64 arrays.

The matting Laplacian joins pixels at most two apart. Its rows for the unknown pixels are kept as a diagonal and, of the
symmetric rest, the 12 neighbours that come later in reading order; -1 marks a neighbour that is known or outside.
"""

from __future__ import annotations

import numpy as np

from lsa_engine.compiling import compiled
from lsa_engine.progress import unchecked

_ROWS = 500_000

_OFFSETS = np.array(
    [(0, 1), (0, 2)] + [(dy, dx) for dy in (1, 2) for dx in (-2, -1, 0, 1, 2)],
    np.int64,
)
_SLOTS = np.full((5, 9), -1, np.int64)  # slot of the neighbour at (dy, dx + 4)
for _slot, (_dy, _dx) in enumerate(_OFFSETS):
    _SLOTS[_dy, _dx + 4] = _slot


@compiled
def _invert_covariance(image, top, bottom, left, right, variance, mean, inverse):  # type: ignore[no-untyped-def]
    """Put the mean colour of a window and the inverse of its covariance, with `variance` on the diagonal, in place."""
    count = (bottom - top) * (right - left)
    mean[:] = 0.0
    xx = xy = xz = yy = yz = zz = 0.0
    for r in range(top, bottom):
        for c in range(left, right):
            mean += image[r, c]
    mean /= count
    for r in range(top, bottom):
        for c in range(left, right):
            x, y, z = image[r, c, 0] - mean[0], image[r, c, 1] - mean[1], image[r, c, 2] - mean[2]
            xx += x * x
            xy += x * y
            xz += x * z
            yy += y * y
            yz += y * z
            zz += z * z
    xx, yy, zz = xx / count + variance, yy / count + variance, zz / count + variance
    xy, xz, yz = xy / count, xz / count, yz / count
    a, b, c_ = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    scale = 1.0 / (xx * a + xy * b + xz * c_)
    inverse[0, 0] = a * scale
    inverse[0, 1] = inverse[1, 0] = b * scale
    inverse[0, 2] = inverse[2, 0] = c_ * scale
    inverse[1, 1] = (xx * zz - xz * xz) * scale
    inverse[1, 2] = inverse[2, 1] = (xy * xz - xx * yz) * scale
    inverse[2, 2] = (xx * yy - xy * xy) * scale


@compiled
def assemble(image, alpha, unknown, variance):  # type: ignore[no-untyped-def]
    """Return diagonal (U,), later neighbours' values (U, 12) and numbers (U, 12), and right-hand side (U,).

    For an image (H, W, 3), the known pixels' alpha (H, W) and the unknown (H, W) bool, numbered in reading order.
    """
    height, width = unknown.shape
    numbers = np.full((height, width), -1, np.int32)
    count = 0
    for r in range(height):
        for c in range(width):
            if unknown[r, c]:
                numbers[r, c] = count
                count += 1
    diagonal = np.zeros(count)
    values = np.zeros((count, len(_OFFSETS)))
    neighbours = np.full((count, len(_OFFSETS)), -1, np.int32)
    right_hand = np.zeros(count)
    for r in range(height):
        for c in range(width):
            if unknown[r, c]:
                for slot in range(len(_OFFSETS)):
                    rr, cc = r + _OFFSETS[slot, 0], c + _OFFSETS[slot, 1]
                    if rr < height and 0 <= cc < width:
                        neighbours[numbers[r, c], slot] = numbers[rr, cc]
    mean, inverse = np.empty(3), np.empty((3, 3))
    away, bent = np.empty((9, 3)), np.empty((9, 3))
    for top in range(height - 2):
        for left in range(width - 2):
            if not unknown[top : top + 3, left : left + 3].any():
                continue
            _invert_covariance(image, top, top + 3, left, left + 3, variance, mean, inverse)
            for i in range(9):
                for k in range(3):
                    away[i, k] = image[top + i // 3, left + i % 3, k] - mean[k]
                for k in range(3):
                    bent[i, k] = inverse[k, 0] * away[i, 0] + inverse[k, 1] * away[i, 1] + inverse[k, 2] * away[i, 2]
            for i in range(9):
                row = numbers[top + i // 3, left + i % 3]
                if row < 0:
                    continue
                for j in range(9):
                    rr, cc = top + j // 3, left + j % 3
                    value = -(1 + bent[i, 0] * away[j, 0] + bent[i, 1] * away[j, 1] + bent[i, 2] * away[j, 2]) / 9
                    if i == j:
                        diagonal[row] += 1 + value
                    elif numbers[rr, cc] < 0:
                        right_hand[row] -= value * alpha[rr, cc]
                    elif j > i:
                        values[row, _SLOTS[j // 3 - i // 3, j % 3 - i % 3 + 4]] += value
    return diagonal, values, neighbours, right_hand


@compiled
def _factorise(diagonal, pivots, upper, neighbours):  # type: ignore[no-untyped-def]
    """Factorise in place; return whether every pivot kept a share of its diagonal."""
    for k in range(len(pivots)):
        if pivots[k] < 0.02 * diagonal[k]:
            return False
        for first in range(len(_OFFSETS)):
            i = neighbours[k, first]
            if i < 0 or upper[k, first] == 0:
                continue
            share = upper[k, first] / pivots[k]
            pivots[i] -= share * upper[k, first]
            for second in range(first + 1, len(_OFFSETS)):
                if neighbours[k, second] < 0:
                    continue
                down = _OFFSETS[second, 0] - _OFFSETS[first, 0]
                slot = _SLOTS[down, _OFFSETS[second, 1] - _OFFSETS[first, 1] + 4]
                if slot >= 0:
                    upper[i, slot] -= share * upper[k, second]
        for first in range(len(_OFFSETS)):
            upper[k, first] /= pivots[k]
    return True


@compiled
def factorise(diagonal, values, neighbours):  # type: ignore[no-untyped-def]
    """Return pivots (U,) and upper factor (U, 12) of the incomplete factorisation UᵀDU with the matrix's own pattern.

    The matrix need not have one: where a pivot cancels away, all starts again with a larger diagonal (Manteuffel 1980).
    """
    shift = 0.0
    while True:
        pivots, upper = (1 + shift) * diagonal, values.copy()
        if _factorise(diagonal, pivots, upper, neighbours):
            return pivots, upper
        shift = max(0.005, 2 * shift)


@compiled
def _dot(x, y):  # type: ignore[no-untyped-def]
    # A library's product of long vectors would start threads of its own, in each of ours.
    total = 0.0
    for k in range(len(x)):
        total += x[k] * y[k]
    return total


@compiled
def _multiply(diagonal, values, neighbours, x, out):  # type: ignore[no-untyped-def]
    for k in range(len(x)):
        out[k] = diagonal[k] * x[k]
    for k in range(len(x)):
        total = 0.0
        for slot in range(len(_OFFSETS)):
            i = neighbours[k, slot]
            if i >= 0:
                total += values[k, slot] * x[i]
                out[i] += values[k, slot] * x[k]
        out[k] += total


@compiled
def _precondition(pivots, upper, neighbours, residual, out):  # type: ignore[no-untyped-def]
    out[:] = residual
    for k in range(len(out)):
        for slot in range(len(_OFFSETS)):
            i = neighbours[k, slot]
            if i >= 0:
                out[i] -= upper[k, slot] * out[k]
    for k in range(len(out) - 1, -1, -1):
        total = out[k] / pivots[k]
        for slot in range(len(_OFFSETS)):
            i = neighbours[k, slot]
            if i >= 0:
                total -= upper[k, slot] * out[i]
        out[k] = total


@compiled
def advance(diagonal, values, neighbours, pivots, upper, x, residual, direction, conditioned, state, iterations):  # type: ignore[no-untyped-def]
    """Go on with preconditioned conjugate gradients, in place; return the iterations taken, fewer where it is solved.

    `state` holds the square of the residual at which it is, and the energy.
    """
    image = np.empty_like(x)
    for iteration in range(iterations):
        if _dot(residual, residual) <= state[0]:
            return iteration
        _multiply(diagonal, values, neighbours, direction, image)
        step = state[1] / _dot(direction, image)
        x += step * direction
        residual -= step * image
        _precondition(pivots, upper, neighbours, residual, conditioned)
        previous, state[1] = state[1], _dot(residual, conditioned)
        direction *= state[1] / previous
        direction += conditioned
    return iterations


def solve(  # type: ignore[no-untyped-def]
    diagonal, values, neighbours, right_hand, pivots, upper, tolerance, iterations, check=unchecked
):
    """Return the solution (U,) by preconditioned conjugate gradients, and the iterations taken.

    Stops when the residual is less than `tolerance` of the right-hand side. `check` is called between iterations over
    half a million rows in all, and may raise.
    """
    x = np.zeros_like(right_hand)
    residual = right_hand.copy()
    conditioned = np.empty_like(x)
    _precondition(pivots, upper, neighbours, residual, conditioned)
    direction = conditioned.copy()
    state = np.array([tolerance * tolerance * _dot(residual, residual), _dot(residual, conditioned)])
    at_once = max(1, _ROWS // max(1, len(x)))
    done = 0
    while done < iterations:
        check()
        asked = min(at_once, iterations - done)
        taken = advance(diagonal, values, neighbours, pivots, upper, x, residual, direction, conditioned, state, asked)
        done += taken
        if taken < asked:
            break
    return x, done


@compiled
def fit_lines(image, alpha, where, variance):  # type: ignore[no-untyped-def]
    """Return (4, H, W): in the 3×3 window of each pixel, α ≈ slope · colour + offset by ridge regression.

    Only where `where` (H, W) bool says so, 0 elsewhere.
    """
    height, width = alpha.shape
    lines = np.zeros((4, height, width), np.float32)
    mean, inverse, shared = np.empty(3), np.empty((3, 3)), np.empty(3)
    for r in range(height):
        top, bottom = max(0, r - 1), min(height, r + 2)
        for c in range(width):
            if not where[r, c]:
                continue
            left, right = max(0, c - 1), min(width, c + 2)
            _invert_covariance(image, top, bottom, left, right, variance, mean, inverse)
            count = (bottom - top) * (right - left)
            mean_alpha = 0.0
            shared[:] = 0.0
            for rr in range(top, bottom):
                for cc in range(left, right):
                    mean_alpha += alpha[rr, cc]
                    for k in range(3):
                        shared[k] += alpha[rr, cc] * (image[rr, cc, k] - mean[k])
            offset = mean_alpha / count
            for k in range(3):
                slope = (inverse[k, 0] * shared[0] + inverse[k, 1] * shared[1] + inverse[k, 2] * shared[2]) / count
                lines[k, r, c] = slope
                offset -= slope * mean[k]
            lines[3, r, c] = offset
    return lines
