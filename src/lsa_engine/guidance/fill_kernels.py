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
def enlarge(coarse, height, width):  # type: ignore[no-untyped-def]
    """Resample bilinearly to (C, height, width), half-pixel centres, borders repeated."""
    channels, rows, columns = coarse.shape
    out = np.empty((channels, height, width), np.float32)
    left = np.empty(width, np.int64)
    across = np.empty(width, np.float32)
    for c in range(width):
        x = max(0.0, (c + 0.5) * columns / width - 0.5)
        left[c] = min(int(x), columns - 1)
        across[c] = x - left[c]
    for k in range(channels):
        for r in range(height):
            y = max(0.0, (r + 0.5) * rows / height - 0.5)
            top = min(int(y), rows - 1)
            bottom = min(top + 1, rows - 1)
            down = np.float32(y - top)
            for c in range(width):
                c0 = left[c]
                c1 = min(c0 + 1, columns - 1)
                t = across[c]
                upper = coarse[k, top, c0] + t * (coarse[k, top, c1] - coarse[k, top, c0])
                lower = coarse[k, bottom, c0] + t * (coarse[k, bottom, c1] - coarse[k, bottom, c0])
                out[k, r, c] = upper + down * (lower - upper)
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
def relax(filled, known, sweeps):  # type: ignore[no-untyped-def]
    """Replace all cells outside `known` at once by the mean of their 3×3 neighbourhoods, `sweeps` times."""
    channels, height, width = filled.shape
    source = filled
    target = filled.copy()
    for _ in range(sweeps):
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
        source, target = target, source
    return source
