"""The steps that tie two images, foreground and background, in the multigrid estimation from their composite.

Each image has arrays of its own, laid out as in :mod:`~lsa_engine.foreground.multigrid_kernels`; `cross` (H + 2, 2,
K + 2) holds the products α(1−α) that join the two colours of a pixel.
"""

from __future__ import annotations

import numpy as np

from lsa_engine.compiling import compiled


@compiled
def load_pair_weights(  # type: ignore[no-untyped-def]
    alpha, kappa, floor, front_known, front_east, front_south, back_known, back_east, back_south, cross, top, bottom
):
    """Fill the weights of both images from alpha (H, W): edges κ((1−α_i)² + (1−α_j)²) and κ(α_i² + α_j²), + floor."""
    height, width = alpha.shape
    one = np.float32(1)
    for row in range(top, bottom):
        r, last = row + 1, row + 1 == height
        here, below = alpha[row], alpha[row if last else row + 1]
        for p in range(2):
            s = (row + p) % 2
            count = (width - s + 1) // 2
            for k in range(count):
                a = here[2 * k + s]
                b = one - a
                front_known[r, p, k + 1], back_known[r, p, k + 1], cross[r, p, k + 1] = a * a, b * b, a * b
            for k in range((width - s) // 2):
                a, other = here[2 * k + s], here[2 * k + s + 1]
                front_east[r, p, k + 1] = floor + kappa * ((one - a) * (one - a) + (one - other) * (one - other))
                back_east[r, p, k + 1] = floor + kappa * (a * a + other * other)
            if not last:
                for k in range(count):
                    a, other = here[2 * k + s], below[2 * k + s]
                    front_south[r, p, k + 1] = floor + kappa * ((one - a) * (one - a) + (one - other) * (one - other))
                    back_south[r, p, k + 1] = floor + kappa * (a * a + other * other)


@compiled
def load_composite(image, alpha, front_right, back_right, top, bottom):  # type: ignore[no-untyped-def]
    """Fill right-hand sides αI and (1−α)I from an image (H, W, C)."""
    width, channels = image.shape[1:]
    for row in range(top, bottom):
        r = row + 1
        for p in range(2):
            s = (row + p) % 2
            for c in range(channels):
                for k in range((width - s + 1) // 2):
                    a, colour = alpha[row, 2 * k + s], image[row, 2 * k + s, c]
                    front_right[r, p, c, k + 1] = a * colour
                    back_right[r, p, c, k + 1] = (np.float32(1) - a) * colour


@compiled
def invert_blocks(front_inverse, back_inverse, cross, cross_inverse, top, bottom):  # type: ignore[no-untyped-def]
    """Turn the inverse diagonals of both images, in place, into those of the 2×2 blocks that `cross` makes of them.

    A lone pixel's block is singular: one composite does not tell two colours apart. It is kept a little away from it.
    """
    least = np.float32(1e-3)
    for r in range(top + 1, bottom + 1):
        for p in range(2):
            for k in range(1, cross.shape[2] - 1):
                front, back, joint = front_inverse[r, p, k], back_inverse[r, p, k], cross[r, p, k]
                share = front * back / max(np.float32(1) - front * back * joint * joint, least)
                cross_inverse[r, p, k] = -joint * share
                front_inverse[r, p, k] = front + share * front * joint * joint
                back_inverse[r, p, k] = back + share * back * joint * joint


@compiled
def smooth_pair(  # type: ignore[no-untyped-def]
    front, front_right, front_known, front_east, front_south, front_inverse,
    back, back_right, back_known, back_east, back_south, back_inverse,
    cross, cross_inverse, p, top, bottom,
):  # fmt: skip
    """Solve for both colours of every pixel of colour p of the chessboard, its neighbours as they are."""
    channels, places = front.shape[2], front.shape[3] - 2
    o = 1 - p
    for r in range(top + 1, bottom + 1):
        s = (r - 1 + p) % 2
        left, after, here = slice(s, places + s), slice(s + 1, places + s + 1), slice(1, places + 1)
        fw, fe, fn, ft = (
            front_east[r, o, left], front_east[r, p, here], front_south[r - 1, o, here], front_south[r, p, here]
        )  # fmt: skip
        bw, be, bn, bt = (
            back_east[r, o, left], back_east[r, p, here], back_south[r - 1, o, here], back_south[r, p, here]
        )  # fmt: skip
        fk, bk, ck = front_known[r, p, here], back_known[r, p, here], cross[r, p, here]
        fi, bi, ci = front_inverse[r, p, here], back_inverse[r, p, here], cross_inverse[r, p, here]
        for c in range(channels):
            f, b = front[r, p, c, here], back[r, p, c, here]
            fr, br = front_right[r, p, c, here], back_right[r, p, c, here]
            fl, fa, fu, fd = (
                front[r, o, c, left], front[r, o, c, after], front[r - 1, o, c, here], front[r + 1, o, c, here]
            )  # fmt: skip
            bl, ba, bu, bd = (
                back[r, o, c, left], back[r, o, c, after], back[r - 1, o, c, here], back[r + 1, o, c, here]
            )  # fmt: skip
            for k in range(places):
                x, y = f[k], b[k]
                rf = (
                    (fr[k] - fk[k] * x - ck[k] * y)
                    + fw[k] * (fl[k] - x) + fe[k] * (fa[k] - x) + fn[k] * (fu[k] - x) + ft[k] * (fd[k] - x)
                )  # fmt: skip
                rb = (
                    (br[k] - bk[k] * y - ck[k] * x)
                    + bw[k] * (bl[k] - y) + be[k] * (ba[k] - y) + bn[k] * (bu[k] - y) + bt[k] * (bd[k] - y)
                )  # fmt: skip
                f[k] = x + fi[k] * rf + ci[k] * rb
                b[k] = y + ci[k] * rf + bi[k] * rb


@compiled
def restrict_pair_residual(  # type: ignore[no-untyped-def]
    one, one_right, one_known, one_east, one_south, other, cross, height, coarse, width, top, bottom
):
    """Fill the coarse right-hand sides of one image with the sums of its residuals; colour 1 has none."""
    channels = one.shape[2]
    line = np.zeros(width, np.float32)
    for row in range(top, bottom):
        for c in range(channels):
            line[:] = 0
            for r in range(2 * row + 1, min(2 * row + 2, height) + 1):
                s = (r - 1) % 2
                for k in range(1, width + 1):
                    here = one[r, 0, c, k]
                    line[k - 1] += (
                        (one_right[r, 0, c, k] - one_known[r, 0, k] * here - cross[r, 0, k] * other[r, 0, c, k])
                        + one_east[r, 1, k - 1 + s] * (one[r, 1, c, k - 1 + s] - here)
                        + one_east[r, 0, k] * (one[r, 1, c, k + s] - here)
                        + one_south[r - 1, 1, k] * (one[r - 1, 1, c, k] - here)
                        + one_south[r, 0, k] * (one[r + 1, 1, c, k] - here)
                    )
            for column in range(width):
                coarse[row + 1, (row + column) % 2, c, column // 2 + 1] = line[column]


@compiled
def split_composite(front, back, image, alpha, foreground, background, top, bottom):  # type: ignore[no-untyped-def]
    """Fill both images (H, W, C) in [0, 1] from their solutions, moved the shortest way to where the composite fits."""
    width, channels = image.shape[1:]
    zero, one = np.float32(0), np.float32(1)
    for row in range(top, bottom):
        r = row + 1
        for p in range(2):
            s = (row + p) % 2
            for c in range(channels):
                for k in range((width - s + 1) // 2):
                    column = 2 * k + s
                    a = alpha[row, column]
                    b = one - a
                    f = min(max(front[r, p, c, k + 1], zero), one)
                    g = min(max(back[r, p, c, k + 1], zero), one)
                    missing = (image[row, column, c] - a * f - b * g) / (a * a + b * b)
                    foreground[row, column, c] = min(max(f + a * missing, zero), one)
                    background[row, column, c] = min(max(g + b * missing, zero), one)
