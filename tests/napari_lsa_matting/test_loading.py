"""Large libraries are loaded without the collector, and nothing is withheld from it afterwards."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from napari_lsa_matting.loading import COLOURS, NETWORK, load

_BODY = """
import gc
was_enabled = gc.isenabled()
things = [[number] for number in range(300_000)]
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "a_large_library.py").write_text(_BODY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    gc.unfreeze()  # the tests' own, so that the collector is as an application has it
    yield "a_large_library"
    sys.modules.pop("a_large_library", None)
    gc.freeze()


def module(name: str) -> ModuleType:
    return sys.modules[name]


def test_the_collector_rests_while_a_library_is_loaded_and_goes_on_afterwards(library: str) -> None:
    passes: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            passes.append(info["generation"])

    gc.collect()  # so that nothing older is due
    gc.callbacks.append(note)
    try:
        load((library,))
        # What was loaded does not make it begin a great round now either.
        garbage = [[] for _ in range(5_000)]
    finally:
        gc.callbacks.remove(note)
    assert garbage
    assert 2 not in passes
    assert module(library).was_enabled is False
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_garbage_from_before_and_after_is_still_collected(library: str) -> None:
    class Knot:
        me: Knot

    def knot() -> weakref.ref[Knot]:
        tied = Knot()
        tied.me = tied
        return weakref.ref(tied)

    before = knot()
    load((library,))
    after = knot()
    gc.collect()
    assert before() is None
    assert after() is None


def test_a_collector_that_is_off_stays_off(library: str) -> None:
    gc.disable()
    try:
        load((library,))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_is_there_is_not_loaded_again_and_what_is_missing_is_passed_over(library: str) -> None:
    load((library,))
    first = module(library)
    load((library, "no_such_library_anywhere"))
    assert module(library) is first


def test_what_widgets_load_exists() -> None:
    load((*NETWORK, *COLOURS))
    assert all(name in sys.modules for name in (*NETWORK, *COLOURS))
