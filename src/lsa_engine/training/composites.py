"""Procedural examples: a drawn matte, colours from photographs, a camera's faults, a trimap as a user makes it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from lsa_engine.training.colours import (
    Bytes,
    Colours,
    background_colours,
    cutout_crop,
    edge_lit,
    foreground_colours,
    laid_over,
    shadowed,
    toned,
)
from lsa_engine.training.mattes import KINDS, Drawn, Generator, Matte, enlarge, smooth_noise, sprite
from lsa_engine.trimap import BACKGROUND, FOREGROUND, UNKNOWN

_KIND_WEIGHTS = {
    "blob": 1.0,
    "sharp": 1.0,
    "motion": 0.4,
    "hair": 3.5,
    "fibres": 0.8,
    "foliage": 1.6,
    "shrub": 1.4,
    "net": 0.9,
    "smoke": 0.5,
    "glass": 0.5,
    "sprite": 3.0,
}


@dataclass(frozen=True)
class Example:
    """One training example: image (H, W, 3), alpha (H, W) and trimap (H, W), all uint8."""

    image: Bytes
    alpha: Bytes
    trimap: Bytes


@dataclass(frozen=True)
class Style:
    """What a phase of training may ask for beyond the plain series.

    Attributes
    ----------
    parts : float
        Share of examples whose foreground has a second part with colours of its own, drawn as a matte inside the first.
    wide_share : float
        Share of trimaps with a wide unknown band.
    wide_reach : float
        Largest distance of a wide trimap's dilation in pixels; the others reach 24 at most (§5).
    gray_share : float
        Share of examples in gray, or with little colour.
    """

    parts: float = 0.0
    wide_share: float = 0.2
    wide_reach: float = 60.0
    gray_share: float = 0.0


PLAIN = Style()


class ProceduralComposites:
    """Draw training examples without end, each from its own number, so that any of them can be drawn again.

    Parameters
    ----------
    photos : sequence of (H, W, 3) uint8
        Photographs whose colours fill foregrounds and backgrounds.
    sprites : sequence of (H, W) uint8
        Real soft mattes; may be empty.
    seed : int
        Seed of the whole series.
    foregrounds : sequence of (H, W, 4) uint8
        Cut-outs with straight colours.
    foreground_share : float
        Share of examples whose foreground is one of these.
    """

    def __init__(
        self,
        photos: Sequence[Bytes],
        sprites: Sequence[Bytes],
        seed: int,
        foregrounds: Sequence[Bytes] = (),
        foreground_share: float = 0.5,
    ) -> None:
        self._photos = photos
        self._foregrounds = foregrounds
        self._foreground_share = foreground_share if len(foregrounds) > 0 else 0.0
        self._sprites = sprites
        self._seed = seed
        kinds = [kind for kind in _KIND_WEIGHTS if kind != "sprite" or len(sprites) > 0]
        weights = np.array([_KIND_WEIGHTS[kind] for kind in kinds])
        self._kinds = kinds
        self._shares = weights / weights.sum()

    def draw(self, number: int, size: int, style: Style = PLAIN) -> Example:
        """Return example `number` of the series at `size` × `size` pixels."""
        rng = np.random.default_rng((self._seed, number))
        real = self._real_foreground(number, size)
        for _ in range(8):
            alpha, tones = self._matte(rng, size) if real is None else Drawn(real[1])
            trimap = draw_trimap(rng, alpha, style)
            known = min(float((trimap == FOREGROUND).mean()), float((trimap == BACKGROUND).mean()))
            if known > 0.01 and (trimap == UNKNOWN).mean() > 0.01:
                break
        foreground, background = self._layers(rng, size)
        if tones is not None and rng.random() < 0.7:
            foreground = toned(rng, foreground, tones)
        background = self._with_clutter(rng, background, size)
        if real is not None:
            foreground = real[0]
        elif style.parts > 0:
            foreground = self._with_second_part(number, foreground, size, style.parts)
        if real is None:
            foreground, background = self._in_light(number, foreground, background, alpha)
        image = self._faded(number, photograph(rng, foreground, background, alpha), style.gray_share)
        return Example(image, np.round(alpha * 255).astype(np.uint8), trimap)

    def _in_light(self, number: int, foreground: Colours, background: Colours, alpha: Matte) -> tuple[Colours, Colours]:
        """Return layers on which light falls as the foreground's shape has it; drawn apart, the rest stays the same."""
        rng = np.random.default_rng((self._seed, number, 4))
        if rng.random() < 0.4:
            foreground = edge_lit(rng, foreground, alpha)
        if rng.random() < 0.2:
            background = shadowed(rng, background, alpha)
        return foreground, background

    def _faded(self, number: int, image: Bytes, share: float) -> Bytes:
        """Return an image that may have lost its colour; drawn apart, so that the rest stays the same."""
        rng = np.random.default_rng((self._seed, number, 3))
        return faded(rng, image) if rng.random() < share else image

    def _real_foreground(self, number: int, size: int) -> tuple[Colours, Matte] | None:
        """Return colours and alpha of a part of a cut-out, or None; drawn apart, so that the rest stays the same."""
        if self._foreground_share == 0:
            return None
        rng = np.random.default_rng((self._seed, number, 2))
        if rng.random() >= self._foreground_share:
            return None
        cutout = self._foregrounds[int(rng.integers(len(self._foregrounds)))]
        # Of several parts, the one with most between 0 and 1: most of a large cut-out is plain.
        parts = [cutout_crop(rng, cutout, size) for _ in range(3)]
        colours, alpha = max(parts, key=lambda part: float((part[1] * (1 - part[1])).sum()))
        return colours, alpha

    def _matte(self, rng: Generator, size: int) -> Drawn:
        alpha, tones = self._one_matte(rng, size)
        draw = rng.random()
        if draw < 0.3:
            # Before and behind each other, as in a shrub or in thick fur: up to four.
            for _ in range(int(rng.integers(1, 4))):
                alpha = 1 - (1 - alpha) * (1 - self._one_matte(rng, size).alpha)
        elif draw < 0.38:
            alpha = alpha * (1 - self._one_matte(rng, size).alpha)
        elif draw < 0.5:
            # The gaps are thin and not the things, as in wickerwork: of what is unknown, as much is foreground as not.
            alpha, tones = 1 - alpha, None
        alpha = np.clip(alpha, 0, 1)
        if rng.random() < 0.3:
            gamma = rng.uniform(0.5, 1.0) if rng.random() < 0.5 else rng.uniform(1.0, 2.0)
            alpha = alpha**gamma if rng.random() < 0.5 else 1 - (1 - alpha) ** gamma
        # Less than half a step of 8 bits is nothing: it must not widen the unknown region.
        alpha[alpha < 1.5 / 255] = 0
        alpha[alpha > 253.5 / 255] = 1
        return Drawn(alpha.astype(np.float32), tones)

    def _one_matte(self, rng: Generator, size: int) -> Drawn:
        kind = self._kinds[int(rng.choice(len(self._kinds), p=self._shares))]
        return sprite(rng, size, self._sprites) if kind == "sprite" else KINDS[kind](rng, size)

    def _layers(self, rng: Generator, size: int) -> tuple[Colours, Colours]:
        first = self._photos[int(rng.integers(len(self._photos)))]
        second = first if rng.random() < 0.15 else self._photos[int(rng.integers(len(self._photos)))]
        foreground = foreground_colours(rng, first, size)
        background = background_colours(rng, second, size)
        if rng.random() < 0.2:
            # Colours that nearly meet are where the colour line says least.
            pull = rng.uniform(0.3, 0.9)
            foreground += pull * (background.mean((0, 1)) - foreground.mean((0, 1)))
        if rng.random() < 0.3:
            # Colour augmentation (section 4.2), one weight a channel.
            weights = rng.uniform(0, 1, 3).astype(np.float32)
            foreground = weights * foreground + (1 - weights) * rng.uniform(0, 1, 3).astype(np.float32)
        if rng.random() < 0.15:
            foreground = 1 - foreground
        if rng.random() < 0.2:
            foreground = foreground[..., rng.permutation(3)]
        return np.clip(foreground, 0, 1), np.clip(background, 0, 1)

    def _with_clutter(self, rng: Generator, background: Colours, size: int) -> Colours:
        """Return a background before which other things may stand: paper, frames, cables, plants."""
        while rng.random() < 0.3:
            part, colours = self._thing(rng, size)
            # Of any brightness, nearly plain or as it was photographed.
            background = laid_over(part, colours * rng.uniform(0.4, 1.8), background)
        return background

    def _with_second_part(self, number: int, foreground: Colours, size: int, share: float) -> Colours:
        """Return a foreground that may have a second part; drawn apart, so that the rest stays the same."""
        rng = np.random.default_rng((self._seed, number, 1))
        if rng.random() >= share:
            return foreground
        return laid_over(*self._thing(rng, size), foreground)

    def _thing(self, rng: Generator, size: int) -> tuple[Matte, Colours]:
        """Return a matte and the colours of a thing of that shape, from any photograph."""
        alpha = self._one_matte(rng, size).alpha
        photo = self._photos[int(rng.integers(len(self._photos)))]
        return alpha, foreground_colours(rng, photo, size)


