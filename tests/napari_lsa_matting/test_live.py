"""Live mode: the matte follows the brush."""

from __future__ import annotations

import threading
from collections.abc import Callable
from inspect import unwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QThreadPool

import lsa_engine as lsa
from lsa_engine.inference import correction
from napari_lsa_matting.layers import METADATA_KEY, fingerprint
from napari_lsa_matting.live import live_settings
from napari_lsa_matting.matte_request import MatteSettings, as_refinement
from napari_lsa_matting.matting_widget import MattingWidget
from napari_lsa_matting.session import session_of
from widgets import run, settle


@pytest.fixture
def live_widget(scene_viewer: Any, open_widget: Any, qtbot: Any) -> MattingWidget:
    """A widget in live mode whose first answer has been given."""
    widget: MattingWidget = open_widget(scene_viewer)
    settle(qtbot, widget)
    widget.live_box.value = True
    answer(qtbot, widget)
    return widget


def answer(qtbot: Any, widget: MattingWidget) -> None:
    """Wait until everything that was painted is answered."""
    qtbot.waitUntil(lambda: not widget.live.busy)


def paint(trimap: Any, rows: slice, columns: slice, label: int) -> None:
    where = np.indices(trimap.data.shape)[:, rows, columns].reshape(2, -1)
    trimap.data_setitem(tuple(where), label)


def test_the_first_answer_is_a_whole_run(
    live_widget: MattingWidget, scene_viewer: Any, scene: Any, random_weights: str
) -> None:
    settings = live_settings(MatteSettings(weights=random_weights, device="cpu"))
    assert settings.refinement == {"method": "fast", "time_budget": 1.0}
    alpha = scene_viewer.layers["alpha"]
    record = alpha.metadata[METADATA_KEY]
    assert record["settings"] == settings.to_dict()
    assert live_widget.live_status.text().startswith("live: answered in ")
    passes = record["report"]["iterations"]
    refinement = lsa.Refinement(iterations=passes) if passes else lsa.Refinement(time_budget=0)
    expected = lsa.matte(
        scene_viewer.layers["photo"].data, scene.trimap, weights=random_weights, device="cpu", refinement=refinement
    )
    np.testing.assert_allclose(alpha.data, expected.alpha, atol=1e-4)


def test_strokes_are_answered_in_place_without_encoding_anew(
    live_widget: MattingWidget, scene_viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lsa.Matter, "refine", None)
    alpha, trimap = unwrap(scene_viewer.layers["alpha"]), scene_viewer.layers["trimap"]
    assert alpha.data[24, 14] < 1
    trimap.paint((24, 14), 1)
    answer(qtbot, live_widget)
    assert alpha.data[24, 14] == 1
    assert len(scene_viewer.layers) == 3
    record = alpha.metadata[METADATA_KEY]
    assert (record["report"]["method"], record["corrections"]) == ("correction", 1)


def test_after_many_rapid_edits_the_alpha_is_that_of_the_last_trimap(
    live_widget: MattingWidget, scene_viewer: Any, qtbot: Any, rng: np.random.Generator
) -> None:
    trimap, alpha = scene_viewer.layers["trimap"], scene_viewer.layers["alpha"]
    sent = []
    correct = lsa.Matter.correct

    some = threading.Event()

    def counted(matter: Any, edited: Any, *settings: Any, **named: Any) -> Any:
        sent.append(edited)
        some.wait(120)  # an answer takes as long as some edits, however fast the machine is
        return correct(matter, edited, *settings, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lsa.Matter, "correct", counted)
        for number in range(60):
            row, column = rng.integers(0, 44), rng.integers(0, 60)
            paint(trimap, slice(row, row + 4), slice(column, column + 4), int(rng.integers(0, 3)))
            qtbot.wait(5)
            if number == 20:
                some.set()
        answer(qtbot, live_widget)
    assert 1 <= len(sent) < 60
    np.testing.assert_array_equal(sent[-1].to_labels(), trimap.data)
    assert (alpha.data[trimap.data == 1] == 1).all()
    assert (alpha.data[trimap.data == 2] == 0).all()
    state = session_of(scene_viewer).live
    assert state is not None
    np.testing.assert_array_equal(state.answered.unpack(), trimap.data)
    # The engine, given the same trimaps in the same order, comes to the same matte.
    replayed: list[lsa.MatteResult] = []

    def replay() -> None:
        matter = lsa.Matter(str(live_widget.options.weights.value), device="cpu")
        matter.set_image(scene_viewer.layers["photo"].data)
        matter.set_trimap(lsa.Trimap.from_labels(state.strokes[0].labels.unpack()))
        matter.refine(lsa.Refinement(**state.strokes[0].refinement))
        for stroke in state.strokes[1:]:
            edited, refinement = lsa.Trimap.from_labels(stroke.labels.unpack()), lsa.Refinement(**stroke.refinement)
            replayed.append(matter.correct(edited, refinement))

    # In a thread, as the widget does: with another number of threads for torch, sums differ in their last digit.
    thread = threading.Thread(target=replay)
    thread.start()
    thread.join()
    np.testing.assert_allclose(alpha.data, replayed[-1].alpha, atol=1e-3)


