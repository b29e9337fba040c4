"""Pictures and batches for training: folders read once, examples drawn by worker processes in a fixed order."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from lsa_engine.errors import DataError
from lsa_engine.image_io import as_alpha, as_float_image, read_image
from lsa_engine.image_io.folders import PICTURE_SUFFIXES, pictures_in
from lsa_engine.inference.preparation import network_input
from lsa_engine.network import SIZES
from lsa_engine.training.composites import PLAIN, ProceduralComposites, Style
from lsa_engine.training.recipe import Recipe

Bytes = NDArray[np.uint8]


class Batch(NamedTuple):
    """N examples: what the network sees (N, K, H, W) float32, and (N, 3 or 1, H, W) uint8 that it is made of."""

    inputs: Tensor
    images: Tensor
    alphas: Tensor
    trimaps: Tensor


_SKIMAGE_PHOTOS = (
    "astronaut",
    "cat",
    "coffee",
    "rocket",
    "hubble_deep_field",
    "immunohistochemistry",
    "retina",
    "colorwheel",
)


def load_photos(folders: Sequence[str], root: Path) -> list[Bytes]:
    """Return the photographs of some folders under `root`, each (H, W, 3) uint8, in the order of their names.

    Raises
    ------
    DataError
        If a folder is missing or holds no picture.
    """
    photos = []
    for folder in folders:
        if folder == "skimage":
            photos += _skimage_photos()
        else:
            photos += [
                as_bytes(as_float_image(read_image(path), name=str(path))) for path in list_pictures(root / folder)
            ]
    return photos


def load_sprites(folders: Sequence[str], root: Path) -> list[Bytes]:
    """Return the mattes of some folders under `root`, each (H, W) uint8.

    Raises
    ------
    DataError
        If a folder is missing or holds no picture.
    """
    sprites = []
    for folder in folders:
        for path in list_pictures(root / folder):
            pixels = read_image(path)
            sprites.append(as_bytes(as_alpha(pixels if pixels.ndim == 2 else pixels[..., -1], name=str(path))))
    return sprites


def list_pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder, by name.

    Raises
    ------
    DataError
        If it is missing or holds none.
    """
    if not folder.is_dir():
        raise DataError(
            f"Got data folder {folder}, which does not exist, expected a folder of pictures; "
            "name the folder that holds it with --data."
        )
    paths = pictures_in(folder)
    if not paths:
        raise DataError(
            f"Got data folder {folder} without pictures, expected {', '.join(sorted(PICTURE_SUFFIXES))} files; fill it."
        )
    return paths


def _skimage_photos() -> list[Bytes]:
    from skimage import data

    folder = Path(data.__file__).parent
    found = [
        path for name in _SKIMAGE_PHOTOS for path in sorted(folder.glob(f"{name}.*")) if path.suffix in PICTURE_SUFFIXES
    ]
    photos = [read_image(path) for path in found]
    return [np.ascontiguousarray(photo[..., :3]) for photo in photos if photo.ndim == 3]


def as_bytes(values: NDArray[np.float32]) -> Bytes:
    """Return numbers in [0, 1] as the nearest of 256 levels."""
    return np.round(values * 255).astype(np.uint8)


class BatchSeries(IterableDataset[Batch]):
    """The batches of a recipe from one step on, in order, shared out among worker processes by turns.

    A batch is drawn from the numbers of its examples alone, so a run that is resumed sees what an uninterrupted one
    sees.
    """

    def __init__(self, composites: ProceduralComposites, recipe: Recipe, first_step: int) -> None:
        self._composites = composites
        self._recipe = recipe
        self._first_step = first_step

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        offset, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        for step in range(self._first_step + offset, self._recipe.steps, stride):
            phase, used = self._recipe.phase_at(step)
            style = Style(phase.parts, phase.wide_share, phase.wide_reach, phase.gray_share)
            numbers = range(used, used + phase.batch)
            yield stack_examples(self._composites, numbers, phase.crop, SIZES[self._recipe.size].guidance, style)


def stack_examples(
    composites: ProceduralComposites, numbers: range, size: int, guidance: str, style: Style = PLAIN
) -> Batch:
    """Return the examples of these numbers, with the input of a network with this guidance."""
    examples = [composites.draw(number, size, style) for number in numbers]
    images = torch.from_numpy(np.stack([example.image for example in examples])).permute(0, 3, 1, 2)
    alphas = torch.from_numpy(np.stack([example.alpha for example in examples]))[:, None]
    trimaps = torch.from_numpy(np.stack([example.trimap for example in examples]))[:, None]
    return Batch(network_input(images.float() / 255, trimaps, guidance), images, alphas, trimaps)


def batch_loader(composites: ProceduralComposites, recipe: Recipe, first_step: int) -> DataLoader[Batch]:
    """Return an iterable over the batches of a recipe from `first_step` on."""
    workers = recipe.data.workers
    return DataLoader(
        BatchSeries(composites, recipe, first_step),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_prepare_worker if workers else None,
        generator=torch.Generator(),  # its own, so that making a loader does not move torch's random state
    )


def _prepare_worker(_: int) -> None:
    """Leave the cores to training, and requests to stop, which a terminal sends to the whole group, to the run."""
    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
