"""Real foregrounds: refined once, kept by content, composed with what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lsa_engine.errors import DataError
from lsa_engine.foreground import refine_foreground
from lsa_engine.image_io import write_image, write_rgba
from lsa_engine.training import foreground_cache as room
from lsa_engine.training.colours import cutout_crop
from lsa_engine.training.composites import ProceduralComposites
from lsa_engine.training.foreground_cache import foreground_cache, load_foregrounds


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with two cut-outs, and a cache of its own."""
    monkeypatch.setenv("LSA_CACHE_DIR", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    (tmp_path / "mine").mkdir()
    for name in ("a", "b"):
        write_rgba(tmp_path / "mine" / f"{name}.png", rng.integers(0, 256, (40, 50, 4), dtype=np.uint8))
    return tmp_path


def refuse(*_: object, **__: object) -> None:
    pytest.fail("It was refined again.")


@pytest.mark.parametrize("method", ["multigrid", "paper"])
def test_foregrounds_are_refined_once_and_then_read(data: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    given = load_foregrounds(["mine"], data, "none")
    refined = load_foregrounds(["mine"], data, method)
    for before, after in zip(given, refined, strict=True):
        np.testing.assert_array_equal(after[..., 3], before[..., 3])
        expected = refine_foreground(before[..., :3], before[..., 3], method=method)
        np.testing.assert_array_equal(after[..., :3], expected)
    assert len(list(foreground_cache().iterdir())) == 2

    monkeypatch.setattr(room, "refine_foreground", refuse)
    (data / "mine" / "a.png").rename(data / "mine" / "renamed.png")
    again = load_foregrounds(["mine"], data, method)
    assert sorted(array.tobytes() for array in again) == sorted(array.tobytes() for array in refined)


def test_another_content_or_method_is_another_entry(data: Path) -> None:
    load_foregrounds(["mine"], data, "multigrid")
    load_foregrounds(["mine"], data, "paper")
    write_rgba(data / "mine" / "a.png", np.full((40, 50, 4), 9, np.uint8))
    load_foregrounds(["mine"], data, "paper")
    assert len(list(foreground_cache().iterdir())) == 5


def test_16_bits_become_8(data: Path) -> None:
    write_rgba(data / "mine" / "a.png", np.full((4, 4, 4), 128 * 257, np.uint16))
    assert load_foregrounds(["mine"], data, "none")[0].max() == 128


def test_a_picture_without_alpha_is_refused_by_name(data: Path) -> None:
    write_image(data / "mine" / "c.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r"c.png of shape \(4, 4, 3\), expected an RGBA cut-out"):
        load_foregrounds(["mine"], data)


def halves(size: int = 64) -> np.ndarray:
    """A cut-out: red and opaque on the left, soft in the middle; green where nothing is seen."""
    cutout = np.zeros((size, size, 4), np.uint8)
    cutout[..., 0] = 255
    cutout[..., 3] = np.clip(np.linspace(400, -150, size), 0, 255)
    cutout[cutout[..., 3] == 0] = (0, 255, 0, 0)
    return cutout


def test_colours_and_alpha_of_a_part_belong_together() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        colours, alpha = cutout_crop(rng, halves(), 48)
        assert colours.shape == (48, 48, 3)
        assert alpha.shape == (48, 48)
        assert colours[alpha > 0.1].min(0)[0] > 0.5


def test_examples_take_their_share_of_real_foregrounds_and_the_others_stay_as_they_are() -> None:
    photos = [np.random.default_rng(1).integers(0, 100, (80, 90, 3), dtype=np.uint8)]
    plain = ProceduralComposites(photos, [], 5)
    mixed = ProceduralComposites(photos, [], 5, [halves()], 0.5)
    same = []
    for number in range(40):
        ours, theirs = mixed.draw(number, 64), plain.draw(number, 64)
        same.append(np.array_equal(ours.image, theirs.image))
        again = mixed.draw(number, 64)
        np.testing.assert_array_equal(again.image, ours.image)
    assert 10 < sum(same) < 30
    real = mixed.draw(same.index(False), 64)
    opaque = real.image[real.alpha == 255].astype(int)
    assert (opaque[:, 0] - opaque[:, 1]).mean() > 60
