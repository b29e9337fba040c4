"""The weights that come with the package."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

import lsa_engine as lsa
from lsa_engine.samples import load_photograph, load_trimap
from lsa_engine.training.composites import ProceduralComposites
from lsa_engine.weights import find_weights
from lsa_engine.weights.files import read_metadata

LARGEST = 10_000_000


@pytest.fixture(scope="module")
def shipped() -> lsa.Matter:
    return lsa.Matter("lsa-lite", device="cpu", dtype="float32")


def test_the_shipped_weights_are_small_and_say_what_they_are():
    path = find_weights("lsa-lite")
    metadata = read_metadata(path)
    assert path.stat().st_size <= LARGEST
    assert metadata["name"] == "lsa-lite"
    assert metadata["size"] == "lsanet-lite"
    assert metadata["licence"] == "BSD-3-Clause"
    assert '"seed":2026' in metadata["recipe"]


def test_their_model_card_lies_beside_them():
    card = resources.files("lsa_engine.weights") / "data" / "lsa-lite.md"
    text = card.read_text("utf-8")
    assert find_weights("lsa-lite").name in text
    assert lsa.available_weights()[0].sha256 in text


def test_they_matte_composites_they_have_not_seen_far_better_than_the_trimap_does(shipped):
    photograph = load_photograph()
    series = ProceduralComposites([photograph[:320, :320], photograph[320:, 320:]], [], seed=11)
    ours, middle = [], []
    for number in range(12):
        example = series.draw(number, 256)
        shipped.set_image(example.image)
        shipped.set_trimap(example.trimap)
        ours.append(lsa.evaluate(shipped.predict().alpha, example.alpha, example.trimap).mse)
        middle.append(lsa.evaluate(example.trimap, example.alpha, example.trimap).mse)
    assert np.mean(ours) < 0.45 * np.mean(middle)


def test_the_samples_beak_is_kept_and_the_wall_behind_the_crest_is_not(shipped):
    shipped.set_image(load_photograph())
    shipped.set_trimap(load_trimap())
    alpha = shipped.predict().alpha
    assert alpha[268:276, 440:470].mean() > 0.9
    assert alpha[75:110, 330:338].mean() < 0.1
