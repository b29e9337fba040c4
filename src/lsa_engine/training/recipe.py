"""The recipe: everything that decides how a training run goes, in one TOML file."""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lsa_engine.errors import RecipeError


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataRecipe(_Part):
    """Where colours and shapes come from.

    Folders are looked for under the data folder that the run is given. The name ``skimage`` stands for the photographs
    that come with scikit-image.
    """

    photos: tuple[str, ...] = Field(
        default=("skimage",), min_length=1, description="Folders of photographs for the colours."
    )
    sprites: tuple[str, ...] = Field(default=(), description="Folders of real soft mattes, one gray image each.")
    foregrounds: tuple[str, ...] = Field(
        default=(), description="Folders of RGBA cut-outs, with straight colours, that are composed as they are."
    )
    foreground_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of examples with one of these, where there are any."
    )
    refine: Literal["multigrid", "paper", "none"] = Field(
        default="multigrid", description="How foregrounds are refined before (section 4.1)."
    )
    validation_photos: tuple[str, ...] = Field(
        default=("skimage",), min_length=1, description="Photographs for validation only."
    )
    workers: int = Field(default=2, ge=0, description="Processes that draw examples; 0 draws in the training process.")


class OptimiserRecipe(_Part):
    """AdamW with a linear warm-up, a constant rate, and a last stretch of the cycle in which the rate falls to zero."""

    learning_rate: float = Field(default=7e-4, gt=0)
    warmup_steps: int = Field(default=300, ge=0)
    decay_steps: int = Field(default=1000, ge=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    clip: float = Field(default=1.0, gt=0, description="Largest norm of the gradient.")
    ema: float = Field(default=0.999, ge=0, lt=1, description="Share of the old average kept at each step.")


class Phase(_Part):
    """A stretch of the run with one crop size.

    A phase that has an optimiser begins a new cycle: from the averaged weights, with a warm-up and a decay of its own.
    """

    steps: int = Field(ge=1, description="Optimiser steps.")
    crop: int = Field(ge=32, description="Height and width of a crop in pixels.")
    batch: int = Field(ge=1, description="Examples a step.")
    parts: float = Field(
        default=0.0, ge=0, le=1, description="Share of foregrounds with a second part of other colours."
    )
    wide_share: float = Field(default=0.2, ge=0, le=1, description="Share of trimaps with a wide unknown band.")
    wide_reach: float = Field(default=60.0, gt=2, description="Largest reach of a wide trimap in pixels.")
    gray_share: float = Field(default=0.0, ge=0, le=1, description="Share of examples in gray or with little colour.")
    optimiser: OptimiserRecipe | None = Field(default=None, description="Begins a new cycle with these settings.")


class ValidationRecipe(_Part):
    """A fixed set of composites from photographs that training never sees."""

    every_steps: int = Field(default=500, ge=1)
    examples: int = Field(default=32, ge=1)
    crop: int = Field(default=320, ge=32)
    foreground_share: float = Field(
        default=0.0, ge=0, le=1, description="Share of examples with one of the data's foregrounds, if it has any."
    )


class Recipe(_Part):
    """A whole training run.

    Attributes
    ----------
    name : str
        Name of the weights that come out.
    size : str
        Named size of the network.
    seed : int
        Seed of the first weights and of the examples.
    """

    name: str
    size: str = "lsanet-lite"
    seed: int = 0
    start_from: str | None = Field(default=None, description="Weights to start from: a name or a file.")
    licence: str = Field(default="unstated", description="Licence of the weights that come out.")
    description: str = ""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    checkpoint_minutes: float = Field(default=5, gt=0)
    data: DataRecipe = DataRecipe()
    phases: tuple[Phase, ...] = Field(min_length=1)
    optimiser: OptimiserRecipe = OptimiserRecipe()
    validation: ValidationRecipe = ValidationRecipe()

    @field_validator("size")
    @classmethod
    def _known_size(cls, value: str) -> str:
        from lsa_engine.network import SIZES

        if value not in SIZES:
            raise ValueError(f"expected one of {', '.join(SIZES)}")
        return value

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def phase_at(self, step: int) -> tuple[Phase, int]:
        """Return the phase that step (from 0) belongs to, and how many examples all steps before it have used."""
        used = 0
        left = step
        for phase in self.phases:
            if left < phase.steps:
                return phase, used + left * phase.batch
            used += phase.steps * phase.batch
            left -= phase.steps
        raise RecipeError(f"Got step {step} beyond the end of recipe {self.name!r}; the run is already finished.")

    def cycle_at(self, step: int) -> tuple[OptimiserRecipe, int, int]:
        """Return the optimiser's settings at a step (from 0), and the first step of their cycle and of the next."""
        plan, first, end = self.optimiser, 0, 0
        for phase in self.phases:
            if phase.optimiser is not None and end > 0:
                if step < end:
                    break
                plan, first = phase.optimiser, end
            elif phase.optimiser is not None:
                plan = phase.optimiser
            end += phase.steps
        return plan, first, end

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step (from 0)."""
        plan, first, end = self.cycle_at(step)
        warm = min(1.0, (step - first + 1) / plan.warmup_steps) if plan.warmup_steps else 1.0
        decay = min(1.0, (end - step) / plan.decay_steps) if plan.decay_steps else 1.0
        return plan.learning_rate * warm * decay

    def to_toml(self) -> str:
        """Return the recipe as a TOML text, which :meth:`parse` reads back to an equal recipe."""
        values = self.model_dump(mode="json", exclude_none=True)
        phases = values.pop("phases")
        tables = [(f"[{key}]", value) for key, value in values.items() if isinstance(value, dict)]
        tables += [("[[phases]]", phase) for phase in phases]
        plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
        return (
            "\n".join(_toml_lines("", plain) + [line for table in tables for line in ("", *_toml_lines(*table))]) + "\n"
        )

    @classmethod
    def parse(cls, text: str, source: str = "the recipe") -> Recipe:
        """Return the recipe that a TOML text describes.

        Raises
        ------
        RecipeError
            If the text is not TOML, or a value is missing, unknown or out of range; the message lists them.
        """
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"Got {source} with text that is not TOML ({error}); correct that line.") from error
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise RecipeError(f"Got {source} with values that do not fit ({faults}); correct them.") from error

    @classmethod
    def load(cls, name_or_path: str | Path) -> Recipe:
        """Return a built-in recipe by its name, or one from a TOML file.

        Raises
        ------
        RecipeError
            If there is no such recipe, or it does not make sense.
        """
        return cls.parse(recipe_text(name_or_path), f"recipe {name_or_path}")


def _toml_lines(header: str, values: dict[str, Any]) -> list[str]:
    lines = [f"{key} = {_toml_value(value)}" for key, value in values.items()]
    return [header, *lines] if header else lines


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(_toml_lines("", value)) + " }"
    # Strings, numbers and lists of strings are written alike in JSON and in TOML.
    return json.dumps(value, ensure_ascii=False)


def recipe_names() -> list[str]:
    """Return the names of the built-in recipes."""
    folder = resources.files("lsa_engine.training") / "recipes"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def recipe_text(name_or_path: str | Path) -> str:
    """Return the TOML text of a built-in recipe or of a file.

    Raises
    ------
    RecipeError
        If neither is there.
    """
    if str(name_or_path) in recipe_names():
        return (resources.files("lsa_engine.training") / "recipes" / f"{name_or_path}.toml").read_text("utf-8")
    try:
        return Path(name_or_path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"Got recipe {str(name_or_path)!r}, expected a TOML file or one of {', '.join(recipe_names())} ({error}); "
            "check the name."
        ) from error
