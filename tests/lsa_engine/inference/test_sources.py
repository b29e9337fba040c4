"""Images that are read piece by piece: what fails then says so of the image, and nothing is written over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lsa_engine as lsa
from lsa_engine.network import build_network
from lsa_engine.weights import save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_weights(path, build_network("lsanet-lite").state_dict(), {"size": "lsanet-lite", "name": "random"})
    return path


class Vanishing:
    """An image on a drive that goes away after some reads."""

    def __init__(self, pixels: np.ndarray, reads: int) -> None:
        self.shape, self.dtype = pixels.shape, pixels.dtype
        self._pixels, self._left = pixels, reads

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        self._left -= 1
        if self._left < 0:
            raise OSError(107, "Transport endpoint is not connected")
        return self._pixels[key]


def test_an_image_that_can_no_longer_be_read_is_told_and_not_taken_for_the_output(weights, scene, tmp_path):
    matter = lsa.Matter(weights, device="cpu")
    matter.set_trimap(scene.trimap)
    for out in (None, tmp_path / "alpha.tif"):
        matter.set_image(Vanishing(scene.image, 1))
        with pytest.raises(lsa.FileError, match=r"The image cannot be read .*not connected.*: check"):
            matter.predict(out=out)
    assert list(tmp_path.iterdir()) == []


def test_a_matte_is_not_written_over_the_image_but_into_a_channel_beside_it(weights, scene, tmp_path):
    matter = lsa.Matter(weights, device="cpu")
    matter.set_trimap(scene.trimap)
    mapped = np.lib.format.open_memmap(tmp_path / "rgba.npy", mode="w+", dtype="f4", shape=(*scene.trimap.shape, 4))
    mapped[..., :3] = scene.image
    matter.set_image(mapped[..., :3])
    with pytest.raises(lsa.InputError, match="lies in the image's memory"):
        matter.predict(out=mapped[..., 0])
    np.testing.assert_array_equal(mapped[..., :3], scene.image)
    np.testing.assert_array_equal(matter.predict(out=mapped[..., 3]).alpha, matter.predict().alpha)


def test_a_dask_array_of_unknown_length_is_refused_with_what_to_do(weights, scene):
    array = pytest.importorskip("dask.array").from_array(scene.image)
    matter = lsa.Matter(weights, device="cpu")
    with pytest.raises(lsa.InputError, match=r"shape \(nan, .*compute_chunk_sizes"):
        matter.set_image(array[array[:, 0, 0] >= 0])
