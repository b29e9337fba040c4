"""What a viewer remembers between runs."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from lsa_engine.errors import WeightsError
from napari_lsa_matting.session import Session, session_of


def test_the_network_is_loaded_once(random_weights: str) -> None:
    session = Session()
    with session.matter(random_weights, "cpu") as first:
        pass
    with session.matter(random_weights, "cpu") as second:
        assert second is first


def test_other_weights_replace_the_network_and_free_the_old_one(random_weights: str, user_weights_folder: Path) -> None:
    shutil.copy(user_weights_folder / f"{random_weights}.safetensors", user_weights_folder / "other.safetensors")
    session = Session()
    with session.matter(random_weights, "cpu") as first:
        first.set_image(np.zeros((8, 8), np.uint8))
    with session.matter("other", "cpu") as second:
        assert second is not first
    with pytest.raises(Exception, match="closed"):
        first.set_trimap(np.resize(np.array([0, 128, 255], np.uint8), (8, 8)))
        first.set_image(np.zeros((8, 8), np.uint8))
        first.predict()


def test_a_file_written_anew_is_loaded_anew(random_weights_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    shutil.copy(random_weights_file, path)
    session = Session()
    with session.matter(str(path), "cpu") as first:
        pass
    shutil.copy(random_weights_file, path)
    with session.matter(str(path), "cpu") as second:
        assert second is not first


def test_unknown_weights_leave_the_network_in_use(random_weights: str) -> None:
    session = Session()
    with session.matter(random_weights, "cpu") as first:
        pass
    with pytest.raises(WeightsError, match="nowhere"), session.matter("nowhere", "cpu"):
        pass
    with session.matter(random_weights, "cpu") as again:
        assert again is first


def test_two_viewers_do_not_mix_and_proxies_stand_for_their_viewer() -> None:
    first, second = ViewerModel(), ViewerModel()
    assert session_of(first) is session_of(PublicOnlyProxy(first))
    assert session_of(first) is not session_of(second)


def test_a_session_ends_with_its_viewer() -> None:
    viewer = ViewerModel()
    # Without a name, napari looks for one in this frame's variables, and so keeps them alive.
    image = viewer.add_image(np.zeros((4, 4)), name="image")
    alpha = viewer.add_image(np.zeros((4, 4)), name="alpha")
    session = session_of(viewer)
    session.remember_output(image, "alpha", alpha)
    assert session.output(image, "alpha") is alpha
    gone = weakref.ref(session)
    del viewer, image, alpha, session
    gc.collect()
    assert gone() is None
