"""What benchmarks compute on: the sample photographs, and the cases of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import lsa_engine as lsa
from lsa_engine.evaluation import find_cases
from lsa_engine.image_io import read_alpha, read_image, read_trimap
from lsa_engine.samples import SAMPLES, load_photograph, load_trimap


class Picture(NamedTuple):
    """An image (H, W, 3) as it is stored, its trimap, and its true alpha where that is known."""

    name: str
    image: NDArray[Any]
    trimap: lsa.Trimap
    truth: NDArray[np.float32] | None


def pictures(folder: Path | None) -> Iterator[Picture]:
    """Yield the samples, and the images of a data set's first trimap (`lsa evaluate` says how it is laid out)."""
    for name in SAMPLES:
        yield Picture(name, load_photograph(name), load_trimap(name), None)
    cases = [] if folder is None else find_cases(folder)
    for case in cases:
        if case.trimap_name == cases[0].trimap_name:
            image = np.ascontiguousarray(read_image(case.image)[..., :3])
            yield Picture(case.name, image, read_trimap(case.trimap), read_alpha(case.alpha))
