"""Loops over the unknown pixels for known-to-unknown flow."""

from __future__ import annotations

import numpy as np

from lsa_engine.compiling import compiled


@compiled
def combine(colours, foreground, background, ridge):  # type: ignore[no-untyped-def]
    """Return α (U,), the distance between the layers' mean colours (U,), and that of the combination (U,).

    For the pixels' colours (U, 3) and those of K and K' neighbours in each layer, (U, K, 3) and (U, K', 3). With the
    neighbours' differences D from the pixel, the weights minimise |Dᵀw|² + r|w|² under Σw = 1, so they go with
    (DDᵀ + r)⁻¹ 1 = (1 − D (DᵀD + r)⁻¹ Dᵀ1) / r: a 3 × 3 system for any number of neighbours. r is `ridge` times the
    mean squared difference.
    """
    first, count = foreground.shape[1], foreground.shape[1] + background.shape[1]
    alpha, apart, left = np.empty(len(colours)), np.empty(len(colours)), np.empty(len(colours))
    away, weights = np.empty((count, 3)), np.empty(count)
    middle = np.empty((2, 3))
    for u in range(len(colours)):
        middle[:] = 0.0
        xx = xy = xz = yy = yz = zz = 0.0
        sx = sy = sz = 0.0
        for k in range(count):
            layer = 0 if k < first else 1
            for c in range(3):
                value = foreground[u, k, c] if k < first else background[u, k - first, c]
                middle[layer, c] += value
                away[k, c] = value - colours[u, c]
            x, y, z = away[k]
            xx += x * x
            xy += x * y
            xz += x * z
            yy += y * y
            yz += y * z
            zz += z * z
            sx += x
            sy += y
            sz += z
        r = ridge * (xx + yy + zz) / count + 1e-6
        xx, yy, zz = xx + r, yy + r, zz + r
        a, b, d = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
        scale = 1.0 / (xx * a + xy * b + xz * d)
        vx = scale * (a * sx + b * sy + d * sz)
        vy = scale * (b * sx + (xx * zz - xz * xz) * sy + (xy * xz - xx * yz) * sz)
        vz = scale * (d * sx + (xy * xz - xx * yz) * sy + (xx * yy - xy * xy) * sz)
        total = 0.0
        for k in range(count):
            weights[k] = 1.0 - (away[k, 0] * vx + away[k, 1] * vy + away[k, 2] * vz)
            total += weights[k]
        share = 0.0
        rx = ry = rz = 0.0
        for k in range(count):
            weight = weights[k] / total
            if k < first:
                share += weight
            rx += weight * away[k, 0]
            ry += weight * away[k, 1]
            rz += weight * away[k, 2]
        alpha[u] = min(1.0, max(0.0, share))
        left[u] = np.sqrt(rx * rx + ry * ry + rz * rz)
        squares = 0.0
        for c in range(3):
            difference = middle[0, c] / first - middle[1, c] / (count - first)
            squares += difference * difference
        apart[u] = np.sqrt(squares)
    return alpha, apart, left
