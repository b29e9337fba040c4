"""The controls that say how to matte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from qtpy.QtWidgets import QFormLayout, QWidget

import lsa_engine as lsa
from lsa_engine.errors import WeightsError
from lsa_engine.inference.classical import CLASSICAL_METHODS
from napari_lsa_matting.matte_request import MatteSettings, as_refinement
from napari_lsa_matting.matting_options import METHODS, MattingOptions
from napari_lsa_matting.requests import Facilities


@pytest.fixture
def options(qtbot: Any) -> Iterator[MattingOptions]:
    frame = QWidget()
    qtbot.addWidget(frame)
    options = MattingOptions(frame, QFormLayout(frame))
    options.show_facilities(Facilities({"lsa-lite": "small"}, {"auto": "bfloat16", "cpu": "float32"}, "cuda"))
    frame.show()
    yield options


def test_the_methods_are_the_engine_s() -> None:
    assert list(METHODS) == ["network", *CLASSICAL_METHODS]


def test_untouched_controls_leave_everything_to_the_engine(options: MattingOptions) -> None:
    assert options.settings == MatteSettings()
    options.refinement.value = "fast"
    assert as_refinement(options.settings) == lsa.Refinement()
    options.refinement.value = "paper"
    assert as_refinement(options.settings) == lsa.Refinement("paper")


def test_every_fine_setting_reaches_the_engine(options: MattingOptions) -> None:
    options.refinement.value = "fast"
    options.iterations.value = 7
    options.learning_rate.value = 0.25
    options.tolerance.value = 0.01
    options.time_budget.value = 2.5
    options.boundary.value = "released"
    options.gates.value = "frozen"
    assert as_refinement(options.settings) == lsa.Refinement(
        "fast",
        iterations=7,
        learning_rate=0.25,
        tolerance=0.01,
        time_budget=2.5,
        boundary="released",
        gates="frozen",
    )
    # The paper's descent has neither gates nor a tolerance, and steps of its own.
    options.refinement.value = "paper"
    expected = lsa.Refinement("paper", time_budget=2.5, boundary="released")
    assert as_refinement(options.settings) == expected
    assert not options.gates.enabled
    assert not options.tolerance.enabled


def test_a_classical_method_shows_no_rows_of_the_network(options: MattingOptions) -> None:
    assert options.weights.native.isVisible()
    options.method.value = "knn"
    assert options.settings == MatteSettings(method="knn")
    assert options.settings.to_dict() == {"method": "knn"}
    for control in (options.weights.native, options.refinement.native, options.tta.native, options.advanced):
        assert not control.isVisible()
    assert options.device_line.text() == "Computes on the processor (cpu)."


def test_the_device_in_use_is_always_said(options: MattingOptions) -> None:
    assert options.device_line.isVisible()
    assert options.device_line.text() == "Computes on cuda, bfloat16."
    options.device.value = "cpu"
    assert options.device_line.text() == "Computes on cpu, float32."
    options.dtype.value = "bfloat16"
    assert options.device_line.text() == "Computes on cpu, bfloat16."


def test_fine_settings_are_folded_away_until_wanted(options: MattingOptions) -> None:
    assert not options.iterations.native.isVisible()
    options.advanced.button.click()
    assert options.advanced.is_open
    assert options.iterations.native.isVisible()
    options.advanced.open(False)
    assert not options.iterations.native.isVisible()


def test_without_weights_only_classical_methods_can_be_run(options: MattingOptions) -> None:
    options.show_facilities(Facilities({}, {"auto": "float32"}, "cpu"))
    assert options.problem is not None
    assert options.problem.startswith("No weights are installed")
    options.method.value = "closed-form"
    assert options.problem is None


def test_a_look_around_that_fails_is_said_and_can_be_repeated(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch, notifications: list[str]
) -> None:
    frame = QWidget()
    qtbot.addWidget(frame)
    options = MattingOptions(frame, QFormLayout(frame))
    frame.show()

    def fail() -> None:
        raise WeightsError("The folder of weights cannot be read: mount it.")

    with monkeypatch.context() as patch:
        patch.setattr("lsa_engine.weights.registry.available_weights", fail)
        options.look_around()
        assert options.problem == "Looking for weights and devices …"
        options.method.value = "knn"
        assert options.problem is None
        options.method.value = "network"
        qtbot.waitUntil(lambda: not options.looking)
    sentence = "The folder of weights cannot be read: mount it."
    assert options.problem == f"Weights and devices could not be found: {sentence}"
    assert notifications == [sentence]
    assert options.look_button.isVisible()
    assert options.weights.choices == ()  # no longer "looking …"
    options.method.value = "knn"
    assert options.problem is None
    assert not options.look_button.isVisible()
    options.method.value = "network"
    options.look_button.click()
    assert not options.look_button.isVisible()
    qtbot.waitUntil(lambda: not options.looking)
    assert options.problem is None
    assert "lsa-lite" in options.weights.choices
    assert not options.look_button.isVisible()
