"""The steps of the multigrid solver on a processor: loops over rows that release the interpreter lock.

A grid's pixels are kept apart by the colour of a chessboard, so that each half of a red-black sweep reads and writes
memory in order: pixel (r, 2k + s) lies at row r + 1, colour p = (r + s) % 2, place k + 1, in arrays (H + 2, 2, K + 2)
or (H + 2, 2, C, K + 2) with K = ⌈W/2⌉ and a frame of zeros. Of the neighbours of a pixel, those above and below lie at
the same place of the other colour; left and right at k − 1 + s and k + s. The four pixels under one of the next
coarser grid all lie at the place of its column.
"""

from __future__ import annotations

import numpy as np

from lsa_engine.compiling import compiled


@compiled
def load_weights(alpha, kappa, known, east, south, top, bottom):  # type: ignore[no-untyped-def]
    """Fill data weights α² and edge weights κ(q_i + q_j), q = (1−α)², from alpha (H, W), all float32."""
    height, width = alpha.shape
    one = np.float32(1)
    for row in range(top, bottom):
        for column in range(width):
            r, p, k = row + 1, (row + column) % 2, column // 2 + 1
            a = alpha[row, column]
            known[r, p, k] = a * a
            q = kappa * (one - a) * (one - a)
            if column + 1 < width:
                b = one - alpha[row, column + 1]
                east[r, p, k] = q + kappa * b * b
            if row + 1 < height:
                b = one - alpha[row + 1, column]
                south[r, p, k] = q + kappa * b * b


@compiled
def load_colours(colours, known, right, top, bottom):  # type: ignore[no-untyped-def]
    """Fill right-hand sides α²F from colours (H, W, C) float32."""
    width, channels = colours.shape[1:]
    for row in range(top, bottom):
        for column in range(width):
            r, p, k = row + 1, (row + column) % 2, column // 2 + 1
            for c in range(channels):
                right[r, p, c, k] = known[r, p, k] * colours[row, column, c]


@compiled
def invert_diagonal(known, east, south, inverse, top, bottom):  # type: ignore[no-untyped-def]
    """Fill the inverse diagonal of the system, 0 where nothing holds a pixel."""
    places = known.shape[2] - 2
    for r in range(top + 1, bottom + 1):
        for p in range(2):
            s = (r - 1 + p) % 2
            o = 1 - p
            for k in range(1, places + 1):
                total = known[r, p, k] + east[r, p, k] + east[r, o, k - 1 + s] + south[r, p, k] + south[r - 1, o, k]
                inverse[r, p, k] = np.float32(1) / total if total > 0 else np.float32(0)


@compiled
def coarsen_weights(known, east, south, height, coarse_known, coarse_east, coarse_south, width, top, bottom):  # type: ignore[no-untyped-def]
    """Fill a coarser grid's weights: data summed; edges summed and halved, as a larger cell is also longer."""
    half = np.float32(0.5)
    for row in range(top, bottom):
        upper, lower = 2 * row + 1, 2 * row + 2
        r = row + 1
        inside = 2 * row + 1 < height
        for column in range(width):
            k = column + 1
            p, place = (row + column) % 2, column // 2 + 1
            data = known[upper, 0, k] + known[upper, 1, k]
            across = east[upper, 1, k]
            along = np.float32(0)
            if inside:
                data += known[lower, 0, k] + known[lower, 1, k]
                across += east[lower, 0, k]
                along = south[lower, 0, k] + south[lower, 1, k]
            coarse_known[r, p, place] = data
            coarse_east[r, p, place] = half * across
            coarse_south[r, p, place] = half * along


