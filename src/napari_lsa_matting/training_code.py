"""The script of a training run: the call that repeats it, with its own recipe and data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsa_engine.training.runs import RECIPE_FILE
from napari_lsa_matting.code_snippet import Script

if TYPE_CHECKING:
    from napari_lsa_matting.training_run import RunLog


def can_repeat(run: RunLog) -> bool:
    """Return whether a run has said what it was trained on, and its recipe is there: what the script needs."""
    return run.data is not None and (run.folder / RECIPE_FILE).is_file()


def training_script(run: RunLog) -> Script:
    """Return the script that trains anew as a run did, into a folder beside it; only where it :func:`can_repeat`."""
    folder = run.folder.absolute()
    body = (
        'if __name__ == "__main__":  # examples are drawn by processes that import this file',
        "    result = lsa.train(",
        f"        {str(folder / RECIPE_FILE)!r},",
        f"        {str(folder.with_name(f'{folder.name}-again'))!r},  # a folder that holds no run yet",
        f"        data={str(run.data)!r},",
        f"        device={run.device!r},",
        "    )",
    )
    return Script(f"The training run {folder.name!r} of recipe {run.recipe!r}", run.versions, (), body)