def test_undo_on_the_labels_brings_the_matte_before_back(
    live_widget: MattingWidget, scene_viewer: Any, qtbot: Any
) -> None:
    trimap, alpha = scene_viewer.layers["trimap"], scene_viewer.layers["alpha"]
    before = alpha.data.copy()
    paint(trimap, slice(4, 8), slice(30, 34), 1)
    answer(qtbot, live_widget)
    assert not np.array_equal(alpha.data, before)
    trimap.undo()
    answer(qtbot, live_widget)
    np.testing.assert_array_equal(alpha.data, before)
    trimap.redo()
    answer(qtbot, live_widget)
    assert (alpha.data[4:8, 30:34] == 1).all()


def stroke_in_parts(qtbot: Any, widget: MattingWidget, trimap: Any, rows: slice, columns: range) -> None:
    """Draw a stroke, one step of the history, that is so slow that its parts are answered."""
    with trimap.block_history():
        for column in columns:
            paint(trimap, rows, slice(column, column + 4), 1)
            answer(qtbot, widget)


def test_undo_takes_a_stroke_back_that_was_answered_in_parts(
    live_widget: MattingWidget, scene_viewer: Any, qtbot: Any
) -> None:
    trimap, alpha = scene_viewer.layers["trimap"], scene_viewer.layers["alpha"]
    mattes = [alpha.data.copy()]
    for rows in (slice(4, 8), slice(14, 18)):
        stroke_in_parts(qtbot, live_widget, trimap, rows, range(20, 36, 4))
        mattes.append(alpha.data.copy())
    state = session_of(scene_viewer).live
    assert state is not None
    assert len(state.strokes) == 9
    assert not np.array_equal(*mattes[:2])
    assert not np.array_equal(*mattes[1:])
    for before in (mattes[1], mattes[0]):
        trimap.undo()
        answer(qtbot, live_widget)
        np.testing.assert_array_equal(alpha.data, before)
    assert len(state.strokes) == 1


def test_the_matte_before_a_stroke_that_changes_nothing_at_first_can_be_come_back_to(
    live_widget: MattingWidget, scene_viewer: Any, qtbot: Any
) -> None:
    trimap, alpha = scene_viewer.layers["trimap"], scene_viewer.layers["alpha"]
    paint(trimap, slice(4, 8), slice(0, 4), 1)
    answer(qtbot, live_widget)
    before = alpha.data.copy()
    with trimap.block_history():
        for column in (0, 0, 2, 4):  # the first two lie on the stroke of before
            paint(trimap, slice(4, 8), slice(column, column + 4), 1)
            live_widget.live.note_edit()
            answer(qtbot, live_widget)
    trimap.undo()
    answer(qtbot, live_widget)
    np.testing.assert_array_equal(alpha.data, before)


def test_undo_is_exact_for_as_many_strokes_as_the_engine_remembers_and_a_correction_beyond_that(
    live_widget: MattingWidget,
    scene_viewer: Any,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
    saved_to: Path,
    copied: Any,
    execute: Any,
) -> None:
    monkeypatch.setattr(correction, "_UNDO_BYTES", 0)  # five edits
    trimap, alpha = scene_viewer.layers["trimap"], scene_viewer.layers["alpha"]
    mattes = [alpha.data.copy()]
    for row in range(4, 46, 6):
        with trimap.block_history():
            for column in (0, 4):
                paint(trimap, slice(row, row + 4), slice(column, column + 4), 1)
                answer(qtbot, live_widget)
            paint(trimap, slice(row, row + 4), slice(8, 12), 1)  # answered when the stroke has ended
        answer(qtbot, live_widget)
        mattes.append(alpha.data.copy())
    state = session_of(scene_viewer).live
    assert state is not None
    assert len(state.strokes) == 22
    for strokes in range(6, 1, -1):
        trimap.undo()
        answer(qtbot, live_widget)
        np.testing.assert_array_equal(alpha.data, mattes[strokes])
        assert len(state.strokes) == 1 + 3 * strokes
    for answers in (8, 9):
        trimap.undo()
        answer(qtbot, live_widget)
        assert len(state.strokes) == answers
        np.testing.assert_array_equal(state.answered.unpack(), trimap.data)
        assert (alpha.data[trimap.data == 1] == 1).all()
        assert (alpha.data[trimap.data == 2] == 0).all()
    np.testing.assert_allclose(execute(copied(live_widget.code))["alpha"], alpha.data, atol=1e-3)


