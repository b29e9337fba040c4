"""Colours of things and of what lies behind them, from photographs, and the light that falls on both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from lsa_engine.training.mattes import Generator, Matte, enlarge, smooth_noise

Colours = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def laid_over(alpha: Matte, colours: Colours, behind: Colours) -> Colours:
    """Return colours (H, W, 3) laid over others by a matte (H, W), clipped to [0, 1]."""
    a = alpha[..., None]
    return np.clip(a * colours + (1 - a) * behind, 0, 1).astype(np.float32)


def photo_crop(rng: Generator, photo: Bytes, size: int, closest: float = 0.3, sigma: float = 0.0) -> Colours:
    """Return a random part of a photograph, (size, size, 3) in [0, 1], mirrored at random, blurred by `sigma`."""
    height, width = photo.shape[:2]
    side = min(height, width) * np.exp(rng.uniform(np.log(closest), 0))
    left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
    crop = Image.fromarray(photo).resize((size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
    if sigma > 0:
        crop = crop.filter(ImageFilter.GaussianBlur(sigma))
    colours: Colours = np.asarray(crop, np.float32) / np.float32(255)
    if rng.random() < 0.5:
        colours = colours[:, ::-1]
    if rng.random() < 0.25:
        colours = np.swapaxes(colours, 0, 1)
    return colours


def cutout_crop(rng: Generator, cutout: Bytes, size: int) -> tuple[Colours, Matte]:
    """Return colours and alpha, (size, size, 3) and (size, size), of a random part of a cut-out (H, W, 4).

    Colours are resized as they are, not weighted by alpha: refined foregrounds are smooth where they are not seen
    (§4.1), which is what refinement is for.
    """
    height, width = cutout.shape[:2]
    side = max(height, width) * np.exp(rng.uniform(np.log(0.25), np.log(1.1)))
    left, top = (rng.uniform(min(0, length - side), max(0, length - side)) for length in (width, height))
    box = (left, top, left + side, top + side)
    parts = [
        Image.fromarray(np.ascontiguousarray(layer)).transform(
            (size, size), Image.Transform.EXTENT, box, Image.Resampling.BICUBIC
        )
        for layer in (cutout[..., :3], cutout[..., 3])
    ]
    colours, alpha = (np.asarray(part, np.float32) / np.float32(255) for part in parts)
    if rng.random() < 0.5:
        colours, alpha = colours[:, ::-1], alpha[:, ::-1]
    return colours, np.ascontiguousarray(alpha)


def patches(rng: Generator, size: int) -> Colours:
    """Return stripes, blocks or a flag of two to five strong colours."""
    colours = rng.uniform(0, 1, (int(rng.integers(2, 6)), 3)).astype(np.float32)
    cells = int(rng.integers(2, 9))
    field = smooth_noise(rng, size, cells)
    if rng.random() < 0.5:
        yy, xx = np.mgrid[:size, :size].astype(np.float32) / size
        angle = rng.uniform(0, np.pi)
        field = cells * (xx * np.cos(angle) + yy * np.sin(angle)) + rng.uniform(0, 0.5) * field
        index = np.floor(field).astype(int) % len(colours)
    else:
        index = np.clip(((field + 2) / 4 * len(colours)).astype(int), 0, len(colours) - 1)
    return colours[index]


def streaks(rng: Generator, size: int) -> Matte:
    """Return noise (size, size) of about unit variance that is long one way and fine the other, as on hair or straw."""
    margin = int(1.5 * size)
    grid = rng.standard_normal((int(rng.integers(3, 9)), int(size * rng.uniform(0.3, 1.2)))).astype(np.float32)
    field = Image.fromarray(grid).resize((margin, margin), Image.Resampling.BICUBIC)
    field = field.rotate(rng.uniform(0, 180), Image.Resampling.BILINEAR)
    first = (margin - size) // 2
    lines = np.asarray(field, np.float32)[first : first + size, first : first + size]
    # Waves: strands are not straight.
    bend = rng.uniform(0, 0.06) * size
    yy, xx = np.mgrid[:size, :size].astype(np.float32)
    places = [axis + bend * smooth_noise(rng, size, 3) for axis in (yy, xx)]
    bent: Matte = ndimage.map_coordinates(lines, places, order=1, mode="reflect")
    return bent


def foreground_colours(rng: Generator, photo: Bytes, size: int) -> Colours:
    """Return colours of a thing: a photograph sharp or soft, a shaded plain colour, or strong patches."""
    draw = rng.random()
    if draw < 0.28:
        colours = photo_crop(rng, photo, size)
    elif draw < 0.5:
        colours = photo_crop(rng, photo, size, 0.1, rng.uniform(2, 16))
    elif draw < 0.9:
        part = photo_crop(rng, photo, size, 0.1, rng.uniform(1, 6))
        colours = part.mean((0, 1)) + rng.uniform(0.05, 0.6) * (part - part.mean((0, 1)))
    else:
        colours = 0.8 * patches(rng, size) + 0.2 * photo_crop(rng, photo, size)
    if rng.random() < 0.6:
        # Light falls unevenly on a body, and finer than that on hair.
        shade = smooth_noise(rng, size, int(rng.integers(2, 6)))
        if rng.random() < 0.4:
            shade = shade + 0.6 * smooth_noise(rng, size, int(rng.integers(30, 100)))
        colours = colours * np.exp(rng.uniform(0.05, 0.35) * shade)[..., None]
    if rng.random() < 0.35:
        # Strands shine and shade each other; a highlight takes the colour of the light.
        shine = streaks(rng, size)[..., None]
        light = rng.uniform(0.7, 1, 3).astype(np.float32)
        colours = colours * np.exp(rng.uniform(0.05, 0.3) * shine)
        colours = colours + rng.uniform(0, 0.2) * np.clip(shine - 0.8, 0, 1) * light
    return colours.astype(np.float32)


def toned(rng: Generator, colours: Colours, tones: Matte) -> Colours:
    """Return colours, each thing of a matte lighter or darker than the next, and of a hue a little its own."""
    tint = rng.uniform(0, 0.08) * rng.standard_normal(3).astype(np.float32)
    values = np.clip(tones, -2.5, 2.5)[..., None]
    return np.clip(colours * np.exp(rng.uniform(0.05, 0.4) * values) + tint * values, 0, 1).astype(np.float32)


def edge_lit(rng: Generator, colours: Colours, alpha: Matte) -> Colours:
    """Return the colours of a thing that is lit from behind or from a side: its rim and what is thin in it differ."""
    size = alpha.shape[0]
    body = softened(alpha, rng.uniform(0.01, 0.06) * size)
    light = rng.normal(0, 0.5) * (1 - body)
    if rng.random() < 0.5:
        # The side that faces the light: alpha falls towards it.
        towards = rng.uniform(0, 2 * np.pi)
        dy, dx = np.gradient(body)
        light -= rng.uniform(0, 0.5) * np.clip(0.06 * size * (dx * np.cos(towards) + dy * np.sin(towards)), -1.5, 1.5)
    tint = 1 + rng.uniform(0, 0.25) * rng.standard_normal(3).astype(np.float32)
    return np.clip(colours * np.exp(light[..., None] * tint), 0, 1).astype(np.float32)


def shadowed(rng: Generator, background: Colours, alpha: Matte) -> Colours:
    """Return a background on which the foreground throws its shadow, beside it and softer than itself."""
    size = alpha.shape[0]
    shift = np.round(rng.normal(0, 0.06, 2) * size).astype(int)
    cast = np.roll(softened(alpha, rng.uniform(0.005, 0.04) * size), shift, (0, 1))
    return background * (1 - rng.uniform(0.1, 0.6) * cast)[..., None]


def softened(alpha: Matte, sigma: float) -> Matte:
    """Return a matte (size, size) blurred by `sigma` pixels, computed at a quarter of its size."""
    size = alpha.shape[0]
    quarter = Image.fromarray(alpha).reduce(4)
    return np.clip(enlarge(ndimage.gaussian_filter(np.asarray(quarter, np.float32), sigma / 4), size), 0, 1)


def background_colours(rng: Generator, photo: Bytes, size: int) -> Colours:
    """Return colours of what lies behind: a photograph, often out of focus, or a wall with a gradient."""
    draw = rng.random()
    if draw < 0.12:
        base = rng.uniform(0, 1, 3).astype(np.float32)
        slope = rng.normal(0, 0.12, (3, 3, 3)).astype(np.float32)
        return np.stack([enlarge(base[c] + slope[..., c], size) for c in range(3)], -1)
    sigma = float(np.exp(rng.uniform(np.log(0.8), np.log(14)))) if draw < 0.6 else 0.0
    return photo_crop(rng, photo, size, sigma=sigma)
