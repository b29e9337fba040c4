"""Procedural mattes: one function a kind, each drawing an alpha (size, size) float32 in [0, 1] from a generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from lsa_engine.training.strokes import draw_leaf, draw_strands

Matte = NDArray[np.float32]
Numbers = NDArray[np.floating[Any]]
Generator = np.random.Generator


def enlarge(grid: NDArray[np.float32], size: int) -> Matte:
    """Return a small float grid enlarged bicubically to (size, size)."""
    return np.array(Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC))


def smooth_noise(rng: Generator, size: int, cells: int, octaves: int = 1, gain: float = 0.5) -> Matte:
    """Return value noise of about unit variance: random grids of `cells`, 2·`cells`, … enlarged and summed."""
    total = np.zeros((size, size), np.float32)
    weight = 1.0
    for octave in range(octaves):
        grid = min(cells * 2**octave, size) + 1
        total += weight * enlarge(rng.standard_normal((grid, grid), dtype=np.float32), size)
        weight *= gain
    return total / np.sqrt((1 - gain ** (2 * octaves)) / (1 - gain**2)).astype(np.float32)


def soft_threshold(field: Matte, edge: Matte | float) -> Matte:
    """Return α that rises smoothly from 0 to 1 as `field`, a signed distance in pixels, goes from −edge/2 to edge/2."""
    t = np.clip(field / edge + 0.5, 0, 1).astype(np.float32)
    return t * t * (3 - 2 * t)


def signed_distance_like(rng: Generator, size: int) -> Matte:
    """Return a field that is positive inside a random body and grows roughly by one a pixel across its outline."""
    yy, xx = np.mgrid[:size, :size].astype(np.float32)
    if rng.random() < 0.5:
        # A half plane: the body fills one side of the view, as in a crop of a large subject.
        angle = rng.uniform(0, 2 * np.pi)
        offset = rng.uniform(-0.25, 0.25) * size
        field = (xx - size / 2) * np.cos(angle) + (yy - size / 2) * np.sin(angle) + offset
    else:
        centre = rng.uniform(0.25, 0.75, 2) * size
        radii = rng.uniform(0.15, 0.5, 2) * size
        angle = rng.uniform(0, np.pi)
        u = (xx - centre[0]) * np.cos(angle) + (yy - centre[1]) * np.sin(angle)
        v = -(xx - centre[0]) * np.sin(angle) + (yy - centre[1]) * np.cos(angle)
        field = (1 - np.hypot(u / radii[0], v / radii[1])) * radii.min()
    wobble = rng.uniform(0, 0.08) * size
    return (field + wobble * smooth_noise(rng, size, int(rng.integers(3, 9)), int(rng.integers(1, 5)))).astype(
        np.float32
    )


def blob(rng: Generator, size: int) -> Matte:
    """A body whose edge is sharp in one place and out of focus in another."""
    field = signed_distance_like(rng, size)
    widest = np.exp(rng.uniform(np.log(1.2), np.log(24)))
    vary = np.clip(0.5 + 0.5 * smooth_noise(rng, size, 3), 0, 1)
    return soft_threshold(field, 1.2 + (widest - 1.2) * vary)


def sharp(rng: Generator, size: int) -> Matte:
    """A body with a crisp outline, often with holes and corners."""
    field = signed_distance_like(rng, size)
    if rng.random() < 0.4:
        field = np.minimum(field, signed_distance_like(rng, size))
    if rng.random() < 0.4:
        field = np.minimum(field, 12 * smooth_noise(rng, size, int(rng.integers(6, 20))) + rng.uniform(0, 16))
    return soft_threshold(field, rng.uniform(1.0, 2.5))


def motion(rng: Generator, size: int) -> Matte:
    """A body smeared along a line."""
    margin = 16
    body = sharp(rng, size + 2 * margin)
    length = int(rng.integers(4, 2 * margin - 1))
    direction = rng.uniform(0, 2 * np.pi)
    steps = np.linspace(-0.5, 0.5, max(4, length // 2)) * length
    total = np.zeros((size, size), np.float32)
    for step in steps:
        row, column = margin + round(step * np.sin(direction)), margin + round(step * np.cos(direction))
        total += body[row : row + size, column : column + size]
    return ndimage.uniform_filter(total / len(steps), 3)


def _strands(
    rng: Generator,
    xs: Numbers,
    ys: Numbers,
    angles: Numbers,
    lengths: Numbers,
    curl: float,
    widths: Numbers,
    points: int = 16,
) -> tuple[Matte, Matte, Matte, Matte]:
    """Return the points (K, P) of K strands with their widths, and the place (P,) along them in [0, 1]."""
    count = len(xs)
    along = np.linspace(0, 1, points, dtype=np.float32)
    turns = (
        np.cumsum(rng.normal(0, curl / np.sqrt(points), (count, points)), 1) + rng.normal(0, curl, (count, 1)) * along
    )
    headings = angles[:, None] + turns
    step = (lengths / points)[:, None]
    taper = rng.uniform(0.1, 1.0, (count, 1))
    px = xs[:, None] + np.cumsum(np.cos(headings) * step, 1)
    py = ys[:, None] + np.cumsum(np.sin(headings) * step, 1)
    drawn = widths[:, None] * (1 - (1 - taper) * along)
    return px.astype(np.float32), py.astype(np.float32), drawn.astype(np.float32), along


def hair(rng: Generator, size: int) -> Matte:
    """Strands that grow out of a body, as fur, a mane or loose, from a tenth of a pixel to a few pixels wide."""
    field = signed_distance_like(rng, size)
    field += rng.uniform(0, 0.15) * size
    alpha = soft_threshold(field, rng.uniform(1.5, 10))
    rows, columns = np.nonzero(np.abs(field) < rng.uniform(2, 12))
    if rows.size == 0:
        return alpha
    gy, gx = np.gradient(ndimage.gaussian_filter(field, 6))
    style = rng.choice(["fur", "mane", "loose"], p=[0.35, 0.3, 0.35])
    count = int(rng.integers(*{"fur": (200, 700), "mane": (300, 1000), "loose": (20, 260)}[style]))
    mean_length = rng.uniform(8, 40) if style == "fur" else rng.uniform(0.15, 0.7) * size
    mean_width = np.exp(rng.uniform(np.log(0.25), np.log(1.3 if style == "mane" else 3.0)))
    opacity = rng.uniform(0.35, 1.0)
    combed = rng.normal(0, 0.8)
    # A mane is combed: its many strands run side by side and thin out towards its edge.
    wild = rng.uniform(0.02, 0.2) if style == "mane" else rng.uniform(0.05, 0.6)
    curl = rng.uniform(0.05, 0.5) if style == "mane" else rng.uniform(0.1, 1.2)
    clusters = rng.uniform(0, 2 * np.pi, 12)
    roots = rng.integers(rows.size, size=count)
    r, c = rows[roots], columns[roots]
    angles = np.arctan2(-gy[r, c], -gx[r, c]) + combed + rng.normal(0, wild, count)
    angles += 0.3 * np.sin(clusters[(r // 24 + c // 24) % 12])
    lengths = mean_length * rng.uniform(0.3, 1.5, count)
    drawn = mean_width * rng.uniform(0.4, 1.4, count)
    xs, ys, widths, along = _strands(rng, c.astype(np.float32), r.astype(np.float32), angles, lengths, curl, drawn)
    fade = opacity * (1 - rng.uniform(0, 0.7, (count, 1)) * along)
    draw_strands(alpha, xs, ys, widths, fade.astype(np.float32))
    return np.clip(alpha, 0, 1)


def fibres(rng: Generator, size: int) -> Matte:
    """Few long threads, stalks or cables that cross the view, with a solid thing somewhere."""
    alpha = np.zeros((size, size), np.float32)
    count = int(rng.integers(2, 18))
    starts = rng.uniform(0, size, (2, count)).astype(np.float32)
    drawn = np.exp(rng.uniform(np.log(0.6), np.log(9), count))
    lengths = rng.uniform(0.5, 1.6, count) * size
    xs, ys, widths, _ = _strands(
        rng, starts[0], starts[1], rng.uniform(0, 2 * np.pi, count), lengths, rng.uniform(0, 1.5), drawn, 48
    )
    opacities = np.broadcast_to(rng.uniform(0.6, 1.0, (count, 1)), xs.shape).astype(np.float32)
    draw_strands(alpha, xs, ys, widths, opacities)
    solid = soft_threshold(signed_distance_like(rng, size) - rng.uniform(0.05, 0.25) * size, rng.uniform(1.2, 4))
    return np.clip(1 - (1 - alpha) * (1 - solid), 0, 1)


def foliage(rng: Generator, size: int) -> Matte:
    """Many leaves around a body, with gaps between them."""
    density = signed_distance_like(rng, size)
    alpha = np.zeros((size, size), np.float32)
    length = np.exp(rng.uniform(np.log(3), np.log(40)))
    slim = rng.uniform(0.1, 0.6)
    softness = rng.uniform(1.0, 3.0)
    count = int(np.clip(rng.uniform(0.3, 1.5) * size * size / (length * length * slim * 4), 10, 900))
    lie = rng.uniform(0, np.pi)
    order = rng.uniform(0.2, np.pi)
    for _ in range(count):
        r, c = rng.uniform(0, size, 2)
        if density[int(r), int(c)] < rng.normal(0, 0.06) * size:
            continue
        half = length * rng.uniform(0.5, 1.4)
        draw_leaf(alpha, c, r, lie + rng.normal(0, order), half, half * slim, softness, rng.uniform(0.8, 1.0))
    core = soft_threshold(density - rng.uniform(0.05, 0.3) * size, rng.uniform(2, 10))
    return np.clip(1 - (1 - alpha) * (1 - core), 0, 1)


def net(rng: Generator, size: int) -> Matte:
    """A warped mesh, lace or fence inside an outline."""
    yy, xx = np.mgrid[:size, :size].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    warp = rng.uniform(0, 0.06) * size
    u = xx * np.cos(angle) + yy * np.sin(angle) + warp * smooth_noise(rng, size, 4)
    v = -xx * np.sin(angle) + yy * np.cos(angle) + warp * smooth_noise(rng, size, 4)
    period = np.exp(rng.uniform(np.log(4), np.log(40)))
    thickness = period * rng.uniform(0.06, 0.4)
    ratio = rng.uniform(0.6, 1.7)
    edge = rng.uniform(1.0, 2.0)

    def threads(x: Matte, spacing: float) -> Matte:
        distance = np.abs(x / spacing - np.round(x / spacing)) * spacing
        return np.clip((thickness / 2 - distance) / edge + 0.5, 0, 1).astype(np.float32) * min(1.0, thickness)

    mesh = 1 - (1 - threads(u, period)) * (1 - (threads(v, period * ratio) if rng.random() < 0.85 else 0))
    if rng.random() < 0.3:
        mesh = np.maximum(mesh, rng.uniform(0.05, 0.4))
    outline = signed_distance_like(rng, size)
    solid = soft_threshold(outline - rng.uniform(0.1, 0.3) * size, 3)
    return np.maximum(mesh * soft_threshold(outline, rng.uniform(1.2, 6)), solid)


def smoke(rng: Generator, size: int) -> Matte:
    """Fractal density, from mist to thick smoke, with a solid core."""
    noise = smooth_noise(rng, size, int(rng.integers(2, 7)), int(rng.integers(3, 7)), rng.uniform(0.45, 0.7))
    field = signed_distance_like(rng, size) / (0.2 * size)
    thickness = np.clip(field + rng.uniform(0.2, 0.8) * noise, 0, None)
    alpha = 1 - np.exp(-rng.uniform(0.5, 4) * thickness)
    core = soft_threshold(field * 0.2 * size - rng.uniform(0.1, 0.3) * size, rng.uniform(4, 40))
    return np.clip(np.maximum(alpha * rng.uniform(0.5, 1), core), 0, 1).astype(np.float32)


def glass(rng: Generator, size: int) -> Matte:
    """Constant or slowly varying translucency with a brighter rim, beside something solid."""
    field = signed_distance_like(rng, size)
    level = np.clip(rng.uniform(0.1, 0.8) + rng.uniform(0, 0.25) * smooth_noise(rng, size, 3), 0.03, 0.97)
    rim = np.exp(-np.abs(field) / rng.uniform(1.5, 8)) * rng.uniform(0, 0.6)
    sheet = np.clip(level + rim, 0, 1) * soft_threshold(field, rng.uniform(1, 4))
    solid = soft_threshold(signed_distance_like(rng, size) - rng.uniform(0, 0.2) * size, rng.uniform(1, 4))
    return np.maximum(sheet, solid).astype(np.float32)


KINDS: dict[str, Callable[[Generator, int], Matte]] = {
    "blob": blob,
    "sharp": sharp,
    "motion": motion,
    "hair": hair,
    "fibres": fibres,
    "foliage": foliage,
    "net": net,
    "smoke": smoke,
    "glass": glass,
}


def sprite(rng: Generator, size: int, sprites: Sequence[NDArray[np.uint8]]) -> Matte:
    """A real matte from `sprites` (uint8), turned, scaled, mirrored and softened, in a random place."""
    source = Image.fromarray(sprites[int(rng.integers(len(sprites)))])
    scale = np.exp(rng.uniform(np.log(0.5), np.log(2.2))) * size / max(source.size)
    angle = rng.uniform(0, 2 * np.pi)
    # The inverse map, from a pixel of the view to a pixel of the matte, about both centres.
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    cx, cy = rng.uniform(0.2, 0.8, 2) * size
    a, b, d, e = mirror * cos, mirror * sin, -sin, cos
    sx, sy = source.size[0] / 2, source.size[1] / 2
    if scale < 0.7:
        factor = max(1, int(0.9 / scale))
        source = source.reduce(factor)
        a, b, d, e, sx, sy = (value / factor for value in (a, b, d, e, sx, sy))
    matrix = (a, b, sx - a * cx - b * cy, d, e, sy - d * cx - e * cy)
    warped = source.transform((size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    alpha = np.asarray(warped, np.float32) / 255
    softness = rng.uniform(0, 1.5)
    if softness > 0.4:
        alpha = ndimage.gaussian_filter(alpha, softness)
    if rng.random() < 0.6:
        body = soft_threshold(signed_distance_like(rng, size) - rng.uniform(0, 0.3) * size, rng.uniform(1, 6))
        alpha = 1 - (1 - alpha) * (1 - body)
    return np.clip(alpha, 0, 1)
