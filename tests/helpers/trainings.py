"""Trainings as small as they can be, and what tests ask of their folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from lsa_engine.progress import Progress
from lsa_engine.training.recipe import Recipe
from lsa_engine.training.runs import read_events
from lsa_engine.weights import load_weights

TEXT = """
name = "tiny"
licence = "CC0-1.0"
precision = "float32"
checkpoint_minutes = 60

[data]
photos = ["photos"]
sprites = ["alphas"]
validation_photos = ["photos-validation"]
workers = 0

[[phases]]
steps = 14
crop = 64
batch = 2

[optimiser]
learning_rate = 2e-3
warmup_steps = 4
decay_steps = 4
ema = 0.8

[validation]
every_steps = 8
examples = 2
crop = 64
"""


def tiny(*changes: tuple[str, str]) -> Recipe:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return Recipe.parse(text)


def events_of(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [event for event in read_events(folder)[0] if event["event"] == kind]


def numbers_of(folder: Path) -> list[tuple[Any, ...]]:
    """All that a run has computed and told, without times."""
    steps = [(e["step"], e["samples"], e["loss"], e["learning_rate"]) for e in events_of(folder, "step")]
    return steps + [(e["step"], e["sad"], e["mse"]) for e in events_of(folder, "validation")]


def checkpoint_of(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def assert_same_state(first: Any, second: Any) -> None:
    assert type(first) is type(second)
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    elif isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_same_state(first[key], second[key])
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same_state(one, other)
    else:
        assert first == second


def at_step(step: int, action: Callable[[], object]) -> Callable[[Progress], None]:
    """Return a progress callback that acts once, after this many steps."""

    def follow(progress: Progress) -> None:
        if progress.done == step:
            action()

    return follow


def assert_whole(folder: Path) -> None:
    """Check that every file of a run can be read."""
    checkpoint_of(folder)
    Recipe.load(folder / "recipe.toml")
    assert read_events(folder)[0]
    for path in folder.glob("validation/*.png"):
        Image.open(path).load()
    if (folder / "weights.safetensors").exists():
        load_weights(folder / "weights.safetensors")
