"""Recipes: read from TOML, refused by field, and a schedule that follows from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsa_engine.errors import RecipeError
from lsa_engine.training.recipe import Recipe, recipe_names

TEXT = """
name = "trial"
[data]
photos = ["a", "b"]
[[phases]]
steps = 10
crop = 64
batch = 4
[[phases]]
steps = 5
crop = 96
batch = 2
[optimiser]
learning_rate = 1e-3
warmup_steps = 4
decay_steps = 5
"""


@pytest.mark.parametrize("name", ["fine-tune", "lsa-lite", "quick"])
def test_built_in_recipes_make_sense(name: str) -> None:
    assert name in recipe_names()
    recipe = Recipe.load(name)
    assert recipe.name == name
    assert recipe.size == "lsanet-lite"
    # What is trained on somebody's own pictures is theirs to license.
    assert recipe.licence == ("unstated" if name == "fine-tune" else "BSD-3-Clause")


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "trial.toml").write_text(TEXT)
    recipe = Recipe.load(tmp_path / "trial.toml")
    assert recipe.name == "trial"
    assert recipe.data.photos == ("a", "b")
    assert recipe.steps == 15


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('name = "trial"', "", "name"),
        ('name = "trial"', 'name = "trial"\nsise = "lsanet-lite"', "sise"),
        ('name = "trial"', 'name = "trial"\nsize = "lsanet-huge"', "size: .*lsanet-r50d, lsanet-lite"),
        ('name = "trial"', 'name = "trial"\nprecision = "float8"', "precision"),
        ("crop = 96", "crop = 8", r"phases\.1\.crop: .*32"),
        ("batch = 4", 'batch = "four"', r"phases\.0\.batch"),
        ("warmup_steps = 4", "warmup_steps = -1", r"optimiser\.warmup_steps"),
        ("learning_rate = 1e-3", "learning_rate = 0", r"optimiser\.learning_rate"),
        ('photos = ["a", "b"]', "photos = []", r"data\.photos"),
        ('photos = ["a", "b"]', 'photo = ["a"]', r"data\.photo\b"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_field(old: str, new: str, field: str) -> None:
    with pytest.raises(RecipeError, match=field):
        Recipe.parse(TEXT.replace(old, new))


def test_a_recipe_without_phases_is_refused() -> None:
    with pytest.raises(RecipeError, match="phases"):
        Recipe.parse('name = "empty"')
    with pytest.raises(RecipeError, match="phases"):
        Recipe.parse('name = "empty"\nphases = []')


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(RecipeError) as refusal:
        Recipe.parse(TEXT.replace("crop = 96", "crop = 8").replace("1e-3", "-1"))
    assert "phases.1.crop" in str(refusal.value)
    assert "optimiser.learning_rate" in str(refusal.value)


def test_text_that_is_not_toml_is_refused_with_its_line() -> None:
    with pytest.raises(RecipeError, match="not TOML .*line 2"):
        Recipe.parse('name = "a"\nsteps 10')


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="'quikc', expected a TOML file or one of fine-tune, lsa-lite, quick"):
        Recipe.load("quikc")
    with pytest.raises(RecipeError, match="expected a TOML file"):
        Recipe.load(tmp_path)


def test_a_recipe_survives_being_written_down() -> None:
    recipe = Recipe.parse(TEXT.replace("1e-3", "0.00001")).model_copy(
        update={"description": 'Ünusual "quotes"\nand\\lines 😀', "start_from": "weights/a.safetensors"}
    )
    assert Recipe.parse(recipe.to_toml()) == recipe
    for name in recipe_names():
        assert Recipe.parse(Recipe.load(name).to_toml()) == Recipe.load(name)


def test_phases_follow_each_other_and_count_their_examples() -> None:
    recipe = Recipe.parse(TEXT)
    found = {step: recipe.phase_at(step) for step in (0, 9, 10, 14)}
    assert [(phase.crop, used) for phase, used in found.values()] == [(64, 0), (64, 36), (96, 40), (96, 48)]
    with pytest.raises(RecipeError, match="step 15"):
        recipe.phase_at(15)


def test_the_learning_rate_warms_up_holds_and_falls() -> None:
    recipe = Recipe.parse(TEXT)
    rates = [recipe.learning_rate_at(step) for step in range(recipe.steps)]
    expected = [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]
    assert rates == pytest.approx([1e-3 * share for share in expected])


def test_without_warm_up_and_decay_the_learning_rate_is_constant() -> None:
    text = TEXT.replace("warmup_steps = 4", "warmup_steps = 0").replace("decay_steps = 5", "decay_steps = 0")
    recipe = Recipe.parse(text)
    assert {recipe.learning_rate_at(step) for step in range(recipe.steps)} == {1e-3}


CYCLE = """
[[phases]]
steps = 6
crop = 96
batch = 2
optimiser = { learning_rate = 2e-4, warmup_steps = 2, decay_steps = 2 }
"""


def test_a_phase_with_an_optimiser_begins_a_cycle_of_its_own() -> None:
    recipe = Recipe.parse(TEXT + CYCLE)
    first = Recipe.parse(TEXT)
    assert [recipe.learning_rate_at(step) for step in range(15)] == [first.learning_rate_at(step) for step in range(15)]
    rates = [recipe.learning_rate_at(step) for step in range(15, 21)]
    assert rates == pytest.approx([1e-4, 2e-4, 2e-4, 2e-4, 2e-4, 1e-4])
    assert [recipe.cycle_at(step)[1:] for step in (0, 14, 15, 20)] == [(0, 15), (0, 15), (15, 21), (15, 21)]
    assert Recipe.parse(recipe.to_toml()) == recipe
