"""The sample photographs and their trimaps."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from lsa_engine import samples
from lsa_engine.errors import InputError


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_a_photograph_and_its_trimap_have_one_size_and_can_be_matted(name: str) -> None:
    image, trimap = samples.load_photograph(name), samples.load_trimap(name)
    assert image.dtype == np.uint8
    assert image.shape == (*trimap.shape, 3)
    trimap.require_known()
    assert 0.05 < trimap.unknown.mean() < 0.3


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_source_and_licence_stand_beside_the_files_which_are_small(name: str) -> None:
    folder = files("lsa_engine.samples")
    text = (folder / "README.md").read_text(encoding="utf-8")
    sample = samples.find_sample(name)
    assert f"| `{name}.jpg` | {sample.subject} | {sample.credit} | {sample.licence} |" in text
    assert sample.licence.startswith(("CC0", "Unsplash", "public domain"))
    assert sum(len((folder / f"{name}{ending}").read_bytes()) for ending in (".jpg", "_trimap.png")) < 250_000


def test_an_unknown_sample_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(InputError, match="only peacock, twigs, jellyfish, flower"):
        samples.load_photograph("unicorn")
