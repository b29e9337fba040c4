"""The steps of the multigrid solver on a processor: loops over rows that release the interpreter lock.

A grid's pixels are kept apart by the colour of a chessboard, so that each half of a red-black sweep reads and writes
memory in order: pixel (r, 2k + s) lies at row r + 1, colour p = (r + s) % 2, place k + 1, in arrays (H + 2, 2, K + 2)
or (H + 2, 2, C, K + 2) with K = ⌈W/2⌉ and a frame of zeros. Of the neighbours of a pixel, those above and below lie at
the same place of the other colour; left and right at k − 1 + s and k + s. The four pixels under one of the next
coarser grid all lie at the place of its column.
"""

from __future__ import annotations

import numpy as np

from lsa_engine.compiling import compiled, compiled_sums


@compiled
def load_weights(alpha, kappa, known, east, south, top, bottom):  # type: ignore[no-untyped-def]
    """Fill data weights α² and edge weights κ(q_i + q_j), q = (1−α)², from alpha (H, W), all float32."""
    height, width = alpha.shape
    here, below = np.empty(width, np.float32), np.empty(width, np.float32)
    for row in range(top, bottom):
        r = row + 1
        for column in range(width):
            b = np.float32(1) - alpha[row, column]
            here[column] = kappa * b * b
        last = row + 1 == height
        if not last:
            for column in range(width):
                b = np.float32(1) - alpha[row + 1, column]
                below[column] = kappa * b * b
        for p in range(2):
            s = (row + p) % 2
            count = (width - s + 1) // 2
            for k in range(count):
                a = alpha[row, 2 * k + s]
                known[r, p, k + 1] = a * a
            for k in range((width - s) // 2):
                east[r, p, k + 1] = here[2 * k + s] + here[2 * k + s + 1]
            if not last:
                for k in range(count):
                    south[r, p, k + 1] = here[2 * k + s] + below[2 * k + s]


@compiled
def load_colours(colours, first, scale, known, right, top, bottom):  # type: ignore[no-untyped-def]
    """Fill right-hand sides α²F from the channels of colours (H, W, C) that begin at `first`, times `scale`."""
    width = colours.shape[1]
    for row in range(top, bottom):
        r = row + 1
        for p in range(2):
            s = (row + p) % 2
            for c in range(right.shape[2]):
                for k in range((width - s + 1) // 2):
                    right[r, p, c, k + 1] = known[r, p, k + 1] * (
                        scale * np.float32(colours[row, 2 * k + s, first + c])
                    )


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
    data, across, along = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    for row in range(top, bottom):
        upper, lower = 2 * row + 1, 2 * row + 2
        for k in range(width):
            data[k] = known[upper, 0, k + 1] + known[upper, 1, k + 1]
            across[k] = east[upper, 1, k + 1]
            along[k] = 0
        if lower <= height:
            for k in range(width):
                data[k] += known[lower, 0, k + 1] + known[lower, 1, k + 1]
                across[k] += east[lower, 0, k + 1]
                along[k] = south[lower, 0, k + 1] + south[lower, 1, k + 1]
        for p in range(2):
            s = (row + p) % 2
            for k in range((width - s + 1) // 2):
                coarse_known[row + 1, p, k + 1] = data[2 * k + s]
                coarse_east[row + 1, p, k + 1] = half * across[2 * k + s]
                coarse_south[row + 1, p, k + 1] = half * along[2 * k + s]


@compiled
def _part_by_colour(line, grid, row, c, width):  # type: ignore[no-untyped-def]
    for p in range(2):
        s = (row + p) % 2
        for k in range((width - s + 1) // 2):
            grid[row + 1, p, c, k + 1] = line[2 * k + s]


@compiled
def sum_children(fine, height, coarse, width, top, bottom):  # type: ignore[no-untyped-def]
    """Fill coarse values (H + 2, 2, C, K + 2) with the sums of the four pixels under each."""
    channels = fine.shape[2]
    line = np.zeros(width, np.float32)
    for row in range(top, bottom):
        upper, lower = 2 * row + 1, 2 * row + 2
        for c in range(channels):
            for k in range(width):
                line[k] = fine[upper, 0, c, k + 1] + fine[upper, 1, c, k + 1]
            if lower <= height:
                for k in range(width):
                    line[k] += fine[lower, 0, c, k + 1] + fine[lower, 1, c, k + 1]
            _part_by_colour(line, coarse, row, c, width)


@compiled
def _smooth_row(x, right, known, east, south, inverse, r, p):  # type: ignore[no-untyped-def]
    """Solve for every pixel of colour p in a row, its neighbours as they are.

    Written as a step from where the pixel is: differences keep their digits where data weigh little beside edges.
    """
    channels, places = x.shape[2], x.shape[3] - 2
    o = 1 - p
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
def sweep_band(x, right, known, east, south, inverse, sweeps, height, top, bottom):  # type: ignore[no-untyped-def]
    """Run red-black Gauss–Seidel sweeps over a band of rows while they are in the processor's cache.

    Each half sweep follows the one before by a row. Towards other bands each stops a row earlier than the one before:
    what is left there is :func:`sweep_seam`'s, when both bands are done.
    """
    halves = 2 * sweeps
    for front in range(top, bottom + halves):
        for half in range(halves):
            row = front - half
            first = top + half if top > 0 else 0
            last = bottom - half if bottom < height else height
            if first <= row < last:
                _smooth_row(x, right, known, east, south, inverse, row + 1, half % 2)


@compiled
def sweep_seam(x, right, known, east, south, inverse, sweeps, seam):  # type: ignore[no-untyped-def]
    """Finish the sweeps of the bands above and below the row `seam`: the same numbers as without bands."""
    for half in range(1, 2 * sweeps):
        for row in range(seam - half, seam + half):
            _smooth_row(x, right, known, east, south, inverse, row + 1, half % 2)


@compiled
def restrict_residual(x, right, known, east, south, height, coarse, width, top, bottom):  # type: ignore[no-untyped-def]
    """Fill coarse right-hand sides with the sums of the residuals under them.

    The colour smoothed last, 1, has no residual but rounding: only the other is looked at.
    """
    channels = x.shape[2]
    line = np.zeros(width, np.float32)
    for row in range(top, bottom):
        for c in range(channels):
            line[:] = 0
            for r in range(2 * row + 1, min(2 * row + 2, height) + 1):
                s = (r - 1) % 2
                own, left, after = x[r, 0, c, 1:], x[r, 1, c, s:], x[r, 1, c, s + 1 :]
                above, below, given = x[r - 1, 1, c, 1:], x[r + 1, 1, c, 1:], right[r, 0, c, 1:]
                data = known[r, 0, 1:]
                to_left, to_right = east[r, 1, s:], east[r, 0, 1:]
                to_top, to_bottom = south[r - 1, 1, 1:], south[r, 0, 1:]
                for k in range(width):
                    here = own[k]
                    line[k] += (
                        (given[k] - data[k] * here)
                        + to_left[k] * (left[k] - here)
                        + to_right[k] * (after[k] - here)
                        + to_top[k] * (above[k] - here)
                        + to_bottom[k] * (below[k] - here)
                    )
            _part_by_colour(line, coarse, row, c, width)


@compiled_sums
def measure(x, right, known, east, south, inverse, height, coarse, width, sums, top, bottom):  # type: ignore[no-untyped-def]
    """Do as :func:`restrict_residual`, and fill `sums` (rows, 2) with Σ r²/d and the cost of each pair of rows.

    Every edge joins a pixel of colour 0 with one of colour 1, so that those of colour 0 count them all.
    """
    channels = x.shape[2]
    tiny = np.float32(1e-30)
    line = np.zeros(width, np.float32)
    for row in range(top, bottom):
        squares, cost = np.float64(0), np.float64(0)
        for c in range(channels):
            line[:] = 0
            for r in range(2 * row + 1, min(2 * row + 2, height) + 1):
                s = (r - 1) % 2
                own, left, after = x[r, 0, c, 1:], x[r, 1, c, s:], x[r, 1, c, s + 1 :]
                above, below, given = x[r - 1, 1, c, 1:], x[r + 1, 1, c, 1:], right[r, 0, c, 1:]
                data, scale = known[r, 0, 1:], inverse[r, 0, 1:]
                to_left, to_right = east[r, 1, s:], east[r, 0, 1:]
                to_top, to_bottom = south[r - 1, 1, 1:], south[r, 0, 1:]
                other, other_given, other_data = x[r, 1, c, 1:], right[r, 1, c, 1:], known[r, 1, 1:]
                square, part = np.float32(0), np.float32(0)
                for k in range(width):
                    here = own[k]
                    a, b, d, e = left[k] - here, after[k] - here, above[k] - here, below[k] - here
                    # Where a data weight is 0, so is what it misses.
                    miss, other_miss = given[k] - data[k] * here, other_given[k] - other_data[k] * other[k]
                    w, v, n, t = to_left[k], to_right[k], to_top[k], to_bottom[k]
                    residual = miss + w * a + v * b + n * d + t * e
                    line[k] += residual
                    square += residual * residual * scale[k]
                    part += miss * miss / max(data[k], tiny) + other_miss * other_miss / max(other_data[k], tiny)
                    part += w * a * a + v * b * b + n * d * d + t * e * e
                squares += square
                cost += part
            _part_by_colour(line, coarse, row, c, width)
        sums[row, 0], sums[row, 1] = squares, 0.5 * cost


@compiled_sums
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
def prolong(coarse, rows, columns, x, height, add, top, bottom):  # type: ignore[no-untyped-def]
    """Put into rows 2·top:2·bottom of `x`, or add, the coarse values (rows × columns) interpolated bilinearly."""
    channels = x.shape[2]
    near, far, corner = np.float32(0.5625), np.float32(0.1875), np.float32(0.0625)
    lines = np.zeros((3, columns + 2), np.float32)
    for row in range(top, bottom):
        for c in range(channels):
            for j in range(3):
                source = min(max(row + j - 1, 0), rows - 1)
                for p in range(2):
                    s = (source + p) % 2
                    for k in range((columns - s + 1) // 2):
                        lines[j, 2 * k + s + 1] = coarse[source + 1, p, c, k + 1]
                lines[j, 0], lines[j, columns + 1] = lines[j, 1], lines[j, columns]
            here = lines[1, 1:]
            for i in range(2):
                r = 2 * row + i + 1
                if r > height:
                    break
                across = lines[2 * i, 1:]
                for side in range(2):
                    out = x[r, (r - 1 + side) % 2, c, 1:]
                    beside, opposite = lines[1, 2 * side :], lines[2 * i, 2 * side :]
                    if add:
                        for k in range(columns):
                            out[k] += near * here[k] + far * (beside[k] + across[k]) + corner * opposite[k]
                    else:
                        for k in range(columns):
                            out[k] = near * here[k] + far * (beside[k] + across[k]) + corner * opposite[k]


@compiled
def store_colours(x, out, first, largest, top, bottom):  # type: ignore[no-untyped-def]
    """Copy x into the channels of `out` (H, W, C) from `first` on; as integers up to `largest` if that is not 0."""
    width = out.shape[1]
    zero, one = np.float32(0), np.float32(1)
    for row in range(top, bottom):
        for p in range(2):
            s = (row + p) % 2
            for c in range(x.shape[2]):
                for k in range((width - s + 1) // 2):
                    value = x[row + 1, p, c, k + 1]
                    if largest > 0:
                        value = np.rint(min(max(value, zero), one) * largest)
                    out[row, 2 * k + s, first + c] = value
