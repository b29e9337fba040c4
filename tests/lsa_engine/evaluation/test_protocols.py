from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsa_engine.errors import Cancelled, DataError, FileError, InputError
from lsa_engine.evaluation.metrics import evaluate
from lsa_engine.evaluation.protocols import Row, evaluate_method, evaluate_predictions, find_cases
from lsa_engine.progress import CancelToken, Progress
from lsa_engine.trimap import Trimap


def truth(seed: int) -> np.ndarray:
    """A soft edge somewhere in a picture of 12 × 16."""
    return np.broadcast_to(np.clip((np.arange(16) - 5 - seed) * 40, 0, 255), (12, 16)).astype(np.uint8)


def trimap_of(alpha: np.ndarray, palette: bool = False) -> Image.Image:
    unknown = (alpha > 0) & (alpha < 255)
    values = np.where(unknown, 128, alpha).astype(np.uint8)
    image = Image.fromarray(values)
    return image.convert("P", palette=Image.Palette.ADAPTIVE, colors=3) if palette else image


def make_data(root: Path, trimaps: tuple[str, ...] = ("trimap",), names: tuple[str, ...] = ("b2", "b10", "a")) -> Path:
    for folder in ("image", "alpha", *trimaps):
        (root / folder).mkdir(parents=True)
    for seed, name in enumerate(names):
        Image.fromarray(np.repeat(truth(seed)[..., None], 3, axis=2)).save(root / "image" / f"{name}.png")
        Image.fromarray(truth(seed)).save(root / "alpha" / f"{name}.tif")
        for trimap in trimaps:
            trimap_of(truth(seed), palette=trimap == "trimap2").save(root / trimap / f"{name}.png")
    return root


def red_of(image: np.ndarray, trimap: Trimap) -> np.ndarray:
    """A method that is right, since these images show their alpha."""
    assert trimap.shape == image.shape[:2]
    return image[..., 0]


def test_a_folder_of_ones_own_gives_a_case_for_every_name(tmp_path: Path) -> None:
    cases = find_cases(make_data(tmp_path / "mine"))
    assert [(case.name, case.trimap_name) for case in cases] == [("a", "trimap"), ("b2", "trimap"), ("b10", "trimap")]
    assert cases[1].image == tmp_path / "mine" / "image" / "b2.png"
    assert cases[1].alpha == tmp_path / "mine" / "alpha" / "b2.tif"
    assert cases[1].trimap == tmp_path / "mine" / "trimap" / "b2.png"


def test_numbered_trimap_folders_give_a_case_each_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    cases = find_cases(make_data(tmp_path, ("trimap10", "trimap2", "trimap1"), ("GT02", "GT11")))
    assert [str(case) for case in cases] == [f"trimap{k}/{name}" for k in (1, 2, 10) for name in ("GT02", "GT11")]


def test_other_files_and_folders_beside_the_data_do_not_disturb(tmp_path: Path) -> None:
    make_data(tmp_path)
    (tmp_path / "README.md").write_text("notes")
    (tmp_path / "trimap_old").mkdir()
    (tmp_path / "image" / ".hidden.png").write_bytes(b"")
    (tmp_path / "image" / "Thumbs.db").write_bytes(b"")
    assert len(find_cases(tmp_path)) == 3


def test_everything_missing_is_listed_in_one_error(tmp_path: Path) -> None:
    make_data(tmp_path, ("trimap1", "trimap2"))
    (tmp_path / "alpha" / "a.tif").unlink()
    (tmp_path / "trimap2" / "b10.png").unlink()
    (tmp_path / "trimap2" / "extra.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        find_cases(tmp_path)
    said = str(caught.value)
    assert str(tmp_path) in said
    assert "image/, alpha/, trimap1/, trimap2/" in said
    for missing in ("alpha/a.*", "trimap2/b10.*", "image/extra.*", "alpha/extra.*", "trimap1/extra.*"):
        assert missing in said
    for present in ("alpha/b10.*", "trimap1/a.*", "trimap2/extra.*"):
        assert present not in said


def test_a_missing_folder_is_named_once_and_not_for_every_file(tmp_path: Path) -> None:
    make_data(tmp_path, ())
    with pytest.raises(DataError, match=r"did not find the folder trimap/: add"):
        find_cases(tmp_path)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    make_data(tmp_path)
    for path in (tmp_path / "alpha").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"did not find any image in alpha/: add"):
        find_cases(tmp_path)


