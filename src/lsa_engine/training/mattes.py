"""Procedural mattes: one function a kind, each drawing an alpha (size, size) float32 in [0, 1] from a generator.

What is made of many things (strands, leaves) comes with their tones: how much lighter or darker each is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from lsa_engine.training.strokes import draw_leaf, draw_strands

Matte = NDArray[np.float32]
Numbers = NDArray[np.floating[Any]]
Generator = np.random.Generator


class Drawn(NamedTuple):
    """A matte, (size, size) in [0, 1], and the tones of its parts: (size, size) of about unit spread, or None."""

    alpha: Matte
    tones: Matte | None = None


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


def blob(rng: Generator, size: int) -> Drawn:
    """A body whose edge is sharp in one place and out of focus in another."""
    field = signed_distance_like(rng, size)
    widest = np.exp(rng.uniform(np.log(1.2), np.log(24)))
    vary = np.clip(0.5 + 0.5 * smooth_noise(rng, size, 3), 0, 1)
    return Drawn(soft_threshold(field, 1.2 + (widest - 1.2) * vary))


def sharp(rng: Generator, size: int) -> Drawn:
    """A body with a crisp outline, often with holes and corners."""
    field = signed_distance_like(rng, size)
    if rng.random() < 0.4:
        field = np.minimum(field, signed_distance_like(rng, size))
    if rng.random() < 0.4:
        field = np.minimum(field, 12 * smooth_noise(rng, size, int(rng.integers(6, 20))) + rng.uniform(0, 16))
    return Drawn(soft_threshold(field, rng.uniform(1.0, 2.5)))


def motion(rng: Generator, size: int) -> Drawn:
    """A body smeared along a line."""
    margin = 16
    body = sharp(rng, size + 2 * margin).alpha
    length = int(rng.integers(4, 2 * margin - 1))
    direction = rng.uniform(0, 2 * np.pi)
    steps = np.linspace(-0.5, 0.5, max(4, length // 2)) * length
    total = np.zeros((size, size), np.float32)
    for step in steps:
        row, column = margin + round(step * np.sin(direction)), margin + round(step * np.cos(direction))
        total += body[row : row + size, column : column + size]
    return Drawn(ndimage.uniform_filter(total / len(steps), 3))


def _strands(
    rng: Generator,
    xs: Numbers,
    ys: Numbers,
    angles: Numbers,
    lengths: Numbers,
    curl: float,
    widths: Numbers,
    points: int = 16,
    locks: NDArray[np.intp] | None = None,
) -> tuple[Matte, Matte, Matte, Matte]:
    """Return the points (K, P) of K strands with their widths, and the place (P,) along them in [0, 1].

    Strands of one lock, of those that `locks` (K,) numbers, bend together and part only a little.
    """
    count = len(xs)
    along = np.linspace(0, 1, points, dtype=np.float32)

    def bends(number: int) -> Numbers:
        steps = rng.normal(0, curl / np.sqrt(points), (number, points))
        return np.cumsum(steps, 1) + rng.normal(0, curl, (number, 1)) * along

    turns = bends(count) if locks is None else bends(int(locks.max()) + 1)[locks] + rng.uniform(0, 0.3) * bends(count)
    headings = angles[:, None] + turns
    step = (lengths / (points - 1))[:, None] * (np.arange(points) > 0)
    taper = rng.uniform(0.1, 1.0, (count, 1))
    px = xs[:, None] + np.cumsum(np.cos(headings) * step, 1)
    py = ys[:, None] + np.cumsum(np.sin(headings) * step, 1)
    drawn = widths[:, None] * (1 - (1 - taper) * along)
    return px.astype(np.float32), py.astype(np.float32), drawn.astype(np.float32), along


_HAIR_COUNTS = {"fur": (200, 700), "loose": (20, 260), "mane": (300, 1000), "veil": (600, 2000)}


def hair(rng: Generator, size: int) -> Drawn:
    """Strands that grow out of a body, as fur, loose, a mane or a veil, a tenth of a pixel to a few pixels wide."""
    style = str(rng.choice(list(_HAIR_COUNTS), p=[0.25, 0.25, 0.2, 0.3]))
    field = signed_distance_like(rng, size) + rng.uniform(0, 0.15) * size
    if style == "veil":
        # Without an outline: strands alone, rooted all through the edge of the body, make it opaque.
        depth = rng.uniform(0.06, 0.25) * size
        field = field - 0.5 * depth
        alpha = soft_threshold(field, depth)
    else:
        depth = rng.uniform(2, 12)
        alpha = soft_threshold(field, rng.uniform(1.5, 10))
    rows, columns = np.nonzero(np.abs(field) < depth)
    if rows.size == 0:
        return Drawn(alpha)
    count = int(rng.integers(*_HAIR_COUNTS[style]))
    if style in ("mane", "veil"):
        xs, ys, widths, along = _combed_hair(rng, field, rows, columns, count, 1.3 if style == "mane" else 1.0)
    else:
        gy, gx = np.gradient(ndimage.gaussian_filter(field, 6))
        roots = rng.integers(rows.size, size=count)
        r, c = rows[roots], columns[roots]
        mean_length = rng.uniform(8, 40) if style == "fur" else rng.uniform(0.15, 0.7) * size
        clusters = rng.uniform(0, 2 * np.pi, 12)
        angles = np.arctan2(-gy[r, c], -gx[r, c]) + rng.normal(0, 0.8) + rng.normal(0, rng.uniform(0.05, 0.6), count)
        angles += 0.3 * np.sin(clusters[(r // 24 + c // 24) % 12])
        lengths = mean_length * rng.uniform(0.3, 1.5, count)
        drawn = np.exp(rng.uniform(np.log(0.25), np.log(3.0))) * rng.uniform(0.4, 1.4, count)
        curl = rng.uniform(0.1, 1.2)
        xs, ys, widths, along = _strands(rng, c * 1.0, r * 1.0, angles, lengths, curl, drawn)
    fade = rng.uniform(0.35, 1.0) * (1 - rng.uniform(0, 0.7, (count, 1)) * along)
    tones = np.zeros_like(alpha)
    draw_strands(alpha, tones, xs, ys, widths, fade.astype(np.float32), _tones_of(rng, count))
    return Drawn(np.clip(alpha, 0, 1), tones)


def _combed_hair(
    rng: Generator, field: Matte, rows: NDArray[np.intp], columns: NDArray[np.intp], count: int, widest: float
) -> tuple[Matte, Matte, Matte, Matte]:
    """Return long strands (see `_strands`) in locks that lie side by side, falling one way or off the body."""
    size = field.shape[0]
    number = max(1, int(count / rng.uniform(4, 40)))
    locks = rng.integers(number, size=count)
    roots = rng.integers(rows.size, size=number)
    spread = rng.uniform(0.005, 0.05) * size
    r = rows[roots][locks] + rng.normal(0, spread, count)
    c = columns[roots][locks] + rng.normal(0, spread, count)
    if rng.random() < 0.6:
        falls = np.full(number, rng.uniform(0, 2 * np.pi))
    else:
        gy, gx = np.gradient(ndimage.gaussian_filter(field, 6))
        falls = np.arctan2(-gy[rows[roots], columns[roots]], -gx[rows[roots], columns[roots]]) + rng.normal(0, 0.8)
    falls = falls + 0.4 * smooth_noise(rng, size, int(rng.integers(2, 8)))[rows[roots], columns[roots]]
    falls = falls + rng.normal(0, rng.uniform(0, 0.25), number)
    angles = falls[locks] + rng.normal(0, rng.uniform(0.01, 0.15), count)
    lengths = rng.uniform(0.15, 0.7) * size * rng.uniform(0.3, 1.5, number)[locks] * rng.uniform(0.7, 1.2, count)
    drawn = np.exp(rng.uniform(np.log(0.2), np.log(widest))) * rng.uniform(0.4, 1.4, count)
    return _strands(rng, c, r, angles, lengths, rng.uniform(0.05, 0.5), drawn, locks=locks)


def _tones_of(rng: Generator, count: int) -> NDArray[np.float32]:
    """Return a tone for each of `count` things: what lies beneath is drawn first and is a little darker."""
    tones = rng.standard_normal(count) + rng.uniform(0, 1) * np.linspace(-1, 1, count)
    return tones.astype(np.float32)


def fibres(rng: Generator, size: int) -> Drawn:
    """Few long threads, stalks or cables that cross the view, with a solid thing somewhere."""
    alpha, tones = np.zeros((2, size, size), np.float32)
    count = int(rng.integers(2, 18))
    starts = rng.uniform(0, size, (2, count)).astype(np.float32)
    drawn = np.exp(rng.uniform(np.log(0.6), np.log(9), count))
    lengths = rng.uniform(0.5, 1.6, count) * size
    xs, ys, widths, _ = _strands(
        rng, starts[0], starts[1], rng.uniform(0, 2 * np.pi, count), lengths, rng.uniform(0, 1.5), drawn, 48
    )
    opacities = np.broadcast_to(rng.uniform(0.6, 1.0, (count, 1)), xs.shape).astype(np.float32)
    draw_strands(alpha, tones, xs, ys, widths, opacities, _tones_of(rng, count))
    solid = soft_threshold(signed_distance_like(rng, size) - rng.uniform(0.05, 0.25) * size, rng.uniform(1.2, 4))
    return Drawn(np.clip(1 - (1 - alpha) * (1 - solid), 0, 1), tones)


def foliage(rng: Generator, size: int) -> Drawn:
    """Many leaves around a body, with gaps between them."""
    density = signed_distance_like(rng, size)
    alpha, tones = np.zeros((2, size, size), np.float32)
    length = np.exp(rng.uniform(np.log(3), np.log(40)))
    slim = rng.uniform(0.1, 0.6)
    softness = rng.uniform(1.0, 3.0)
    count = int(np.clip(rng.uniform(0.3, 1.5) * size * size / (length * length * slim * 4), 10, 900))
    lie = rng.uniform(0, np.pi)
    order = rng.uniform(0.2, np.pi)
    for tone in _tones_of(rng, count):
        r, c = rng.uniform(0, size, 2)
        if density[int(r), int(c)] < rng.normal(0, 0.06) * size:
            continue
        half = length * rng.uniform(0.5, 1.4)
        turn, opacity = lie + rng.normal(0, order), rng.uniform(0.8, 1.0)
        draw_leaf(alpha, tones, c, r, turn, half, half * slim, softness, opacity, tone)
    core = soft_threshold(density - rng.uniform(0.05, 0.3) * size, rng.uniform(2, 10))
    return Drawn(np.clip(1 - (1 - alpha) * (1 - core), 0, 1), tones)


def shrub(rng: Generator, size: int) -> Drawn:
    """Twigs that branch off a body, opaque and down to less than a pixel wide, with few or many leaves on them."""
    field = signed_distance_like(rng, size) - rng.uniform(0, 0.2) * size
    gy, gx = np.gradient(ndimage.gaussian_filter(field, 6))
    rows, columns = np.nonzero(np.abs(field) < 4)
    if rows.size == 0:
        rows, columns = rng.integers(size, size=(2, 8))
    number = int(rng.integers(4, 40))
    roots = rng.integers(rows.size, size=number)
    angles = np.arctan2(-gy, -gx)[rows[roots], columns[roots]] + rng.normal(0, 0.5, number)
    r, c = 1.0 * rows[roots], 1.0 * columns[roots]
    lengths = rng.uniform(0.15, 0.6) * size * rng.uniform(0.4, 1.3, number)
    widths = np.exp(rng.uniform(np.log(1.0), np.log(7.0))) * rng.uniform(0.5, 1.3, number)
    alpha, tones = np.zeros((2, size, size), np.float32)
    leaf, slim = np.exp(rng.uniform(np.log(3), np.log(24))), rng.uniform(0.2, 0.7)
    leaves = int(np.clip(rng.uniform(0, 0.5) * size * size / (leaf * leaf * slim * 4), 0, 400))
    curl = rng.uniform(0.1, 0.9)
    for generation in range(2):
        xs, ys, drawn, _ = _strands(rng, c, r, angles, lengths, curl, widths)
        draw_strands(alpha, tones, xs, ys, drawn, np.ones_like(xs), _tones_of(rng, len(xs)))
        bearers = rng.integers(len(xs), size=leaves // 2)
        places = rng.integers(2, xs.shape[1], size=leaves // 2)
        for strand, place, tone in zip(bearers, places, _tones_of(rng, leaves // 2), strict=True):
            x, y = xs[strand, place], ys[strand, place]
            heading = np.arctan2(y - ys[strand, place - 1], x - xs[strand, place - 1])
            turn, half = heading + rng.normal(0, 0.9), leaf * rng.uniform(0.5, 1.4)
            place_x, place_y = x + half * np.cos(turn), y + half * np.sin(turn)
            draw_leaf(alpha, tones, place_x, place_y, turn, half, half * slim, rng.uniform(1.0, 1.6), 1.0, tone)
        if generation == 0:
            # The second generation grows out of the first one's strands.
            number = int(number * rng.uniform(1, 4))
            bearers, places = rng.integers(len(xs), size=number), rng.integers(3, xs.shape[1], size=number)
            headings = np.arctan2(
                ys[bearers, places] - ys[bearers, places - 1], xs[bearers, places] - xs[bearers, places - 1]
            )
            angles = headings + rng.uniform(0.3, 1.1, number) * rng.choice((-1, 1), number)
            lengths = 0.5 * lengths[bearers] * rng.uniform(0.3, 1.2, number)
            widths = 0.6 * drawn[bearers, places] * rng.uniform(0.6, 1.1, number)
            c, r = xs[bearers, places], ys[bearers, places]
    core = soft_threshold(field, rng.uniform(1.2, 3))
    return Drawn(np.clip(1 - (1 - alpha) * (1 - core), 0, 1), tones)


def net(rng: Generator, size: int) -> Drawn:
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
    return Drawn(np.maximum(mesh * soft_threshold(outline, rng.uniform(1.2, 6)), solid))


def smoke(rng: Generator, size: int) -> Drawn:
    """Fractal density, from mist to thick smoke, with a solid core."""
    noise = smooth_noise(rng, size, int(rng.integers(2, 7)), int(rng.integers(3, 7)), rng.uniform(0.45, 0.7))
    field = signed_distance_like(rng, size) / (0.2 * size)
    thickness = np.clip(field + rng.uniform(0.2, 0.8) * noise, 0, None)
    alpha = 1 - np.exp(-rng.uniform(0.5, 4) * thickness)
    core = soft_threshold(field * 0.2 * size - rng.uniform(0.1, 0.3) * size, rng.uniform(4, 40))
    return Drawn(np.clip(np.maximum(alpha * rng.uniform(0.5, 1), core), 0, 1).astype(np.float32))


def glass(rng: Generator, size: int) -> Drawn:
    """Constant or slowly varying translucency with a brighter rim, beside something solid."""
    field = signed_distance_like(rng, size)
    level = np.clip(rng.uniform(0.1, 0.8) + rng.uniform(0, 0.25) * smooth_noise(rng, size, 3), 0.03, 0.97)
    rim = np.exp(-np.abs(field) / rng.uniform(1.5, 8)) * rng.uniform(0, 0.6)
    sheet = np.clip(level + rim, 0, 1) * soft_threshold(field, rng.uniform(1, 4))
    solid = soft_threshold(signed_distance_like(rng, size) - rng.uniform(0, 0.2) * size, rng.uniform(1, 4))
    return Drawn(np.maximum(sheet, solid).astype(np.float32))


KINDS: dict[str, Callable[[Generator, int], Drawn]] = {
    "blob": blob,
    "sharp": sharp,
    "motion": motion,
    "hair": hair,
    "fibres": fibres,
    "foliage": foliage,
    "shrub": shrub,
    "net": net,
    "smoke": smoke,
    "glass": glass,
}


def sprite(rng: Generator, size: int, sprites: Sequence[NDArray[np.uint8]]) -> Drawn:
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
    return Drawn(np.clip(alpha, 0, 1))
