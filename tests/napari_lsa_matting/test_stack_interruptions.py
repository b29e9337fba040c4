"""The Stack widget, when layers change and runs are stopped while it works."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import lsa_engine as lsa
from brakes import Brake
from napari_lsa_matting.stack_widget import StackWidget
from stacks import FRAMES, HEIGHT, WIDTH, labels_of, movie, open_stack
from widgets import settle


@pytest.fixture
def open_widget(qtbot: Any, random_weights: str) -> Callable[[Any], StackWidget]:
    return partial(open_stack, qtbot, random_weights)


@pytest.fixture
def brake(monkeypatch: pytest.MonkeyPatch) -> Brake:
    """A brake on the second frame."""
    brake = Brake()
    predict = lsa.Matter.predict
    calls: list[int] = []

    def held_up(matter: Any, *, cancel: Any = None, **settings: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            brake.wait(cancel)
        return predict(matter, cancel=cancel, **settings)

    monkeypatch.setattr(lsa.Matter, "predict", held_up)
    return brake


def test_cancel_leaves_the_layers_as_they_were(stack_viewer: Any, open_widget: Any, qtbot: Any, brake: Brake) -> None:
    widget = open_widget(stack_viewer)
    widget.controls.run_button.click()
    qtbot.waitUntil(brake.begun.is_set)
    qtbot.waitUntil(lambda: widget.controls.stage.text().startswith("frame 4: "))
    assert "1 of 2" in widget.controls.stage.text()
    assert not widget.proposing.run_button.isEnabled()
    widget.controls.cancel_button.click()
    settle(qtbot, widget)
    assert widget.controls.outcome.text() == "Cancelled; the layers are as they were."
    assert [layer.name for layer in stack_viewer.layers] == ["stack", "trimap"]
    assert widget.controls.run_button.isEnabled() and widget.proposing.run_button.isEnabled()


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_an_image_that_goes_during_the_run_drops_the_mattes(
    stack_viewer: Any, open_widget: Any, qtbot: Any, brake: Brake, how: str
) -> None:
    widget = open_widget(stack_viewer)
    widget.controls.run_button.click()
    qtbot.waitUntil(brake.begun.is_set)
    if how == "removed":
        stack_viewer.layers.remove("stack")
    else:
        stack_viewer.layers["stack"].data = movie()[:, ::-1]
    brake.go_on.set()
    settle(qtbot, widget)
    assert "alpha of stack" not in stack_viewer.layers
    assert widget.controls.outcome.text().startswith("The image was removed or replaced meanwhile")


@pytest.mark.parametrize("frame", [0, 4])
def test_a_frame_that_is_drawn_on_during_the_run_drops_the_mattes(
    stack_viewer: Any, open_widget: Any, qtbot: Any, brake: Brake, notifications: list[str], frame: int
) -> None:
    widget = open_widget(stack_viewer)
    widget.controls.run_button.click()
    qtbot.waitUntil(brake.begun.is_set)  # the first of the two is done
    stack_viewer.layers["stack"].data[frame, :5] = 0
    brake.go_on.set()
    settle(qtbot, widget)
    assert "alpha of stack" not in stack_viewer.layers
    assert notifications == [widget.controls.outcome.text()]
    assert notifications[0].startswith("The pixels of 'stack' were changed")


def test_layers_renamed_and_a_viewer_in_3d_do_not_lose_the_mattes_of_a_run_under_way(
    stack_viewer: Any, open_widget: Any, qtbot: Any, brake: Brake
) -> None:
    widget = open_widget(stack_viewer)
    widget.controls.run_button.click()
    qtbot.waitUntil(brake.begun.is_set)
    stack_viewer.layers["stack"].name = "film"
    stack_viewer.layers.remove("trimap")
    stack_viewer.dims.ndisplay = 3
    brake.go_on.set()
    settle(qtbot, widget)
    alpha = stack_viewer.layers["alpha of film"]
    assert alpha.data.shape == (FRAMES, HEIGHT, WIDTH)
    np.testing.assert_array_equal(alpha.scale, stack_viewer.layers["film"].scale)
    assert widget.controls.reason.text().startswith("There is no trimap")


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_trimap_that_goes_while_proposals_are_made_drops_them(
    stack_viewer: Any, open_widget: Any, qtbot: Any, how: str
) -> None:
    widget = open_widget(stack_viewer)
    widget.proposing.run_button.click()
    if how == "removed":
        stack_viewer.layers.remove("trimap")
    else:
        stack_viewer.layers["trimap"].data = labels_of(0, 6)
    settle(qtbot, widget)
    assert widget.proposing.outcome.text() == (
        "The trimap was removed or replaced meanwhile, so the proposals were dropped."
    )
    if how == "replaced":
        np.testing.assert_array_equal(stack_viewer.layers["trimap"].data, labels_of(0, 6))


def test_what_is_painted_while_proposals_are_made_stays(
    stack_viewer: Any, open_widget: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = open_widget(stack_viewer)
    trimap = stack_viewer.layers["trimap"]
    begun, go_on = threading.Event(), threading.Event()
    propose = lsa.propose_trimaps

    def held_up(*inputs: Any, **settings: Any) -> Any:
        begun.set()
        go_on.wait(120)
        return propose(*inputs, **settings)

    monkeypatch.setattr("lsa_engine.propagation.propose_trimaps", held_up)
    widget.proposing.run_button.click()
    qtbot.waitUntil(begun.is_set)
    trimap.paint((2, 32, 32), 1)
    painted = trimap.data[2].copy()
    go_on.set()
    settle(qtbot, widget)
    np.testing.assert_array_equal(trimap.data[2], painted)
    assert trimap.data[1].any() and trimap.data[3].any()
    assert "Painted on meanwhile, so left alone: frame 2." in widget.proposing.outcome.text()
