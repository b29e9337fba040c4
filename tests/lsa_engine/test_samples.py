from __future__ import annotations

from importlib.resources import files

import numpy as np

from lsa_engine import samples


def test_the_photograph_and_its_trimap_have_the_same_size() -> None:
    image, trimap = samples.load_photograph(), samples.load_trimap()
    assert image.dtype == np.uint8 and image.shape[2] == 3
    assert trimap.shape == image.shape[:2]


def test_the_trimap_leaves_something_to_do_and_knows_both_sides() -> None:
    trimap = samples.load_trimap()
    for region in (trimap.foreground, trimap.unknown, trimap.background):
        assert region.mean() > 0.02


def test_source_and_licence_of_the_photograph_come_with_it() -> None:
    text = (files("lsa_engine.samples") / "README.md").read_text(encoding="utf-8")
    assert samples.PHOTOGRAPH in text and "icence" in text
