"""Pictures and batches: read in order, faults told by name, one order of batches whoever draws them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lsa_engine.errors import DataError, FileError
from lsa_engine.inference.preparation import network_input
from lsa_engine.training.composites import ProceduralComposites
from lsa_engine.training.datasets import batch_loader, load_photos, load_sprites
from lsa_engine.training.recipe import Recipe


def test_photographs_come_as_bytes_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, level in (("b.png", 90), ("a.jpg", 30), ("c.PNG", 200)):
        Image.new("RGB", (20, 10), (level, level, level)).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    photos = load_photos(["photos"], tmp_path)
    assert [photo.shape for photo in photos] == [(10, 20, 3)] * 3
    assert all(photo.dtype == np.uint8 for photo in photos)
    assert [int(photo[0, 0, 0]) for photo in photos] == [30, 90, 200]


def test_gray_and_16_bit_photographs_are_brought_to_rgb_bytes(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 77).save(tmp_path / "gray.png")
    Image.fromarray(np.full((8, 8), 128 * 257, np.uint16)).save(tmp_path / "deep.png")
    photos = load_photos(["."], tmp_path)
    assert [photo.shape for photo in photos] == [(8, 8, 3)] * 2
    assert [int(photo[3, 3, 1]) for photo in photos] == [128, 77]


def test_sprites_are_gray_images_or_the_alpha_of_cut_outs(tmp_path: Path) -> None:
    Image.new("L", (8, 6), 77).save(tmp_path / "a.png")
    Image.new("RGBA", (8, 6), (1, 2, 3, 200)).save(tmp_path / "b.png")
    sprites = load_sprites(["."], tmp_path)
    assert [(sprite.shape, int(sprite[0, 0])) for sprite in sprites] == [((6, 8), 77), ((6, 8), 200)]


def test_the_photographs_of_scikit_image_are_there() -> None:
    photos = load_photos(["skimage"], Path("nowhere"))
    assert len(photos) >= 4
    assert all(photo.ndim == 3 and photo.shape[2] == 3 and photo.dtype == np.uint8 for photo in photos)


def test_a_missing_folder_and_an_empty_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="photos, which does not exist.*--data"):
        load_photos(["photos"], tmp_path)
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match="photos without pictures"):
        load_photos(["photos"], tmp_path)
    with pytest.raises(DataError, match="alphas, which does not exist"):
        load_sprites(["alphas"], tmp_path)


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(FileError, match=r"broken\.png"):
        load_photos(["."], tmp_path)


def recipe(workers: int) -> Recipe:
    return Recipe.parse(
        f"""
        name = "trial"
        [data]
        workers = {workers}
        [[phases]]
        steps = 3
        crop = 32
        batch = 2
        [[phases]]
        steps = 2
        crop = 40
        batch = 1
        """
    )


def test_batches_have_the_order_of_the_recipe_whoever_draws_them(training_data: Path) -> None:
    photos = load_photos(["photos"], training_data)
    composites = ProceduralComposites(photos, load_sprites(["alphas"], training_data), seed=2)
    alone = list(batch_loader(composites, recipe(0), 0))
    assert [tuple(batch.images.shape) for batch in alone] == [(2, 3, 32, 32)] * 3 + [(1, 3, 40, 40)] * 2
    for batch in alone:
        assert batch.alphas.shape == batch.trimaps.shape == (len(batch.images), 1, *batch.images.shape[2:])
        assert torch.equal(batch.inputs, network_input(batch.images.float() / 255, batch.trimaps, "priors"))
    shared = list(batch_loader(composites, recipe(2), 0))
    resumed = list(batch_loader(composites, recipe(0), 2))
    for others, first in ((shared, 0), (resumed, 2)):
        assert len(others) == 5 - first
        for batch, other in zip(alone[first:], others, strict=True):
            for part, other_part in zip(batch, other, strict=True):
                assert torch.equal(part, other_part)
    example = composites.draw(6, 40)  # three batches of two came before
    np.testing.assert_array_equal(alone[3].images[0].permute(1, 2, 0).numpy(), example.image)
