"""Anti-aliased shapes of sub-pixel width: the brush that procedural hair, fibres and leaves are drawn with."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def draw_strand(alpha, tones, xs, ys, widths, opacities, tone):  # type: ignore[no-untyped-def]
    """Draw one strand into `alpha` and its tone into `tones`, both (H, W) float32, in place.

    A strand is a polyline with a width in pixels and an opacity at each point. A pixel takes the largest coverage of
    any of its segments, and the strand lies over what is there: α ← 1 − (1−α)(1−c), and its tone over theirs, as a
    colour that is not multiplied by alpha does.

    Parameters
    ----------
    alpha, tones : (H, W) float32
    xs, ys, widths, opacities : (P,) float32
    tone : float
        How much lighter (> 0) or darker than its body the strand is.
    """
    height, width = alpha.shape
    points = xs.shape[0]
    reach = widths.max() * 0.5 + 1.5
    left = max(0, int(np.floor(xs.min() - reach)))
    right = min(width - 1, int(np.ceil(xs.max() + reach)))
    top = max(0, int(np.floor(ys.min() - reach)))
    bottom = min(height - 1, int(np.ceil(ys.max() + reach)))
    if left > right or top > bottom:
        return
    cover = np.zeros((bottom - top + 1, right - left + 1), np.float32)
    for k in range(points - 1):
        x0, y0, x1, y1 = xs[k], ys[k], xs[k + 1], ys[k + 1]
        dx, dy = x1 - x0, y1 - y0
        length2 = dx * dx + dy * dy + 1e-12
        near = max(widths[k], widths[k + 1]) * 0.5 + 1.0
        c0 = max(left, int(np.floor(min(x0, x1) - near)))
        c1 = min(right, int(np.ceil(max(x0, x1) + near)))
        r0 = max(top, int(np.floor(min(y0, y1) - near)))
        r1 = min(bottom, int(np.ceil(max(y0, y1) + near)))
        for r in range(r0, r1 + 1):
            for c in range(c0, c1 + 1):
                t = ((c - x0) * dx + (r - y0) * dy) / length2
                t = min(1.0, max(0.0, t))
                ex = x0 + t * dx - c
                ey = y0 + t * dy - r
                distance = np.sqrt(ex * ex + ey * ey)
                w = widths[k] + t * (widths[k + 1] - widths[k])
                # A strand thinner than a pixel covers part of it; its footprint stays one pixel wide.
                value = min(1.0, max(0.0, max(w, 1.0) * 0.5 + 0.5 - distance)) * min(1.0, w)
                value *= opacities[k] + t * (opacities[k + 1] - opacities[k])
                if value > cover[r - top, c - left]:
                    cover[r - top, c - left] = value
    for r in range(cover.shape[0]):
        for c in range(cover.shape[1]):
            value = cover[r, c]
            if value > 0:
                _lay_over(alpha, tones, top + r, left + c, value, tone)


@njit(cache=True)
def _lay_over(alpha, tones, r, c, cover, tone):  # type: ignore[no-untyped-def]
    """Lay a thing of coverage `cover` > 0 over pixel (r, c)."""
    total = 1 - (1 - alpha[r, c]) * (1 - cover)
    tones[r, c] += (tone - tones[r, c]) * cover / total
    alpha[r, c] = total


@njit(cache=True)
def draw_strands(alpha, tones, xs, ys, widths, opacities, tone):  # type: ignore[no-untyped-def]
    """Draw strands of equal length, rows of the (K, P) arrays with `tone` (K,), one over the other (`draw_strand`)."""
    for k in range(xs.shape[0]):
        draw_strand(alpha, tones, xs[k], ys[k], widths[k], opacities[k], tone[k])


@njit(cache=True)
def draw_leaf(alpha, tones, x, y, angle, length, width, softness, opacity, tone):  # type: ignore[no-untyped-def]
    """Draw one leaf (a lens of two parabolas around the point x, y) into `alpha` and `tones`, in place.

    Parameters
    ----------
    alpha, tones : (H, W) float32
    x, y, angle, length, width : float
        Centre in pixels, direction in radians, half length and half width in pixels.
    softness : float
        Width of the edge in pixels, at least 1 for an anti-aliased one.
    opacity : float
        In [0, 1].
    tone : float
        How much lighter (> 0) or darker than its body the leaf is.
    """
    height, columns = alpha.shape
    reach = max(length, width) + softness
    cos, sin = np.cos(angle), np.sin(angle)
    for r in range(max(0, int(y - reach)), min(height, int(y + reach) + 2)):
        for c in range(max(0, int(x - reach)), min(columns, int(x + reach) + 2)):
            u = ((c - x) * cos + (r - y) * sin) / length
            v = abs(-(c - x) * sin + (r - y) * cos)
            inside = width * (1 - u * u) - v
            # The boundary's slope makes the same step in `inside` a shorter distance.
            slope = 2 * width * u / length
            value = min(1.0, max(0.0, inside / np.sqrt(1 + slope * slope) / softness + 0.5)) * opacity
            if value > 0 and abs(u) < 1.2:
                _lay_over(alpha, tones, r, c, value, tone)