@compiled
def sum_children(fine, height, coarse, width, top, bottom):  # type: ignore[no-untyped-def]
    """Fill coarse values (H + 2, 2, C, K + 2) with the sums of the four pixels under each."""
    channels = fine.shape[2]
    line = np.zeros(width, np.float32)
    for row in range(top, bottom):
        upper, lower = 2 * row + 1, 2 * row + 2
        inside = 2 * row + 1 < height
        for c in range(channels):
            for column in range(width):
                line[column] = fine[upper, 0, c, column + 1] + fine[upper, 1, c, column + 1]
            if inside:
                for column in range(width):
                    line[column] += fine[lower, 0, c, column + 1] + fine[lower, 1, c, column + 1]
            for column in range(width):
                coarse[row + 1, (row + column) % 2, c, column // 2 + 1] = line[column]


@compiled
def smooth(x, right, known, east, south, inverse, p, top, bottom):  # type: ignore[no-untyped-def]
    """Solve for every pixel of colour p in rows top:bottom, its neighbours as they are: half a Gauss–Seidel sweep.

    Written as a step from where the pixel is: differences keep their digits where data weigh little beside edges.
    """
    channels, places = x.shape[2], x.shape[3] - 2
    o = 1 - p
    for r in range(top + 1, bottom + 1):
        s = (r - 1 + p) % 2
        to_left, to_right = east[r, o, s : places + s], east[r, p, 1 : places + 1]
        to_top, to_bottom = south[r - 1, o, 1 : places + 1], south[r, p, 1 : places + 1]
        factor, weight = inverse[r, p, 1 : places + 1], known[r, p, 1 : places + 1]
        for c in range(channels):
            out, given = x[r, p, c, 1 : places + 1], right[r, p, c, 1 : places + 1]
            left, after = x[r, o, c, s : places + s], x[r, o, c, s + 1 : places + s + 1]
            above, below = x[r - 1, o, c, 1 : places + 1], x[r + 1, o, c, 1 : places + 1]
            for k in range(places):
                here = out[k]
                out[k] = here + factor[k] * (
                    (given[k] - weight[k] * here)
                    + to_left[k] * (left[k] - here)
                    + to_right[k] * (after[k] - here)
                    + to_top[k] * (above[k] - here)
                    + to_bottom[k] * (below[k] - here)
                )


@compiled
def restrict_residual(x, right, known, east, south, inverse, height, coarse, width, top, bottom):  # type: ignore[no-untyped-def]
    """Fill coarse right-hand sides with the sums of the residuals under them; return Σ r²/d.

    The colour smoothed last, 1, has no residual but rounding: only the other is looked at.
    """
    channels = x.shape[2]
    line = np.zeros(width, np.float32)
    total = np.float64(0)
    for row in range(top, bottom):
        for c in range(channels):
            line[:] = 0
            for r in range(2 * row + 1, min(2 * row + 2, height) + 1):
                s = (r - 1) % 2
                own, left, after = x[r, 0, c], x[r, 1, c, s:], x[r, 1, c, s + 1 :]
                above, below = x[r - 1, 1, c], x[r + 1, 1, c]
                part = np.float32(0)
                for k in range(width):
                    e, w = east[r, 0, k + 1], east[r, 1, k + s]
                    n, t = south[r - 1, 1, k + 1], south[r, 0, k + 1]
                    here = own[k + 1]
                    residual = (
                        right[r, 0, c, k + 1]
                        - known[r, 0, k + 1] * here
                        + w * (left[k] - here)
                        + e * (after[k] - here)
                        + n * (above[k + 1] - here)
                        + t * (below[k + 1] - here)
                    )
                    line[k] += residual
                    part += residual * residual * inverse[r, 0, k + 1]
                total += part
            for column in range(width):
                coarse[row + 1, (row + column) % 2, c, column // 2 + 1] = line[column]
    return total


@compiled
def scaled_square(values, inverse, top, bottom):  # type: ignore[no-untyped-def]
    """Return Σ values² · inverse over rows top:bottom."""
    total = np.float64(0)
    for r in range(top + 1, bottom + 1):
        for p in range(2):
            for c in range(values.shape[2]):
                part = np.float32(0)
                for k in range(1, values.shape[3] - 1):
                    part += values[r, p, c, k] * values[r, p, c, k] * inverse[r, p, k]
                total += part
    return total


@compiled
def measure_energy(x, right, known, east, south, top, bottom):  # type: ignore[no-untyped-def]
    """Return the cost of rows top:bottom, each edge counted with its left or upper end."""
    channels, places = x.shape[2], x.shape[3] - 2
    total = np.float64(0)
    for r in range(top + 1, bottom + 1):
        for p in range(2):
            s = (r - 1 + p) % 2
            o = 1 - p
            for c in range(channels):
                part = np.float32(0)
                for k in range(1, places + 1):
                    here = x[r, p, c, k]
                    across, along = x[r, o, c, k + s] - here, x[r + 1, o, c, k] - here
                    part += east[r, p, k] * across * across + south[r, p, k] * along * along
                    weight = known[r, p, k]
                    if weight > 0:
                        miss = here - right[r, p, c, k] / weight
                        part += weight * miss * miss
                total += part
    return 0.5 * total


@compiled
def prolong(coarse, rows, columns, x, height, add, top, bottom):  # type: ignore[no-untyped-def]
    """Put into rows 2·top:2·bottom of `x`, or add, the coarse values (rows × columns) interpolated bilinearly."""
    channels = x.shape[2]
    near, far, corner = np.float32(0.5625), np.float32(0.1875), np.float32(0.0625)
    lines = np.zeros((3, columns + 2), np.float32)
    for row in range(top, bottom):
        for c in range(channels):
            for j in range(3):
                source = min(max(row + j - 1, 0), rows - 1)
                for column in range(columns):
                    lines[j, column + 1] = coarse[source + 1, (source + column) % 2, c, column // 2 + 1]
                lines[j, 0], lines[j, columns + 1] = lines[j, 1], lines[j, columns]
            here = lines[1]
            for i in range(2):
                r = 2 * row + i + 1
                if r > height:
                    break
                other = lines[2 * i]
                for side in range(2):
                    p = (r - 1 + side) % 2
                    out = x[r, p, c]
                    for k in range(1, columns + 1):
                        beside = k - 1 + 2 * side
                        value = near * here[k] + far * (here[beside] + other[k]) + corner * other[beside]
                        out[k] = out[k] + value if add else value


@compiled
def store_colours(x, out, top, bottom):  # type: ignore[no-untyped-def]
    """Copy x into `out` (H, W, C)."""
    width, channels = out.shape[1:]
    for row in range(top, bottom):
        for column in range(width):
            for c in range(channels):
                out[row, column, c] = x[row + 1, (row + column) % 2, c, column // 2 + 1]