def photograph(rng: Generator, foreground: Colours, background: Colours, alpha: Matte) -> Bytes:
    """Return the composite (eq. 1) as a camera delivers it, uint8 (H, W, 3): gamma, noise, sharpening, JPEG.

    It is light that a camera adds up, and stored colours that an editor does: more often the first than the second.
    """
    a = alpha[..., None]
    if rng.random() < 0.8:
        gamma = np.float32(rng.uniform(1.0, 1.6) if rng.random() < 0.6 else rng.uniform(1.6, 2.2))
        image = (a * foreground**gamma + (1 - a) * background**gamma) ** (1 / gamma)
    else:
        image = a * foreground + (1 - a) * background
    if rng.random() < 0.3:
        image = image * rng.uniform(0.6, 1.25) + rng.uniform(-0.08, 0.08)
    if rng.random() < 0.6:
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        if rng.random() < 0.5:
            # Demosaicing ties neighbouring pixels.
            noise = 0.5 * (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1) + np.roll(noise, (1, 1), (0, 1)))
        image = image + np.exp(rng.uniform(np.log(0.002), np.log(0.035))) * noise
    pixels = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.2:
        sharpening = ImageFilter.UnsharpMask(rng.uniform(0.6, 1.5), int(rng.integers(20, 90)), 0)
        pixels = np.array(Image.fromarray(pixels).filter(sharpening))
    if rng.random() < 0.4:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(55, 98)))
        pixels = np.array(Image.open(buffer))
    return pixels


