"""Scripts of the Stack widget's runs, executed: the same mattes and proposals by the engine alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from lsa_engine.progress import CancelToken
from napari_lsa_matting.matte_request import MatteSettings
from napari_lsa_matting.propose_requests import ProposeRequest
from napari_lsa_matting.session import session_of
from napari_lsa_matting.stack_code import proposals_script, stack_script
from napari_lsa_matting.stack_frames import Frames, KindsRequest
from napari_lsa_matting.stack_requests import StackImage, StackOutcome, StackRequest

_COUNT, _HEIGHT, _WIDTH = 5, 48, 64
_RANGE = (0.0, 250.0)


def disc(frame: int, radius: float) -> NDArray[np.bool_]:
    """A disc that goes right by three pixels a frame."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    return np.asarray(np.hypot(rows - 24, columns - 24 - 3 * frame) < radius)


@pytest.fixture
def film(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Bright textured discs over a dark texture, (frames, H, W)."""
    ground, thing = rng.uniform(0.0, 0.4, (_HEIGHT, _WIDTH)), rng.uniform(0.6, 1.0, (_HEIGHT, _WIDTH))
    frames = [np.where(disc(frame, 12), np.roll(thing, 3 * frame, axis=1), ground) for frame in range(_COUNT)]
    return np.round(np.stack(frames) * 250).astype(np.uint8)


def labels_of(*keys: int) -> NDArray[np.uint8]:
    labels = np.zeros((_COUNT, _HEIGHT, _WIDTH), np.uint8)
    for key in keys:
        labels[key][disc(key, 8)] = 1
        labels[key][~disc(key, 16)] = 2
    return labels


def kinds_of(labels: NDArray[np.uint8], frames: Frames) -> KindsRequest:
    return KindsRequest(labels, frames, _COUNT, {})


def matted(film: Any, labels: NDArray[np.uint8], settings: MatteSettings, frames: Frames | None = None) -> StackOutcome:
    """The mattes of all frames with trimaps."""
    frames = Frames(0, (0,)) if frames is None else frames
    request = StackRequest(
        session=session_of(ViewerModel()),
        image=StackImage(film, frames, _RANGE, "film"),
        shape=film.shape,
        trimaps=kinds_of(labels, frames),
        wanted=range(_COUNT),
        settings=settings,
        earlier=None,
    )
    return request.run(lambda _: None, CancelToken())


_FAST = {"method": "fast", "iterations": 2}
_SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "refined": {"refinement": _FAST},
    "refined in no time": {"refinement": {**_FAST, "time_budget": 0.0}},
    "averaged": {"refinement": _FAST, "tta": 8},
    "classical": {"method": "knn"},
}


@pytest.mark.parametrize("case", _SETTINGS)
def test_the_code_gives_the_same_mattes(film: Any, random_weights: str, repeat: Any, case: str) -> None:
    settings = MatteSettings(**{"weights": random_weights, "device": "cpu", **_SETTINGS[case]})
    outcome = matted(film, labels_of(1, 3), settings)
    _, names = repeat(stack_script(outcome, None))
    assert names["frames"] == [1, 3]
    np.testing.assert_allclose(names["alphas"], outcome.alpha[[1, 3]], atol=1e-4)


def test_each_frame_has_the_passes_that_time_allowed(
    film: Any, random_weights: str, repeat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lsa_engine.inference.matter import Matter

    refine, passes = Matter.refine, iter([3, 1])

    def refine_as_if_hurried(matter: Any, settings: Any, **options: Any) -> Any:
        """Stop after some passes, as a clock would."""
        return refine(matter, type(settings)("fast", iterations=next(passes), tolerance=0.0), **options)

    refinement = {**_FAST, "iterations": 8, "tolerance": 0.0, "time_budget": 60.0}
    settings = MatteSettings(weights=random_weights, device="cpu", refinement=refinement)
    with monkeypatch.context() as patch:
        patch.setattr(Matter, "refine", refine_as_if_hurried)
        outcome = matted(film, labels_of(0, 4), settings)
    assert [matte.report.iterations for matte in outcome.mattes.values()] == [3, 1]
    code, names = repeat(stack_script(outcome, None))
    assert "refinement=refinements[frame]" in code
    np.testing.assert_allclose(names["alphas"], outcome.alpha[[0, 4]], atol=1e-4)


def test_pages_of_a_file_are_read_from_there_as_long_as_they_are_the_frames(
    film: NDArray[np.uint8], repeat: Any, tmp_path: Path
) -> None:
    path = tmp_path / "film.tif"
    both = np.stack([film[::-1], film])
    tifffile.imwrite(path, both, imagej=True, metadata={"axes": "TZYX"})
    labels = np.stack([labels_of(), labels_of(2, 3)])
    outcome = matted(both, labels, MatteSettings(method="knn"), Frames(1, (1, 0)))
    code, names = repeat(stack_script(outcome, str(path)))
    assert "stack.page(pages[frame])" in code and "image_2" not in np.load(tmp_path / "repeat.npz")
    np.testing.assert_allclose(names["alphas"], outcome.alpha[1, 2:4], atol=1e-4)
    tifffile.imwrite(path, both[:, ::-1], imagej=True, metadata={"axes": "TZYX"})
    code, names = repeat(stack_script(outcome, str(path)))
    assert str(path) not in code
    np.testing.assert_allclose(names["alphas"], outcome.alpha[1, 2:4], atol=1e-4)


def test_lazy_frames_are_read_again_one_at_a_time(film: Any, repeat: Any) -> None:
    array = pytest.importorskip("dask.array")
    colours = np.stack([film, film // 2, 250 - film, film], axis=-1)  # RGBA
    lazy = array.from_array(colours, chunks=(1, _HEIGHT, _WIDTH, 4))
    frames = Frames(0, (0,))
    request = StackRequest(
        session=session_of(ViewerModel()),
        image=StackImage(lazy, frames, None, "film"),
        shape=film.shape,
        trimaps=kinds_of(labels_of(2), frames),
        wanted=range(_COUNT),
        settings=MatteSettings(method="knn"),
        earlier=None,
    )
    outcome = request.run(lambda _: None, CancelToken())
    _, names = repeat(stack_script(outcome, None))
    np.testing.assert_allclose(names["alphas"][0], outcome.alpha[2], atol=1e-4)


def test_a_frame_that_was_changed_since_is_named_and_nothing_is_copied(film: Any, repeat: Any, tmp_path: Path) -> None:
    outcome = matted(film, labels_of(1, 3), MatteSettings(method="knn"))
    film[3, 5, 5] += 1
    with pytest.raises(InputError, match="The pixels of frame 3 of 'film' were changed since the run"):
        repeat(stack_script(outcome, None))
    assert not (tmp_path / "repeat.npz").exists()


@pytest.mark.parametrize("method", ["distance", "flow"])
def test_the_code_proposes_the_same_trimaps(film: Any, repeat: Any, method: str) -> None:
    frames, labels = Frames(0, (0,)), labels_of(1, 4)
    image = StackImage(film, frames, _RANGE, "film")
    request = ProposeRequest(image, kinds_of(labels, frames), range(_COUNT), method, (0.5, 0.25), 1.5)
    proposals = request.run(lambda _: None, CancelToken())
    labels[1] = 0  # painted on since: the code has the trimap that was there
    code, names = repeat(proposals_script(proposals, None))
    assert ("image_of" in code) is (method == "flow")
    made = {proposal.frame: proposal.edit for proposal in proposals.made}
    assert list(names["trimaps"]) == list(made) == ([2, 3] if method == "distance" else [0, 2, 3])
    for frame, trimap in names["trimaps"].items():
        written = labels_of()[frame]
        changes = made[frame].changes
        written[changes.rows, changes.columns] = changes.values
        np.testing.assert_array_equal(trimap.to_labels(), written)
