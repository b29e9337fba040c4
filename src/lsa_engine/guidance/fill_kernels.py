"""The steps of a smooth fill on a processor: loops over (C, H, W) float32 arrays, one for each torch operation."""

from __future__ import annotations

import numpy as np

from lsa_engine.compiling import compiled


@compiled
def halve(values):  # type: ignore[no-untyped-def]
    """Average 2×2 cells; a cell cut by the border averages what is there."""
    channels, height, width = values.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    out = np.empty((channels, rows, columns), np.float32)
    for k in range(channels):
        for r in range(rows):
            r0, r1 = 2 * r, min(2 * r + 1, height - 1)
            for c in range(columns):
                c0, c1 = 2 * c, min(2 * c + 1, width - 1)
                total = values[k, r0, c0] + values[k, r0, c1] + values[k, r1, c0] + values[k, r1, c1]
                out[k, r, c] = total * np.float32(0.25)
    return out


@compiled
def enlarge(coarse, first_row, first_column, rows, columns, window, height, width):  # type: ignore[no-untyped-def]
    """Resample a part of a (C, rows, columns) map bilinearly to a part of a (C, height, width) one.

    Half-pixel centres, borders repeated. `coarse` begins at `first_row` and `first_column` of its map and is repeated
    beyond its own borders, too; `window` holds top, bottom, left and right of the result.
    """
    top, bottom, left, right = window
    channels = len(coarse)
    last_row, last_column = coarse.shape[1] - 1, coarse.shape[2] - 1
    out = np.empty((channels, bottom - top, right - left), np.float32)
    before = np.empty(right - left, np.int64)
    after = np.empty(right - left, np.int64)
    across = np.empty(right - left, np.float32)
    for c in range(left, right):
        x = max(0.0, (c + 0.5) * columns / width - 0.5)
        start = min(int(x), columns - 1)
        across[c - left] = x - start
        before[c - left] = min(max(start - first_column, 0), last_column)
        after[c - left] = min(max(min(start + 1, columns - 1) - first_column, 0), last_column)
    for k in range(channels):
        for r in range(top, bottom):
            y = max(0.0, (r + 0.5) * rows / height - 0.5)
            start = min(int(y), rows - 1)
            down = np.float32(y - start)
            above = min(max(start - first_row, 0), last_row)
            below = min(max(min(start + 1, rows - 1) - first_row, 0), last_row)
            for c in range(right - left):
                c0, c1, t = before[c], after[c], across[c]
                upper = coarse[k, above, c0] + t * (coarse[k, above, c1] - coarse[k, above, c0])
                lower = coarse[k, below, c0] + t * (coarse[k, below, c1] - coarse[k, below, c0])
                out[k, r - top, c] = upper + down * (lower - upper)
    return out


@compiled
def put_known(filled, values, known):  # type: ignore[no-untyped-def]
    """Write `values` (C, H, W) into `filled` where `known` (H, W), in place."""
    channels, height, width = filled.shape
    for k in range(channels):
        for r in range(height):
            for c in range(width):
                if known[r, c]:
                    filled[k, r, c] = values[k, r, c]


@compiled
def relax(source, target, known):  # type: ignore[no-untyped-def]
    """Write the mean of the 3×3 neighbourhood in `source` of each cell outside `known` (H, W) into `target`."""
    channels, height, width = source.shape
    for k in range(channels):
        for r in range(height):
            r0, r1 = max(0, r - 1), min(height - 1, r + 1)
            for c in range(width):
                if known[r, c]:
                    continue
                c0, c1 = max(0, c - 1), min(width - 1, c + 1)
                total = np.float32(0)
                for y in range(r0, r1 + 1):
                    for x in range(c0, c1 + 1):
                        total += source[k, y, x]
                target[k, r, c] = total / np.float32((r1 - r0 + 1) * (c1 - c0 + 1))