def test_a_long_list_of_what_is_missing_is_cut_and_counted(tmp_path: Path) -> None:
    make_data(tmp_path, names=tuple(f"n{k}" for k in range(20)))
    for k in range(15):
        (tmp_path / "alpha" / f"n{k}.tif").unlink()
    with pytest.raises(DataError, match=r"alpha/n7\.\* and 7 more:"):
        find_cases(tmp_path)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    make_data(tmp_path)
    (tmp_path / "image" / "a.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"a single image/a\.\* \(there are a\.jpg and a\.png\)"):
        find_cases(tmp_path)


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is not a folder"):
        find_cases(tmp_path / "nowhere")


def test_a_method_gets_each_image_and_trimap_and_is_scored_on_each(tmp_path: Path) -> None:
    cases = find_cases(make_data(tmp_path, ("trimap1", "trimap2")))
    seen: list[Progress] = []
    rows = evaluate_method(cases, red_of, method="red", progress=seen.append)
    assert [(row.method, row.image, row.trimap) for row in rows] == [
        ("red", name, trimap) for trimap in ("trimap1", "trimap2") for name in ("a", "b2", "b10")
    ]
    assert all(row.scores.sad == row.scores.mse == row.scores.grad == row.scores.conn == 0 for row in rows)
    assert all(row.scores.unknown_pixels == 12 * 6 and row.seconds >= 0 for row in rows)
    assert [step.done for step in seen] == list(range(7))


def test_the_scores_of_a_case_are_those_of_its_own_files(tmp_path: Path) -> None:
    cases = find_cases(make_data(tmp_path))
    rows = evaluate_method(cases, lambda image, trimap: np.full(trimap.shape, 0.25))
    for row, seed in zip(rows, (2, 0, 1), strict=True):
        expected = evaluate(np.full((12, 16), 0.25), truth(seed), np.asarray(trimap_of(truth(seed))))
        assert row.scores == expected
        assert row.scores.sad > 0


def test_an_alpha_that_does_not_fit_is_refused_with_the_case_named(tmp_path: Path) -> None:
    cases = find_cases(make_data(tmp_path))
    with pytest.raises(InputError, match=r"^trimap/a: alpha has shape \(11, 16\)"):
        evaluate_method(cases, lambda image, trimap: image[1:, :, 0])


def test_a_broken_file_is_refused_when_its_case_comes(tmp_path: Path) -> None:
    cases = find_cases(make_data(tmp_path))
    cases[1].image.write_bytes(cases[1].image.read_bytes()[:40])
    with pytest.raises(FileError, match=r"b2\.png"):
        evaluate_method(cases, red_of)


def test_cancelling_stops_between_cases(tmp_path: Path) -> None:
    cases = find_cases(make_data(tmp_path))
    token, calls = CancelToken(), []

    def predict(image: np.ndarray, trimap: Trimap) -> np.ndarray:
        calls.append(1)
        token.cancel()
        return image[..., 0]

    with pytest.raises(Cancelled):
        evaluate_method(cases, predict, cancel=token)
    assert len(calls) == 1


def test_no_cases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No cases"):
        evaluate_method([], red_of)


def test_stored_mattes_are_found_by_trimap_folder_and_name(tmp_path: Path) -> None:
    cases = find_cases(make_data(tmp_path / "data", ("trimap1", "trimap2"), ("a", "b")))
    for k, trimap in enumerate(("trimap1", "trimap2")):
        (tmp_path / "ours" / trimap).mkdir(parents=True)
        for seed, name in enumerate(("a", "b")):
            Image.fromarray(truth(seed) // (k + 1)).save(tmp_path / "ours" / trimap / f"{name}.png")
    rows = evaluate_predictions(cases, tmp_path / "ours")
    assert [(row.method, row.trimap, row.image, row.seconds) for row in rows] == [
        ("ours", "trimap1", "a", None),
        ("ours", "trimap1", "b", None),
        ("ours", "trimap2", "a", None),
        ("ours", "trimap2", "b", None),
    ]
    assert [row.scores.sad == 0 for row in rows] == [True, True, False, False]


def test_stored_mattes_may_lie_in_the_folder_itself_where_there_is_one_trimap(tmp_path: Path) -> None:
    cases = find_cases(make_data(tmp_path / "data"))
    rows = evaluate_predictions(cases, tmp_path / "data" / "alpha", method="truth")
    assert [row.method for row in rows] == ["truth"] * 3
    assert {row.scores.mse for row in rows} == {0.0}


def test_missing_mattes_are_listed_in_one_error(tmp_path: Path) -> None:
    cases = find_cases(make_data(tmp_path / "data", ("trimap1", "trimap2"), ("a", "b")))
    (tmp_path / "ours" / "trimap2").mkdir(parents=True)
    Image.fromarray(truth(0)).save(tmp_path / "ours" / "trimap2" / "a.png")
    with pytest.raises(DataError, match=r"the 4 cases.*did not find the folder trimap1/, trimap2/b\.\*: make"):
        evaluate_predictions(cases, tmp_path / "ours")
    with pytest.raises(DataError, match="nothing is not a folder"):
        evaluate_predictions(cases, tmp_path / "nothing")


def test_rows_can_be_compared_and_used_in_sets(tmp_path: Path) -> None:
    scores = evaluate(truth(0), truth(0), np.asarray(trimap_of(truth(0))))
    assert len({Row("m", "a", "trimap", scores, None), Row("m", "a", "trimap", scores, None)}) == 1
