"""The debug report."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsa_engine.progress import CancelToken
from napari_lsa_matting.debug_report import DebugReportRequest, without_paths
from napari_lsa_matting.settings import Settings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("File /srv/people/ada/lab/cells/image.py, line 3", "File …/cells/image.py, line 3"),
        (r"C:\Users\ada\lab\cells\image.tif is odd", r"…\cells\image.tif is odd"),
        ("weights: 'lsa-lite', 3/4 of 1.5", "weights: 'lsa-lite', 3/4 of 1.5"),
    ],
)
def test_absolute_paths_lose_what_is_personal(text: str, expected: str) -> None:
    assert without_paths(text) == expected


def test_the_user_s_folder_is_not_in_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ada"))
    settings = Settings(cache_folder="/home/ada/secret/project/cache")
    text = DebugReportRequest(settings, "PyQt6 6", None).run(lambda _: None, CancelToken())
    assert "ada" not in text
    assert "[last error]\nnone" in text
    assert "Qt: PyQt6 6" in text
