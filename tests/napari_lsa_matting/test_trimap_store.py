"""Trimaps kept for the case of a crash: whole or not at all, of any size, and only what has changed is written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lsa_engine.errors import FileError
from napari_lsa_matting import trimap_store
from napari_lsa_matting.trimap_store import (
    forget,
    forget_old,
    load_proposals,
    load_trimap,
    place_of,
    save_trimap,
    saved_at,
)

_KILLED = """
import os, signal, sys
import numpy as np
from pathlib import Path
import lsa_engine.image_io as image_io
from napari_lsa_matting.trimap_store import save_trimap

write, written = image_io.write_image, []

def die_at_the_second(path, pixels):
    if written:
        os.kill(os.getpid(), signal.SIGKILL)
    written.append(path)
    write(path, pixels)

image_io.write_image = die_at_the_second
save_trimap(np.load(sys.argv[1]), Path(sys.argv[2]), None, None)
"""


def stack(seed: int = 0, shape: tuple[int, ...] = (4, 20, 30)) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 3, shape, np.uint8)


def save(labels: Any, place: Path) -> bool:
    return save_trimap(labels, place, None, None)


def load(place: Path) -> NDArray[np.uint8]:
    return load_trimap(place, None, None)


def parts_of(place: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in place.glob("*.png")}


@pytest.mark.parametrize("shape", [(20, 30), (4, 20, 30), (2, 3, 20, 30)])
def test_labels_come_back_as_they_were(shape: tuple[int, ...], tmp_path: Path) -> None:
    labels = stack(shape=shape)
    labels[..., :10, :] = 2  # a part of one kind alone
    assert save(labels, tmp_path / "a")
    np.testing.assert_array_equal(load(tmp_path / "a"), labels)


def test_a_stack_of_more_pixels_than_pillow_reads_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = stack(shape=(10, 20, 30))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", labels[0].size)
    assert labels.size > 2 * labels[0].size  # where Pillow's warning becomes an error
    assert save(labels, tmp_path / "a")
    np.testing.assert_array_equal(load(tmp_path / "a"), labels)


def test_a_large_plane_is_cut_into_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trimap_store, "_PART", 200)
    labels = stack(shape=(20, 30))
    assert save(labels, tmp_path / "a")
    assert len(parts_of(tmp_path / "a")) == 3
    np.testing.assert_array_equal(load(tmp_path / "a"), labels)


def test_only_planes_that_have_changed_are_written(tmp_path: Path) -> None:
    labels = stack()
    save(labels, tmp_path / "a")
    before = parts_of(tmp_path / "a")
    labels[2, 5, 5] = (labels[2, 5, 5] + 1) % 3
    save(labels, tmp_path / "a")
    after = parts_of(tmp_path / "a")
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1
    np.testing.assert_array_equal(load(tmp_path / "a"), labels)


def test_parts_that_no_trimap_needs_are_removed_after_a_while(tmp_path: Path) -> None:
    labels, place = stack(), tmp_path / "a"
    save(labels, place)
    for name in parts_of(place):
        os.utime(place / name, (time.time() - 3600,) * 2)
    labels[2] = 0
    labels[1, 0, 0] = (labels[1, 0, 0] + 1) % 3
    save(labels, place)
    assert len(parts_of(place)) == 3
    np.testing.assert_array_equal(load(place), labels)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that cannot be caught")
def test_a_save_that_is_killed_in_the_middle_leaves_the_trimap_of_before(tmp_path: Path) -> None:
    before, place = stack(0), tmp_path / "a"
    save(before, place)
    np.save(tmp_path / "after.npy", stack(1))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "after.npy"), str(place)]
    assert subprocess.run(command, env=environment, timeout=300).returncode == -signal.SIGKILL
    assert len(parts_of(place)) == len(before) + 1
    np.testing.assert_array_equal(load(place), before)
    save(stack(1), place)
    np.testing.assert_array_equal(load(place), stack(1))


def test_neither_an_empty_trimap_nor_a_segmentation_is_kept(tmp_path: Path) -> None:
    assert not save(np.zeros((20, 30), np.uint8), tmp_path / "a")
    assert not save(np.full((20, 30), 3, np.int32), tmp_path / "a")
    assert not save(np.full((20, 30), -1, np.int32), tmp_path / "a")
    assert saved_at(tmp_path / "a") is None


def test_what_was_proposed_is_kept_beside_the_labels_and_is_nothing_where_older_versions_saved(tmp_path: Path) -> None:
    proposed = {"2": {"method": "flow", "margin": 1.0, "keys": [0, 4], "sha256": ["aa", "bb"]}}
    save_trimap(stack(), tmp_path / "a", None, None, proposed)
    assert load_proposals(tmp_path / "a") == proposed
    save_trimap(stack(), tmp_path / "a", None, None, {})
    assert load_proposals(tmp_path / "a") == {}
    index = tmp_path / "a" / "trimap.json"
    index.write_text(
        json.dumps({name: part for name, part in json.loads(index.read_text()).items() if name != "proposals"})
    )
    assert load_proposals(tmp_path / "a") == {}
    np.testing.assert_array_equal(load(tmp_path / "a"), stack())
    index.write_text("[]")
    with pytest.raises(FileError, match="discard it"):
        load_proposals(tmp_path / "a")


def test_a_damaged_trimap_is_refused_in_words(tmp_path: Path) -> None:
    save(stack(), tmp_path / "a")
    next((tmp_path / "a").glob("*.png")).unlink()
    with pytest.raises(FileError, match="discard it"):
        load(tmp_path / "a")
    forget(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="choose another cache folder"):
        save(stack(), tmp_path / "file" / "a")


def test_trimaps_of_last_month_are_forgotten(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for place in (old, new):
        save(stack(), place)
    os.utime(old / "trimap.json", (time.time() - 40 * 86400,) * 2)
    forget_old(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("shape", [(40, 50), (2000, 30), (40, 50, 3), (7, 40, 50), (30, 2, 40, 50, 4)])
def test_images_are_told_apart_by_what_is_in_them(shape: tuple[int, ...], tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    place = place_of(data, "image", tmp_path)
    assert place == place_of(data.copy(), "image", tmp_path)
    assert place != place_of(data, "other", tmp_path)
    assert place != place_of(255 - data, "image", tmp_path)
    assert place != place_of(data.astype(np.uint16), "image", tmp_path)


@pytest.mark.parametrize("shape", [(8000, 40), (20, 3000, 40), (40, 50), (40, 50, 3)])
def test_of_an_image_in_a_file_little_is_read_and_images_are_told_apart_all_the_same(
    shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zarr = pytest.importorskip("zarr")
    chunks = (1,) * (len(shape) - 2) + (100, 40) if shape[-1] == 40 else shape
    pixels = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    array, other = (zarr.array(values, chunks=chunks) for values in (pixels, 255 - pixels))
    read: set[tuple[int, ...]] = set()
    get = zarr.Array.__getitem__

    def note(array: Any, index: Any) -> Any:
        *plane, rows = index
        read.update((*plane, row // 100) for row in range(*rows.indices(shape[len(plane)])))
        return get(array, index)

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Array, "__getitem__", note)
        place = place_of(array, "image", tmp_path)
    assert place == place_of(zarr.array(pixels, chunks=chunks), "image", tmp_path)
    assert place != place_of(other, "image", tmp_path)
    assert len(read) <= 40  # chunks, of 80 and of 600