def faded(rng: Generator, image: Bytes) -> Bytes:
    """Return an image (H, W, 3) uint8 in gray, as one channel or a mixture of them, or with a part of its colour."""
    colours = image.astype(np.float32)
    gray = colours @ rng.dirichlet((0.6, 0.6, 0.6)).astype(np.float32)
    kept = np.float32(rng.uniform(0, 0.6) if rng.random() < 0.25 else 0)
    values: Bytes = (kept * colours + (1 - kept) * gray[..., None] + 0.5).astype(np.uint8)
    return values


def draw_trimap(rng: Generator, alpha: Matte, style: Style = PLAIN) -> Bytes:
    """Return a trimap (H, W) uint8: {α > 0} and {α < 1} dilated by independent distances (§5), evenly or carelessly."""
    size = alpha.shape[0]
    widest = style.wide_reach if rng.random() < style.wide_share else 24.0
    values = np.full(alpha.shape, UNKNOWN, np.uint8)
    careless = rng.random() < 0.5
    # The foreground is marked well inside: what looks solid in a dense thing may have gaps.
    for solid, value, narrowest in ((alpha >= 1, FOREGROUND, 3.0), (alpha <= 0, BACKGROUND, 1.5)):
        reach: Matte | float = float(np.exp(rng.uniform(np.log(narrowest), np.log(widest))))
        if careless:
            reach = reach * np.exp(0.5 * smooth_noise(rng, size, int(rng.integers(3, 9))))
        values[solid & (enlarge(_half_size_distance(solid), size) > reach)] = value
    if rng.random() < 0.12:
        # A user in a hurry: of one side, only some spots are marked.
        side = FOREGROUND if rng.random() < 0.7 else BACKGROUND
        spots = smooth_noise(rng, size, int(rng.integers(3, 10)))
        values[(values == side) & (spots < rng.uniform(0.0, 1.0))] = UNKNOWN
    if rng.random() < 0.2:
        # Islands: places that a user was not sure of, or that a tool left over.
        cells = int(rng.integers(4, 14))
        values[smooth_noise(rng, size, cells) > rng.uniform(1.2, 2.2)] = UNKNOWN
    return values


def _half_size_distance(solid: NDArray[np.bool_]) -> Colours:
    """Return the Euclidean distance to the nearest pixel outside `solid`, in its pixels, on a grid of half its size."""
    rows, columns = solid.shape[0] // 2, solid.shape[1] // 2
    blocks = solid[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).all((1, 3))
    if blocks.all():
        return np.full(blocks.shape, 2 * (rows + columns), np.float32)
    return 2 * ndimage.distance_transform_edt(blocks).astype(np.float32)