def test_labels_replaced_as_a_whole_are_answered(live_widget: MattingWidget, scene_viewer: Any, qtbot: Any) -> None:
    trimap = scene_viewer.layers["trimap"]
    labels = trimap.data.copy()
    labels[:3] = 2
    labels[40:] = 0
    trimap.data = labels
    answer(qtbot, live_widget)
    assert (scene_viewer.layers["alpha"].data[:3] == 0).all()


def test_a_trimap_that_is_not_finished_is_waited_for(live_widget: MattingWidget, scene_viewer: Any, qtbot: Any) -> None:
    trimap = scene_viewer.layers["trimap"]
    before = scene_viewer.layers["alpha"].data
    paint(trimap, slice(None), slice(None), 0)
    answer(qtbot, live_widget)
    assert live_widget.live.on
    assert "no known foreground" in live_widget.live_status.text()
    assert scene_viewer.layers["alpha"].data is before
    trimap.undo()
    paint(trimap, slice(0, 2), slice(0, 2), 1)
    answer(qtbot, live_widget)
    assert (scene_viewer.layers["alpha"].data[:2, :2] == 1).all()


def _draw(viewer: Any, widget: MattingWidget) -> None:
    viewer.layers["photo"].data[2, 3] = 7
    viewer.layers["photo"].refresh()


_ENDS: dict[str, tuple[Callable[[Any, MattingWidget], Any], str]] = {
    "image replaced": (
        lambda viewer, widget: setattr(viewer.layers["photo"], "data", viewer.layers["photo"].data.copy()),
        "the image was replaced",
    ),
    "image drawn on": (_draw, "the image was drawn on"),
    "image deleted": (lambda viewer, widget: viewer.layers.remove("photo"), "the image was deleted"),
    "trimap deleted": (lambda viewer, widget: viewer.layers.remove("trimap"), "the trimap was deleted"),
    "alpha deleted": (lambda viewer, widget: viewer.layers.remove("alpha"), "the alpha was deleted"),
    "weights chosen": (
        lambda viewer, widget: setattr(widget.options.weights, "value", "lsa-lite"),
        "another method, weights, device or precision was chosen",
    ),
    "method chosen": (
        lambda viewer, widget: setattr(widget.options.method, "value", "knn"),
        "another method, weights, device or precision was chosen",
    ),
    "trimap moved": (
        lambda viewer, widget: setattr(viewer.layers["trimap"], "translate", (0, 0)),
        "another scale or position",
    ),
    "three dimensions": (lambda viewer, widget: setattr(viewer.dims, "ndisplay", 3), "shows three dimensions"),
}


@pytest.mark.parametrize("case", _ENDS)
def test_it_ends_by_itself_and_says_why(live_widget: MattingWidget, scene_viewer: Any, qtbot: Any, case: str) -> None:
    act, reason = _ENDS[case]
    act(scene_viewer, live_widget)
    qtbot.waitUntil(lambda: not live_widget.live.on)
    assert live_widget.live_status.text().startswith("Live mode ended: ")
    assert reason in live_widget.live_status.text()
    assert live_widget.live_box.value is False


def test_a_layer_renamed_is_followed_on(live_widget: MattingWidget, scene_viewer: Any, qtbot: Any) -> None:
    scene_viewer.layers["photo"].name, scene_viewer.layers["trimap"].name = "bird", "scribbles"
    paint(scene_viewer.layers["scribbles"], slice(0, 2), slice(0, 2), 1)
    answer(qtbot, live_widget)
    record = scene_viewer.layers["alpha"].metadata[METADATA_KEY]
    assert (record["image"], record["trimap"], record["corrections"]) == ("bird", "scribbles", 1)


def test_switched_off_nothing_follows(live_widget: MattingWidget, scene_viewer: Any, qtbot: Any) -> None:
    before = scene_viewer.layers["alpha"].data
    live_widget.live_box.value = False
    assert live_widget.live_status.text() == ""
    scene_viewer.layers["trimap"].paint((24, 14), 1)
    settle(qtbot, live_widget)
    assert scene_viewer.layers["alpha"].data is before


