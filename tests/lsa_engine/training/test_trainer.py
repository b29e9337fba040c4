"""The trainer: it learns, and says what does not fit."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
import torch
from PIL import Image

from lsa_engine.errors import DataError, FileError, RecipeError, WeightsError
from lsa_engine.network import build_network
from lsa_engine.progress import CancelToken
from lsa_engine.training.recipe import Recipe
from lsa_engine.training.runs import read_events, request_stop
from lsa_engine.training.trainer import TrainingResult, train
from lsa_engine.weights import fit_state, load_weights, save_weights
from trainings import TEXT, assert_same_state, at_step, checkpoint_of, events_of, numbers_of, tiny

pytestmark = pytest.mark.usefixtures("one_thread")


# --- a run ------------------------------------------------------------------------------------------------------------


def test_a_run_tells_its_steps_its_scores_and_its_end(whole_run: tuple[Path, TrainingResult]) -> None:
    folder, result = whole_run
    assert result.finished
    assert result.steps == 14
    kinds = [event["event"] for event in read_events(folder)[0]]
    assert kinds == ["started", "validation", "checkpoint", "step", "step", "validation", "checkpoint", "finished"]
    assert [(e["step"], e["samples"]) for e in events_of(folder, "step")] == [(10, 20), (14, 28)]
    scores = events_of(folder, "validation")
    assert [score["step"] for score in scores] == [8, 14]
    assert result.best_score == min(score["sad"] for score in scores)
    for score in scores:
        picture = Image.open(folder / score["image"])
        assert picture.size == (4 * 64, 2 * 64)


def test_the_weights_of_a_run_fit_the_network_and_say_what_they_are(whole_run: tuple[Path, TrainingResult]) -> None:
    folder, result = whole_run
    assert result.weights == folder / "weights.safetensors"
    loaded = load_weights(result.weights)
    assert (loaded.metadata["size"], loaded.metadata["name"]) == ("lsanet-lite", "tiny")
    assert loaded.metadata["licence"] == "CC0-1.0"
    assert Recipe.model_validate_json(loaded.metadata["recipe"]) == tiny()
    network = build_network("lsanet-lite")
    fit_state(network, loaded)
    if int(loaded.metadata["step"]) == 14:
        average = checkpoint_of(folder)["average"]
        for name, tensor in loaded.state.items():
            assert torch.equal(tensor, average[name].half().float()), name


def test_the_recipe_lies_beside_the_weights(whole_run: tuple[Path, TrainingResult], training_data: Path) -> None:
    assert Recipe.load(whole_run[0] / "recipe.toml") == tiny()


def test_a_recipe_file_is_kept_word_for_word(tmp_path: Path, training_data: Path) -> None:
    text = "# My first recipe.\n" + TEXT.replace("steps = 14", "steps = 1").replace("crop = 64", "crop = 32")
    (tmp_path / "mine.toml").write_text(text)
    train(tmp_path / "mine.toml", tmp_path / "run", data=training_data, device="cpu")
    assert (tmp_path / "run" / "recipe.toml").read_text() == text


def with_cycle(rate: float) -> Recipe:
    """The tiny recipe, and a second cycle of four steps."""
    cycle = f"optimiser = {{ learning_rate = {rate}, warmup_steps = 1, decay_steps = 2, ema = 0.5 }}"
    return Recipe.parse(f"{TEXT}\n[[phases]]\nsteps = 4\ncrop = 64\nbatch = 2\n{cycle}\n")


def test_a_cycle_begins_with_the_averaged_weights_and_a_fresh_optimiser(
    tmp_path: Path, training_data: Path, whole_run: tuple[Path, TrainingResult]
) -> None:
    # Of so small a rate nothing is seen but where it began.
    train(with_cycle(1e-30), tmp_path, data=training_data, device="cpu")
    before, after = checkpoint_of(whole_run[0]), checkpoint_of(tmp_path)
    for name, _ in build_network("lsanet-lite").named_parameters():
        assert torch.equal(after["network"][name], before["average"][name]), name
        assert not torch.equal(after["network"][name], before["network"][name]), name
    assert {int(state["step"]) for state in after["optimiser"]["state"].values()} == {4}


def test_a_run_resumed_in_another_cycle_goes_on_to_the_bit(tmp_path: Path, training_data: Path) -> None:
    recipe = with_cycle(1e-3)
    train(recipe, tmp_path / "whole", data=training_data, device="cpu")
    for stop in (14, 16):
        folder = tmp_path / f"stopped at {stop}"
        stopping = at_step(stop, lambda folder=folder: request_stop(folder))
        assert not train(recipe, folder, data=training_data, device="cpu", progress=stopping).finished
        (folder / "STOP").unlink(missing_ok=True)
        train(recipe, folder, data=training_data, device="cpu", resume=True)
        assert_same_state(checkpoint_of(folder), checkpoint_of(tmp_path / "whole"))
        assert numbers_of(folder) == numbers_of(tmp_path / "whole")


@pytest.mark.parametrize("workers", [0, 1])
def test_training_lowers_the_loss(tmp_path: Path, training_data: Path, workers: int) -> None:
    recipe = tiny(
        ("steps = 14", "steps = 40"), ("workers = 0", f"workers = {workers}"), ("every_steps = 8", "every_steps = 40")
    )
    train(recipe, tmp_path / "run", data=training_data, device="cpu")
    losses = [event["loss"] for event in events_of(tmp_path / "run", "step")]
    assert len(losses) == 4
    assert losses[-1] < 0.8 * losses[0]


def test_half_precision_learns_too(tmp_path: Path, training_data: Path) -> None:
    recipe = tiny(
        ('precision = "float32"', 'precision = "bfloat16"'), ("steps = 14", "steps = 3"), ("crop = 64", "crop = 32")
    )
    result = train(recipe, tmp_path / "run", data=training_data, device="cpu")
    assert result.finished
    assert 0 < events_of(tmp_path / "run", "step")[0]["loss"] < 10


# --- weights to start from --------------------------------------------------------------------------------------------

STANDSTILL = (
    ("steps = 14", "steps = 1"),
    ("crop = 64", "crop = 32"),
    ("learning_rate = 2e-3", "learning_rate = 1e-30\nweight_decay = 0"),
)


@pytest.mark.parametrize("kind", ["matting", "encoder"])
def test_a_run_starts_from_the_weights_of_its_recipe(
    tmp_path: Path, training_data: Path, user_weights_folder: Path, kind: str
) -> None:
    torch.manual_seed(77)
    given = build_network("lsanet-lite").state_dict()
    if kind == "encoder":
        given = {name: tensor for name, tensor in given.items() if name.startswith("encoder.")}
    save_weights(user_weights_folder / "given.safetensors", given, {"size": "lsanet-lite", "kind": kind})
    recipe = tiny(*STANDSTILL, ('name = "tiny"', 'name = "tiny"\nstart_from = "given"'))
    train(recipe, tmp_path / "run", data=training_data, device="cpu")
    learnt = checkpoint_of(tmp_path / "run")["network"]
    weights = [name for name in learnt if name.endswith("conv.weight")]
    taken = {
        name for name in weights if name in given and torch.allclose(learnt[name], given[name], rtol=0, atol=1e-20)
    }
    assert taken == {name for name in weights if kind == "matting" or name.startswith("encoder.")}


def test_a_run_resumes_when_the_weights_it_started_from_are_gone(
    tmp_path: Path, training_data: Path, user_weights_folder: Path
) -> None:
    path = user_weights_folder / "given.safetensors"
    save_weights(path, build_network("lsanet-lite").state_dict(), {"size": "lsanet-lite"})
    recipe = tiny(
        ("crop = 64", "crop = 32"),
        ("steps = 14", "steps = 3"),
        ('name = "tiny"', f'name = "tiny"\nstart_from = "{path}"'),
    )
    token = CancelToken()
    folder = tmp_path / "run"
    train(recipe, folder, data=training_data, device="cpu", progress=at_step(1, token.cancel), cancel=token)
    path.unlink()
    assert train(recipe, folder, data=training_data, device="cpu", resume=True).finished
    with pytest.raises(WeightsError, match=r"given\.safetensors"):
        train(recipe, tmp_path / "another", data=training_data, device="cpu")
    assert not (tmp_path / "another").exists()


def test_a_run_that_starts_from_weights_never_delivers_worse_ones(
    tmp_path: Path, training_data: Path, user_weights_folder: Path
) -> None:
    torch.manual_seed(77)
    path = user_weights_folder / "given.safetensors"
    save_weights(path, build_network("lsanet-lite").state_dict(), {"size": "lsanet-lite"})
    # Steps this large ruin any network.
    recipe = tiny(
        ("crop = 64", "crop = 32"),
        ("steps = 14", "steps = 2"),
        ("learning_rate = 2e-3", "learning_rate = 50.0"),
        ("warmup_steps = 4", "warmup_steps = 0"),
        ("ema = 0.8", "ema = 0.0"),
        ('name = "tiny"', 'name = "tiny"\nstart_from = "given"'),
    )
    result = train(recipe, tmp_path / "run", data=training_data, device="cpu")
    scores = {event["step"]: event["sad"] for event in events_of(tmp_path / "run", "validation")}
    assert scores.keys() == {0, 2}
    assert scores[2] > scores[0] == result.best_score
    delivered = load_weights(result.weights)
    assert delivered.metadata["step"] == "0"
    given = load_weights(path).state
    assert all(torch.allclose(delivered.state[name], given[name], atol=1e-3) for name in given)


def test_a_run_says_where_it_runs_and_on_what(whole_run: tuple[Path, TrainingResult], training_data: Path) -> None:
    started = events_of(whole_run[0], "started")[0]
    assert (started["host"], started["data"]) == (platform.node(), str(training_data.resolve()))
    assert started["process"] == os.getpid()


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_an_existing_run_is_not_overwritten(whole_run: tuple[Path, TrainingResult], training_data: Path) -> None:
    folder, _ = whole_run
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(RecipeError, match="already holds a run.*--resume"):
        train(tiny(), folder, data=training_data, device="cpu")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_folder_without_a_checkpoint_cannot_be_resumed(tmp_path: Path, training_data: Path) -> None:
    with pytest.raises(RecipeError, match="holds no checkpoint.*without --resume"):
        train(tiny(), tmp_path / "run", data=training_data, device="cpu", resume=True)
    assert not (tmp_path / "run").exists()


def test_a_missing_data_folder_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="alphas, which does not exist"):
        train(tiny(), tmp_path / "run", data=tmp_path, device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_told(tmp_path: Path, training_data: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for content in (b"", b"PK\x03\x04 and no more"):
        (folder / "checkpoint.pt").write_bytes(content)
        with pytest.raises(RecipeError, match=r"checkpoint\.pt to resume, which is damaged"):
            train(tiny(), folder, data=training_data, device="cpu", resume=True)


def test_an_output_folder_that_cannot_be_made_is_told(tmp_path: Path, training_data: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="as the run's folder"):
        train(tiny(), tmp_path / "file" / "run", data=training_data, device="cpu")


def test_a_loss_that_is_not_a_number_ends_the_run(tmp_path: Path, training_data: Path) -> None:
    recipe = tiny(
        ("learning_rate = 2e-3", "learning_rate = 1e30"),
        ("crop = 64", "crop = 32"),
        ("every_steps = 8", "every_steps = 20"),
    )
    with pytest.raises(RecipeError, match="lower the learning rate"):
        train(recipe, tmp_path / "run", data=training_data, device="cpu")
    last = read_events(tmp_path / "run")[0][-1]
    assert last["event"] == "failed"
    assert "learning rate" in last["message"]


def test_events_of_a_run_that_never_saved_do_not_stay(tmp_path: Path, training_data: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "events.jsonl").write_text('{"event": "step", "step": 10, "loss": 9.0}\n{"ev')
    train(tiny(("steps = 14", "steps = 1"), ("crop = 64", "crop = 32")), folder, data=training_data, device="cpu")
    assert read_events(folder)[0][0]["event"] == "started"
    assert [event["step"] for event in events_of(folder, "step")] == [1]
