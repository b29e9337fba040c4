"""The sweep of Algorithm 1 on a processor, as one loop."""

from __future__ import annotations

from lsa_engine.compiling import compiled


@compiled
def sweep(old, new, base, left, right, up, down, top, bottom):  # type: ignore[no-untyped-def]
    """Fill rows top:bottom of `new` from `old`, planes (C, H, W): `base` plus the neighbours, weighted (H, W)."""
    channels, height, width = old.shape
    for c in range(channels):
        for r in range(top, bottom):
            above, below = max(r - 1, 0), min(r + 1, height - 1)  # at the frame the weight is 0
            here, over, under, out, given = old[c, r], old[c, above], old[c, below], new[c, r], base[c, r]
            west, east, north, south = left[r], right[r], up[r], down[r]
            for k in range(width):
                out[k] = given[k] + north[k] * over[k] + south[k] * under[k]
            for k in range(1, width):
                out[k] += west[k] * here[k - 1]
            for k in range(width - 1):
                out[k] += east[k] * here[k + 1]