def test_it_goes_on_from_a_run_with_the_fast_refinement(
    scene_viewer: Any, live_widget: MattingWidget, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_widget.live_box.value = False
    live_widget.options.refinement.value = "fast"
    live_widget.options.iterations.value = 2
    run(qtbot, live_widget)
    monkeypatch.setattr(lsa.Matter, "set_image", None)
    live_widget.live_box.value = True
    answer(qtbot, live_widget)
    scene_viewer.layers["trimap"].paint((24, 14), 1)
    answer(qtbot, live_widget)
    assert scene_viewer.layers["alpha"].data[24, 14] == 1
    assert scene_viewer.layers["alpha"].metadata[METADATA_KEY]["corrections"] == 1


class HeldUp:
    """Holds up work of the network until the event loop has no more turns before its result is delivered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        work, self._begun, self._go_on = getattr(lsa.Matter, name), threading.Event(), threading.Event()

        def held_up(*settings: Any, **named: Any) -> Any:
            self._begun.set()
            self._go_on.wait(120)
            return work(*settings, **named)

        monkeypatch.setattr(lsa.Matter, name, held_up)

    def stop_once_it_is_done(self, qtbot: Any, stop: Callable[[], object]) -> None:
        """Call `stop` when the result is there, but has not been delivered."""
        qtbot.waitUntil(self._begun.is_set)
        self._go_on.set()
        QThreadPool.globalInstance().waitForDone()
        stop()


def test_an_answer_that_was_done_as_live_mode_was_switched_off_is_shown_when_it_is_switched_on_again(
    live_widget: MattingWidget, scene_viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha, trimap = unwrap(scene_viewer.layers["alpha"]), scene_viewer.layers["trimap"]
    held_up = HeldUp(monkeypatch, "correct")
    trimap.paint((24, 14), 1)
    held_up.stop_once_it_is_done(qtbot, lambda: setattr(live_widget.live_box, "value", False))
    settle(qtbot, live_widget)
    assert alpha.data[24, 14] < 1
    monkeypatch.setattr(lsa.Matter, "correct", None)
    live_widget.live_box.value = True
    answer(qtbot, live_widget)
    assert alpha.data[24, 14] == 1
    assert alpha.metadata[METADATA_KEY]["corrections"] == 1


def test_a_matte_that_live_mode_goes_on_from_is_shown_if_its_run_was_cancelled_or_its_layer_deleted(
    live_widget: MattingWidget, scene_viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_widget.live_box.value = False
    scene_viewer.layers.remove("alpha")
    live_widget.options.refinement.value = "fast"
    live_widget.options.iterations.value = 2
    settle(qtbot, live_widget)
    held_up = HeldUp(monkeypatch, "refine")
    live_widget.controls.run_button.click()
    held_up.stop_once_it_is_done(qtbot, live_widget.controls.cancel)
    settle(qtbot, live_widget)
    assert "alpha" not in scene_viewer.layers
    monkeypatch.setattr(lsa.Matter, "refine", None)
    for _ in range(2):
        live_widget.live_box.value = True
        answer(qtbot, live_widget)
        assert scene_viewer.layers["alpha"].metadata[METADATA_KEY]["settings"]["refinement"]["iterations"] == 2
        scene_viewer.layers.remove("alpha")
        assert "the alpha was deleted" in live_widget.live_status.text()


def test_a_picture_that_was_drawn_on_while_it_was_off_is_looked_at_again(
    live_widget: MattingWidget, scene_viewer: Any, qtbot: Any
) -> None:
    live_widget.live_box.value = False
    photo = scene_viewer.layers["photo"].data
    photo[2, 3] = 7
    live_widget.live_box.value = True
    answer(qtbot, live_widget)
    assert live_widget.live.on
    record = scene_viewer.layers["alpha"].metadata[METADATA_KEY]
    assert record["image_sha256"] == fingerprint(photo)


def test_it_cannot_be_begun_where_it_could_not_go_on(live_widget: MattingWidget, scene_viewer: Any, qtbot: Any) -> None:
    live_widget.options.method.value = "knn"
    settle(qtbot, live_widget)
    assert not live_widget.live_box.enabled
    assert live_widget.live_box.tooltip.startswith("Only the network can follow the brush")


def test_paper_s_steps_are_not_those_of_an_answer() -> None:
    settings = MatteSettings(tta=8, refinement={"method": "paper", "iterations": 100, "learning_rate": 20.0})
    assert as_refinement(live_settings(settings)) == lsa.Refinement("fast", time_budget=1.0)
    settings = MatteSettings(refinement={"method": "fast", "iterations": 3, "time_budget": 9.0})
    assert as_refinement(live_settings(settings)) == lsa.Refinement("fast", iterations=3, time_budget=9.0)
