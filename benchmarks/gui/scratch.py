"""A cache folder of the benchmarks' own: what they paint is not to be offered to the user as work to restore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock


@contextmanager
def own_cache() -> Iterator[None]:
    """Keep autosaved trimaps in a folder that goes away."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder)
        with mock.patch("napari_lsa_matting.settings.user_cache_path", lambda *_, **__: path):
            yield
