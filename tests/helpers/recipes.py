"""Recipes of training for tests."""

from __future__ import annotations


def tiny_recipe(steps: int, every: int = 20) -> str:
    """Return a recipe as small as one can be, validated every so many steps; its pictures come with scikit-image."""
    return f"""
name = "tiny"
size = "lsanet-lite"
precision = "float32"

[data]
workers = 0

[[phases]]
steps = {steps}
crop = 64
batch = 2

[validation]
every_steps = {every}
examples = 1
crop = 64
"""
