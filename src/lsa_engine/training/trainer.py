"""The trainer: one process, resumable to the bit, stoppable; it delivers an averaged copy of the weights."""

from __future__ import annotations

import math
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from lsa_engine.devices import choose_training_device
from lsa_engine.errors import FileError, LsaError, RecipeError
from lsa_engine.image_io import atomic_path
from lsa_engine.network import LSANet, build_network, lay_out
from lsa_engine.progress import CancelToken, ProgressCallback, Steps
from lsa_engine.training.composites import ProceduralComposites
from lsa_engine.training.datasets import Batch, batch_loader, load_photos, load_sprites, stack_examples
from lsa_engine.training.foreground_cache import load_foregrounds
from lsa_engine.training.loss import matting_loss
from lsa_engine.training.recipe import Recipe, recipe_text
from lsa_engine.training.runs import (
    CHECKPOINT_FILE,
    RECIPE_FILE,
    VALIDATION_FOLDER,
    WEIGHTS_FILE,
    EventLog,
    StopRequest,
    clean_up,
)
from lsa_engine.weights import find_weights, fit_state, load_encoder, load_weights, save_weights
from lsa_engine.weights.files import ENCODER

_LOG_EVERY = 10
_VALIDATION_SEED = 7


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended.

    Attributes
    ----------
    weights : Path
        The averaged weights with the best validation score so far.
    steps : int
        Steps done.
    finished : bool
        False if the run was asked to stop before its end.
    best_score : float
        The best validation SAD, mean over the validation examples.
    """

    weights: Path
    steps: int
    finished: bool
    best_score: float


def train(
    recipe: Recipe | str | Path,
    output: str | Path,
    *,
    data: str | Path = "data",
    resume: bool = False,
    device: str = "auto",
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> TrainingResult:
    """Train a network by a recipe (§3, §4.2, §5).

    Parameters
    ----------
    recipe : Recipe, str or Path
        The recipe, a built-in recipe's name, or a TOML file.
    output : str or Path
        The run's folder: gets ``recipe.toml``, ``events.jsonl``, ``checkpoint.pt``, ``weights.safetensors``,
        ``validation/``.
    data : str or Path
        Folder under which the recipe's data folders lie.
    resume : bool
        Go on from the folder's checkpoint, as if the run had never stopped.
    device : str
        "auto", "cpu", "cuda" or "mps".
    progress, cancel
        Told of every step; a cancelled run saves its checkpoint and returns.

    Returns
    -------
    TrainingResult

    Raises
    ------
    RecipeError
        If the recipe does not make sense, or the folder already holds a run and `resume` is false.
    DataError
        If a data folder is missing or empty.
    WeightsError
        If the weights to start from are unknown or do not fit.
    FileError
        If the output folder cannot be written.
    """
    text = None if isinstance(recipe, Recipe) else recipe_text(recipe)
    plan = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    folder = Path(output)
    if not resume and (folder / CHECKPOINT_FILE).exists():
        raise RecipeError(
            f"Got output folder {folder}, which already holds a run; resume it (--resume) or name another folder."
        )
    if resume and not (folder / CHECKPOINT_FILE).exists():
        raise RecipeError(
            f"Got output folder {folder} to resume, which holds no checkpoint; start the run without --resume."
        )
    root = Path(data)
    seed = plan.seed
    sprites = load_sprites(plan.data.sprites, root)
    foregrounds = load_foregrounds(plan.data.foregrounds, root, plan.data.refine, progress=progress, cancel=cancel)
    photos = load_photos(plan.data.photos, root)
    composites = ProceduralComposites(photos, sprites, seed, foregrounds, plan.data.foreground_share)
    held_out = ProceduralComposites(
        load_photos(plan.data.validation_photos, root),
        sprites,
        _VALIDATION_SEED,
        foregrounds,
        plan.validation.foreground_share,
    )
    run = _Run(plan, folder, root.resolve(), composites, held_out, choose_training_device(device), fresh=not resume)
    if resume:
        run.restore()
    _prepare_folder(folder, text if text is not None else plan.to_toml(), resume)
    with StopRequest(folder) as stop:
        try:
            return run.go(stop, progress, cancel)
        except (LsaError, RuntimeError, OSError) as error:
            run.events.write("failed", step=run.step, message=str(error))
            raise


def _prepare_folder(folder: Path, recipe: str, resume: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        clean_up(folder, keep_events=resume)
    except OSError as error:
        raise FileError(
            f"Cannot use {folder} as the run's folder ({error.strerror}), "
            "expected one that can be written; name another."
        ) from error
    with atomic_path(folder / RECIPE_FILE) as temporary:
        temporary.write_text(recipe, encoding="utf-8")


class _Run:
    """The state of one run, and its loop."""

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        data: Path,
        composites: ProceduralComposites,
        held_out: ProceduralComposites,
        device: torch.device,
        *,
        fresh: bool,
    ) -> None:
        self.recipe = recipe
        self.folder = folder
        self.data = data
        self.device = device
        self.composites = composites
        self.held_out = held_out
        self.events = EventLog(folder)
        self.step = 0
        self.best = float("inf")
        self.window: list[Tensor] = []  # losses since the last "step" event
        self.begins_trained = False
        torch.manual_seed(recipe.seed)
        self.network = self._first_network(fresh)
        self.average = lay_out(build_network(recipe.size), device, torch.channels_last)
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = self._fresh_optimiser()

    def _first_network(self, fresh: bool) -> LSANet:
        network = build_network(self.recipe.size)
        # A resumed run has its weights in the checkpoint: those that it started from may be gone.
        if fresh and self.recipe.start_from is not None:
            loaded = load_weights(find_weights(self.recipe.start_from))
            self.begins_trained = loaded.metadata.get("kind") != ENCODER
            fit = fit_state if self.begins_trained else load_encoder
            fit(network, loaded)
        return lay_out(network, self.device, torch.channels_last)

    def _fresh_optimiser(self) -> torch.optim.AdamW:
        plan, _, _ = self.recipe.cycle_at(self.step)
        norms, others = _split_parameters(self.network)
        groups = [{"params": others, "weight_decay": plan.weight_decay}, {"params": norms, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=plan.learning_rate)

    def _begin_cycle(self) -> None:
        """Go on from the averaged weights, with an optimiser that remembers nothing."""
        self.network.load_state_dict(self.average.state_dict())
        self.optimiser = self._fresh_optimiser()

    def go(self, stop: StopRequest, progress: ProgressCallback | None, cancel: CancelToken | None) -> TrainingResult:
        recipe = self.recipe
        self.events.write(
            "started",
            step=self.step,
            steps=recipe.steps,
            name=recipe.name,
            size=recipe.size,
            device=str(self.device),
            versions={"torch": torch.__version__, "python": platform.python_version()},
            data=str(self.data),
            host=platform.node(),
            process=os.getpid(),
        )
        plan, guidance = recipe.validation, self.network.size.guidance
        validation = stack_examples(self.held_out, range(plan.examples), plan.crop, guidance)
        if self.begins_trained and self.step == 0:
            # What the run starts from is the score to beat: a run that makes it worse delivers these weights.
            self._validate(validation)
        steps = Steps("training", recipe.steps - self.step, progress)
        saved = time.monotonic()
        began = time.monotonic()
        seen = 0
        for batch in batch_loader(self.composites, recipe, self.step):
            self.window.append(self._train_step(batch))
            self.step += 1
            seen += len(batch.images)
            if self.step % _LOG_EVERY == 0 or self.step == recipe.steps:
                seconds = time.monotonic() - began
                self.events.write(
                    "step",
                    step=self.step,
                    samples=self._samples(),
                    loss=self._mean_loss(),
                    learning_rate=recipe.learning_rate_at(self.step - 1),
                    seconds=seconds,
                    samples_per_second=seen / seconds,
                )
                self.window.clear()
            last = self.step == recipe.steps
            if self.step % recipe.validation.every_steps == 0 or last:
                self._validate(validation)
                self.save()
                saved = time.monotonic()
            elif time.monotonic() - saved > 60 * recipe.checkpoint_minutes:
                self.save()
                saved = time.monotonic()
            steps.advance()
            if not last and (stop or (cancel is not None and cancel.cancelled)):
                self.save()
                self.events.write("stopped", step=self.step, message="Stopped on request; resume to go on.")
                return TrainingResult(self.folder / WEIGHTS_FILE, self.step, False, self.best)
        self.events.write("finished", step=self.step, message="All steps done.", best_sad=self.best)
        return TrainingResult(self.folder / WEIGHTS_FILE, self.step, True, self.best)

    def _mean_loss(self) -> float:
        loss = float(torch.stack(self.window).mean())
        if not math.isfinite(loss):
            raise RecipeError(
                f"Got a loss that is not a number by step {self.step}, expected a finite one; "
                f"lower the learning rate of recipe {self.recipe.name!r} or its gradients' clip."
            )
        return loss

    def _samples(self) -> int:
        phase, used = self.recipe.phase_at(self.step - 1)
        return used + phase.batch

    def _predict(self, network: nn.Module, inputs: Tensor) -> Tensor:
        use_half = self.recipe.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=use_half):
            return network(inputs).float()

    def _train_step(self, batch: Batch) -> Tensor:
        plan, first, _ = self.recipe.cycle_at(self.step)
        if self.step == first > 0:
            self._begin_cycle()
        inputs, _, alphas, trimaps = (part.to(self.device) for part in batch)
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate_at(self.step)
        self.network.train()
        prediction = self._predict(self.network, inputs)
        loss = matting_loss(prediction, alphas.float() / 255, trimaps == 128)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), plan.clip)
        self.optimiser.step()
        self._follow()
        return loss.detach()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights towards the trained ones; faster at first, so that a cycle's start is forgotten."""
        plan, first, _ = self.recipe.cycle_at(self.step)
        done = self.step - first
        keep = min(plan.ema, (1 + done) / (10 + done))
        ours, theirs = self.average.state_dict(), self.network.state_dict()
        floating = [name for name, tensor in ours.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([ours[name] for name in floating], [theirs[name] for name in floating], 1 - keep)

    @torch.no_grad()
    def _validate(self, validation: Batch) -> None:
        self.average.eval()
        errors, squares, shown = [], [], []
        for index in range(len(validation.images)):
            inputs, images, alphas, trimaps = (part[index : index + 1].to(self.device) for part in validation)
            prediction = self._predict(self.average, inputs).clamp(0, 1)
            prediction = torch.where(trimaps == 255, 1.0, torch.where(trimaps == 0, 0.0, prediction))
            unknown = trimaps == 128
            difference = (prediction - alphas.float() / 255)[unknown]
            errors.append(float(difference.abs().sum()) / 1000)
            squares.append(float(difference.square().mean()) if unknown.any() else 0.0)
            if index < 6:
                shown.append(_side_by_side(images[0], trimaps[0], prediction[0], alphas[0]))
        sad, mse = float(np.mean(errors)), float(np.mean(squares))
        picture = f"{VALIDATION_FOLDER}/{self.step:06d}.png"
        (self.folder / VALIDATION_FOLDER).mkdir(exist_ok=True)
        with atomic_path(self.folder / picture) as temporary:
            Image.fromarray(np.vstack(shown)).save(temporary)
        self.events.write("validation", step=self.step, sad=sad, mse=mse, image=picture)
        if sad < self.best:
            self.best = sad
            self._deliver()

    def _deliver(self) -> None:
        recipe = self.recipe
        metadata = {
            "size": recipe.size,
            "name": recipe.name,
            "licence": recipe.licence,
            "description": recipe.description,
            "recipe": recipe.model_dump_json(),
            "step": str(self.step),
            "validation_sad": f"{self.best:.4f}",
        }
        save_weights(self.folder / WEIGHTS_FILE, self.average.state_dict(), metadata, half=True)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "step": self.step,
            "best": self.best,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "window": self.window,
            "torch_rng": torch.get_rng_state(),
        }
        with atomic_path(self.folder / CHECKPOINT_FILE) as temporary:
            torch.save(state, temporary)
        self.events.write("checkpoint", step=self.step)

    def restore(self) -> None:
        """Take everything from the folder's checkpoint."""
        path = self.folder / CHECKPOINT_FILE
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
            self.step, self.best, self.window = state["step"], state["best"], state["window"]
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            torch.set_rng_state(state["torch_rng"].cpu())
        except (UnpicklingError, EOFError, RuntimeError, LookupError, ValueError) as error:
            raise RecipeError(
                f"Got checkpoint {path} to resume, which is damaged or does not fit recipe {self.recipe.name!r}; "
                f"resume with the recipe of that run, {self.folder / RECIPE_FILE}, or start a new one."
            ) from error
        self.events.rewind(self.step)


def _split_parameters(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the one-dimensional parameters (norms, biases), which are not decayed, and the others."""
    norms = [parameter for parameter in network.parameters() if parameter.ndim == 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    return norms, others


def _side_by_side(image: Tensor, trimap: Tensor, prediction: Tensor, alpha: Tensor) -> np.ndarray:
    gray = [part.cpu().expand(3, -1, -1) for part in (trimap, (prediction * 255).round().to(torch.uint8), alpha)]
    return torch.cat([image.cpu(), *gray], 2).permute(1, 2, 0).numpy()
