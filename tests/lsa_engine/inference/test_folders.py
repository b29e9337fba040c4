"""Mattes of a folder: as single calls make them, each once, and none damaged."""

from __future__ import annotations

import csv
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import lsa_engine as lsa
from lsa_engine.errors import Cancelled, DataError, FileError, InputError
from lsa_engine.image_io import read_alpha, read_image, read_trimap, write_alpha, write_image
from lsa_engine.inference import folder_run, folders
from lsa_engine.inference.files import cut_out
from lsa_engine.inference.folders import RECORD, MattedFile, MattePair, find_pairs, matte_files
from lsa_engine.network import build_network
from lsa_engine.progress import CancelToken, Progress
from lsa_engine.weights import save_weights

NAMES = ["a.png", "b c.tif", "Ä 画像.jpg"]


@pytest.fixture(scope="module")
def matter(tmp_path_factory: pytest.TempPathFactory) -> lsa.Matter:
    """The small network with random weights."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("random") / "random.safetensors"
    save_weights(path, build_network("lsanet-lite").state_dict(), {"size": "lsanet-lite", "name": "random"})
    return lsa.Matter(path, device="cpu", dtype="float32")


@pytest.fixture
def data(tmp_path: Path, scene) -> Path:
    """A folder with images/ and trimaps/, three of each, of different sizes."""
    (tmp_path / "images").mkdir()
    (tmp_path / "trimaps").mkdir()
    for number, name in enumerate(NAMES):
        rows = 48 - number
        image = np.roll(scene.image, number, 1)[:rows]
        if name.endswith(".jpg"):
            from PIL import Image

            Image.fromarray((image * 255).astype(np.uint8)).save(tmp_path / "images" / name)
        else:
            write_image(tmp_path / "images" / name, image, bits=16)
        write_alpha(tmp_path / "trimaps" / f"{Path(name).stem}.png", scene.trimap[:rows], bits=8)
    return tmp_path


def run(data: Path, matter: lsa.Matter, **options) -> list[MattedFile]:
    pairs = find_pairs(data / "images", data / "trimaps")
    return matte_files(pairs, data / "out", **{"weights": matter, **options})


def rows(data: Path) -> list[dict[str, str]]:
    with (data / "out" / RECORD).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tta": 8},
        {"refinement": lsa.Refinement(method="paper", iterations=3, learning_rate=1.0)},
        {"method": "knn"},
    ],
    ids=["plain", "tta", "refined", "classical"],
)
def test_each_matte_is_what_a_single_call_gives(options, data: Path, matter: lsa.Matter) -> None:
    files = run(data, matter, suffix=".tif", **options)
    assert [(file.name, file.status) for file in files] == [
        ("a.tif", "done"),
        ("b c.tif", "done"),
        ("Ä 画像.tif", "done"),
    ]
    for name, file in zip(NAMES, files, strict=True):
        image = read_image(data / "images" / name)
        trimap = read_trimap(data / "trimaps" / f"{Path(name).stem}.png")
        single = lsa.matte(image, trimap, weights=matter, **options)
        np.testing.assert_allclose(read_alpha(data / "out" / file.name), single.alpha, atol=1e-4)
        assert (file.height, file.width) == trimap.shape
        assert file.unknown == trimap.unknown.sum()


def test_cut_outs_and_reports_are_written_beside_the_mattes(data: Path, matter: lsa.Matter) -> None:
    files = run(data, matter, bits=8, cutouts=data / "cut", reports=data / "new" / "reports")
    image, alpha = (
        read_image(data / "images" / "a.png"),
        lsa.matte(read_image(data / "images" / "a.png"), read_trimap(data / "trimaps" / "a.png"), weights=matter).alpha,
    )
    rgba = read_image(data / "cut" / "a.png")
    assert rgba.dtype == read_image(data / "out" / "a.png").dtype == np.uint8
    np.testing.assert_allclose(rgba / 255, cut_out(image, alpha), atol=0.51 / 255)
    report = json.loads((data / "new" / "reports" / "Ä 画像.json").read_text(encoding="utf-8"))
    assert (report["weights"], report["image_shape"]) == ("random", [46, 64])
    assert files[0].cutout == str(data / "cut" / "a.png")


def test_the_record_has_one_line_an_image_that_other_programs_read(data: Path, matter: lsa.Matter) -> None:
    (data / "trimaps" / "b c.png").unlink()
    run(data, matter)
    a, b, c = rows(data)
    assert (a["name"], a["image"], a["height"], a["width"]) == ("a.png", "a.png", "48", "64")
    assert (a["method"], a["weights"], a["weights_sha256"]) == ("network", "random", matter.weights_sha256)
    assert int(a["unknown"]) > 100 and float(a["seconds"]) > 0
    assert (a["status"], c["status"], c["image"]) == ("done", "done", "Ä 画像.jpg")
    assert "no trimap with the name of b c.tif" in b["status"]
    assert b["unknown"] == ""


def test_a_classical_method_takes_no_settings_of_the_network(data: Path) -> None:
    with pytest.raises(InputError, match="'knn' with dtype, tiles"):
        matte_files(find_pairs(data / "images", data / "trimaps"), data / "out", method="knn", dtype="float16", tiles=3)
    assert not (data / "out").exists()


def test_an_image_that_a_classical_method_cannot_do_leaves_the_others_done(data: Path, matter: lsa.Matter) -> None:
    write_image(data / "images" / "a.png", np.random.default_rng(0).random((3, 3, 3), np.float32), bits=8)
    write_alpha(data / "trimaps" / "a.png", np.array([[0, 0.5, 1]] * 3, np.float32), bits=8)
    files = run(data, matter, method="knn")
    assert [file.failed for file in files] == [True, False, False]
    assert "3 × 3 pixels for which method 'knn'" in rows(data)[0]["status"]
    assert [row["status"] for row in rows(data)[1:]] == ["done", "done"]


def test_a_second_call_keeps_what_is_done_and_redoes_what_has_changed(data: Path, matter: lsa.Matter, scene) -> None:
    run(data, matter)
    before = times(data / "out")
    again = run(data, matter)
    assert [file.status for file in again] == ["kept"] * 3
    assert again[0].unknown is not None
    assert times(data / "out") == before

    (data / "out" / "b c.png").unlink()
    write_alpha(data / "trimaps" / "a.png", np.roll(scene.trimap, 1, 0), bits=8)
    assert [file.status for file in run(data, matter)] == ["done", "done", "kept"]
    assert len(rows(data)) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"tta": 8},
        {"bits": 8},
        {"data_range": (0.0, 0.5)},
        {"method": "knn"},
        {"cutouts": "cut"},
        {"ignore_alpha": True},
    ],
)
def test_other_settings_make_all_anew(changed, data: Path, matter: lsa.Matter, monkeypatch) -> None:
    monkeypatch.chdir(data)
    run(data, matter)
    assert [file.status for file in run(data, matter, **changed)] == ["done"] * 3
    assert [file.status for file in run(data, matter, **changed)] == ["kept"] * 3


def test_mattes_are_kept_where_the_cut_outs_beside_them_are_not_asked_for_again(data: Path, matter: lsa.Matter) -> None:
    run(data, matter, cutouts=data / "cut")
    assert [file.status for file in run(data, matter)] == ["kept"] * 3
    assert [file.status for file in run(data, matter, cutouts=data / "cut")] == ["kept"] * 3
    (data / "cut" / "a.png").unlink()
    assert [file.status for file in run(data, matter, cutouts=data / "cut")] == ["done", "kept", "kept"]
    assert [file.status for file in run(data, matter, cutouts=data / "other")] == ["done"] * 3


def test_other_weights_make_all_anew(data: Path, matter: lsa.Matter, tmp_path: Path) -> None:
    run(data, matter)
    other = tmp_path / "random.safetensors"
    save_weights(other, build_network("lsanet-lite").state_dict(), {"size": "lsanet-lite", "name": "random"})
    files = run(data, matter, weights=other, device="cpu", dtype="float32")
    assert [file.status for file in files] == ["done"] * 3


def test_one_that_fails_does_not_stop_the_others(data: Path, matter: lsa.Matter, scene) -> None:
    (data / "images" / "a.png").write_bytes(b"no picture")
    write_alpha(data / "trimaps" / "b c.png", scene.trimap[:20], bits=8)
    write_alpha(data / "trimaps" / "d.png", np.where(scene.trimap == 255, 128, scene.trimap), bits=8)
    write_image(data / "images" / "d.png", scene.image)
    told: list[MattedFile] = []
    files = run(data, matter, each=told.append)
    assert told == files
    assert [file.failed for file in files] == [True, True, True, False]
    for file, said in zip(files, ("a.png is not an image", "20 × 64", "foreground"), strict=False):
        assert said in file.status
    assert sorted(path.name for path in (data / "out").iterdir()) == [RECORD, "Ä 画像.png"]

    # Put right, they are done, and the other is kept.
    write_image(data / "images" / "a.png", scene.image)
    assert [file.status for file in run(data, matter) if not file.failed] == ["done", "kept"]


def test_a_lack_of_memory_is_one_images_failure(data: Path, matter: lsa.Matter, monkeypatch) -> None:
    compute = folders.matte

    def scarce(image, trimap, **options):
        if len(image) == 47:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.\nmore")
        return compute(image, trimap, **options)

    monkeypatch.setattr(folders, "matte", scarce)
    files = run(data, matter)
    assert [file.failed for file in files] == [False, True, False]
    assert files[1].status.startswith("There is not enough memory for this image (DefaultCPUAllocator")
    assert "\n" not in files[1].status


def test_the_next_is_read_and_the_last_is_written_while_one_is_computed(
    data: Path, matter: lsa.Matter, monkeypatch
) -> None:
    compute, read, write = folders.matte, folder_run.read_trimap, folder_run.write_result
    both = threading.Barrier(3, timeout=300)

    def meeting(image, trimap, **options):
        if len(image) == 47:
            both.wait()
        return compute(image, trimap, **options)

    def read_last(path):
        if path.stem == "Ä 画像":
            both.wait()
        return read(path)

    def write_first(files, *arguments, **options):
        if files.alpha.stem == "a":
            both.wait()
        return write(files, *arguments, **options)

    monkeypatch.setattr(folders, "matte", meeting)
    monkeypatch.setattr(folder_run, "read_trimap", read_last)
    monkeypatch.setattr(folder_run, "write_result", write_first)
    # Broken by its timeout, the barrier would raise in each of them.
    assert [file.status for file in run(data, matter)] == ["done"] * 3


def test_progress_grows_to_the_whole_within_images_too_and_cancelling_keeps_what_is_written(
    data: Path, matter: lsa.Matter
) -> None:
    seen: list[Progress] = []
    run(data, matter, progress=seen.append, cutouts=data / "cut")
    fractions = [step.fraction for step in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert len({round(fraction, 2) for fraction in fractions}) > 20
    assert any("b c.tif, matting" in step.message for step in seen)

    token = CancelToken()

    def stop(step: Progress) -> None:
        if step.fraction > 0.5:
            token.cancel()

    with pytest.raises(Cancelled):
        run(data, matter, progress=stop, cancel=token, cutouts=data / "cut", bits=8)
    assert [row["settings"] for row in rows(data)] == ["float32 bits=8", *["float32 bits=16"] * 2]
    statuses = [file.status for file in run(data, matter, cutouts=data / "cut", bits=8)]
    assert statuses == ["kept", "done", "done"]


def test_ctrl_c_leaves_whole_files_and_a_record_of_them(data: Path, matter: lsa.Matter, monkeypatch) -> None:
    compute = folders.matte

    def interrupted(image, trimap, **options):
        if len(image) == 46:
            raise KeyboardInterrupt
        return compute(image, trimap, **options)

    with monkeypatch.context() as patch:
        patch.setattr(folders, "matte", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(data, matter)
    assert sorted(path.name for path in (data / "out").iterdir()) == ["a.png", "b c.png", RECORD]
    assert [row["status"] for row in rows(data)] == ["done", "done"]
    assert [file.status for file in run(data, matter)] == ["kept", "kept", "done"]


def test_files_killed_between_record_and_matte_are_known_and_done_again(
    data: Path, matter: lsa.Matter, monkeypatch
) -> None:
    run(data, matter)

    def killed(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(folder_run, "write_result", killed)
        with pytest.raises(SystemExit):
            run(data, matter, bits=8)
    assert rows(data)[0]["status"] == "begun"
    (data / "out" / ".0123456789abcdef.part.png").write_bytes(b"half")
    assert [file.status for file in run(data, matter, bits=8)] == ["done"] * 3
    assert read_image(data / "out" / "a.png").dtype == np.uint8
    assert len(list((data / "out").iterdir())) == 4


def test_files_of_others_and_the_sources_are_not_replaced(data: Path, matter: lsa.Matter) -> None:
    (data / "out").mkdir()
    write_image(data / "out" / "a.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(FileError, match=r"1 files that this command did not put there \(a.png\)"):
        run(data, matter)
    (data / "out" / "a.png").unlink()
    (data / "cut").mkdir()
    (data / "cut" / "b c.png").write_bytes(b"mine")
    with pytest.raises(FileError, match=r"cut already holds 1 files"):
        run(data, matter, cutouts=data / "cut")
    for folder in ("images", "trimaps"):
        with pytest.raises(FileError, match="holds images or trimaps that are read"):
            run(data, matter, cutouts=data / folder)
    with pytest.raises(FileError, match="name two folders"):
        run(data, matter, cutouts=data / "out")
    assert not any((data / "out").iterdir())


def test_settings_that_do_not_fit_are_refused_before_anything_is_written(data: Path, matter: lsa.Matter) -> None:
    for options in (
        {"bits": 12},
        {"suffix": ".jpg"},
        {"tta": 3},
        {"method": "magic"},
        {"method": "knn", "tta": 8},
    ):
        with pytest.raises((InputError, FileError)):
            run(data, matter, **options)
    assert not (data / "out").exists()


def test_what_does_not_match_is_told_in_one_sentence(data: Path, matter: lsa.Matter) -> None:
    for path in (data / "trimaps").iterdir():
        path.rename(path.with_stem(f"{path.stem}_trimap"))
    with pytest.raises(DataError, match=r"No image in .* \(images: .*a, .*; trimaps: .*a_trimap"):
        find_pairs(data / "images", data / "trimaps")
    missing = MattePair(data / "images" / "nowhere.png", data / "trimaps" / "a_trimap.png")
    (file,) = matte_files([missing], data / "out", weights=matter)
    assert file.status.startswith("There is no file")
    with pytest.raises(DataError, match="1 mattes would share a name"):
        matte_files([missing, missing], data / "out", weights=matter)


def test_a_matter_that_was_given_stays_open(data: Path, matter: lsa.Matter) -> None:
    run(data, matter)
    matter.predict()
