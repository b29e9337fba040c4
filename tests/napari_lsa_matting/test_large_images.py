"""With an image of 12 megapixels the main thread never works for long at a time, whatever the widgets do."""

from __future__ import annotations

from collections import defaultdict

import pytest

import responsiveness
from responsiveness import LONGEST_MS, WIDGETS
from scratch import own_cache

_HEIGHT, _WIDTH = 3000, 4000


@pytest.mark.parametrize("widget", ["matting", "trimap", "measure"])
def test_the_main_thread_works_for_50_ms_at_most(widget: str, qapp: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the better of two turns: other programs only ever add to it, and in the first napari makes the layers."""
    monkeypatch.setattr(responsiveness, "PAUSE_S", 0.5)
    work = defaultdict(list)
    with own_cache():
        for row in WIDGETS[widget](_HEIGHT, _WIDTH, 2):
            work[row.task].append(row.most_work)
    assert len(work) > 1
    assert {task: turns for task, turns in work.items() if min(turns) > LONGEST_MS} == {}
