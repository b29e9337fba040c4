"""The multigrid solver against a direct one, on every sort of alpha; loops and tensor operations against each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import spsolve
from torch.utils._python_dispatch import TorchDispatchMode

from lsa_engine.bands import Bands
from lsa_engine.foreground.energy import energy
from lsa_engine.foreground.multigrid import Convergence, Step, first_step, further_step, solve
from lsa_engine.foreground.multigrid_processor import build_grids, load_colours, read_colours
from lsa_engine.foreground.multigrid_torch import build_tensor_grids

Plane = NDArray[np.float32]
SIZES = [(97, 131), (64, 64), (1, 50), (37, 1), (5, 3), (2, 2), (101, 2)]


def alphas(height: int, width: int) -> Iterator[tuple[str, Plane]]:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    radius = np.hypot(rows - height / 2, columns - width / 2)
    corners, pixel = np.zeros((2, height, width))
    pixel[height // 3, width // 4] = 1
    corners[0, 0], corners[-1, -1] = 1, 0.1
    yield "soft disc", np.clip((min(height, width) / 3 - radius) / 6 + 0.5, 0, 1)
    yield "hard disc", radius <= min(height, width) / 3
    yield "noise", rng.random((height, width))
    yield "binary noise", rng.random((height, width)) < 0.5
    yield "isolated pixels", rng.random((height, width)) < 0.005
    yield "isolated holes", rng.random((height, width)) > 0.005
    yield "checkerboard", (rows + columns) % 2
    yield "stripes", columns % 2
    yield "thin lines", (columns % 17 == 3) * 0.7
    yield "nearly transparent", 0.05 + 0.02 * rng.random((height, width))
    yield "nearly opaque", 1 - 0.02 * rng.random((height, width))
    yield "one pixel", pixel
    yield "two corners", corners
    yield "hair", np.clip(np.abs(np.sin(columns / 3 + np.sin(rows / 9) * 3)) ** 9 - 0.2, 0, 1)


CASES = [
    pytest.param(np.asarray(alpha, np.float32), id=f"{name} {height}x{width}")
    for height, width in SIZES
    for name, alpha in alphas(height, width)
    if np.any(alpha)
]


def minimum(colours: NDArray[np.float64], alpha: Plane, kappa: float) -> NDArray[np.float64]:
    """Solve for the zero of the gradient directly."""
    height, width = alpha.shape
    known, q = alpha.astype(float) ** 2, (1 - alpha.astype(float)) ** 2
    number = np.arange(alpha.size).reshape(alpha.shape)
    one = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    other = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    edge = kappa * np.concatenate([(q[:, 1:] + q[:, :-1]).ravel(), (q[1:] + q[:-1]).ravel()])
    rows, columns = np.concatenate([one, other, one, other]), np.concatenate([other, one, one, other])
    laplacian = coo_matrix((np.concatenate([-edge, -edge, edge, edge]), (rows, columns)), (alpha.size, alpha.size))
    matrix = (laplacian + diags(known.ravel())).tocsc()
    return np.stack(
        [spsolve(matrix, (known * colours[..., c]).ravel()).reshape(height, width) for c in range(colours.shape[2])], -1
    )


def solve_with_loops(
    colours: Plane, alpha: Plane, kappa: float, tolerance: float, threads: int = 1
) -> tuple[Plane, Convergence]:
    with Bands(threads=threads) as bands:
        grids = build_grids(alpha, colours.shape[2], kappa, bands)
        load_colours(grids[0], colours)
        outcome = solve(grids, tolerance, 1e-6 * tolerance * float((colours**2).sum()))
        out = np.empty_like(colours)
        read_colours(grids[0], out)
    return out, outcome


@pytest.mark.parametrize("alpha", CASES)
def test_the_cost_is_within_the_tolerance_of_the_true_minimum(alpha: Plane, rng: np.random.Generator) -> None:
    colours, kappa = rng.random((*alpha.shape, 3), np.float32), 0.7
    least = energy(minimum(colours, alpha, kappa), colours, alpha, kappa)
    nothing = 1e-6 * float((colours**2).sum())
    for tolerance in (1e-2, 1e-4):
        refined, outcome = solve_with_loops(colours, alpha, kappa, tolerance)
        cost = energy(refined, colours, alpha, kappa)
        assert outcome.converged
        assert cost - least <= tolerance * (least + nothing)
        # The reported bound holds, and the reported cost is that of the result.
        assert cost - least <= outcome.gap[0] + 1e-6 * least + 1e-9
        assert outcome.energy[0] == pytest.approx(cost, rel=1e-4, abs=1e-8)


def numbers(step: Step) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Perform a step of tensors, and bring its sums to the host."""
    residual, cost = (torch.as_tensor(sums).numpy() for sums in step())
    return residual, cost


@pytest.mark.parametrize("alpha", CASES)
def test_loops_and_tensor_operations_agree(alpha: Plane, rng: np.random.Generator) -> None:
    colours = rng.random((*alpha.shape, 2), np.float32)
    loops, outcome = solve_with_loops(colours, alpha, 1.0, 1e-6)
    tensors = torch.from_numpy(colours).permute(2, 0, 1)[None].contiguous()
    grids = build_tensor_grids(tensors, torch.from_numpy(alpha)[None, None], 1.0)
    same = solve(grids, 1e-6, 1e-12 * float((colours**2).sum()), perform=numbers)
    np.testing.assert_allclose(grids[0].x[0].permute(1, 2, 0).numpy(), loops, atol=1e-4)
    assert abs(same.cycles - outcome.cycles) <= 1  # rounding may tip the last one
    np.testing.assert_allclose(same.energy, outcome.energy, rtol=1e-4, atol=1e-8)


def test_the_images_of_a_batch_do_not_touch_each_other(rng: np.random.Generator) -> None:
    colours = torch.from_numpy(rng.random((3, 3, 20, 31), np.float32))
    planes = torch.from_numpy(rng.random((3, 1, 20, 31), np.float32))
    grids = build_tensor_grids(colours, planes, 1.0)
    outcome = solve(grids, 1e-3, 0.0, perform=numbers)
    assert outcome.energy.shape == outcome.gap.shape == (3,)
    for index in range(3):
        alone = build_tensor_grids(colours[index : index + 1], planes[index : index + 1], 1.0)
        solve(alone, 1e-3, 0.0, perform=numbers)
        torch.testing.assert_close(grids[0].x[index], alone[0].x[0], atol=1e-6, rtol=0)


class Watch(TorchDispatchMode):
    """Notes the names of all tensor operations."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.seen.add(function.name())
        return function(*args, **(kwargs or {}))


# What waits for the device or brings a number of the host's to it: neither can be recorded in a CUDA graph.
WAITING = (
    "_local_scalar_dense",
    "nonzero",
    "item",
    "equal",
    "unique",
    "scalar_tensor",
    "lift_fresh",
    "_to_copy",
    "where",
)


def test_no_step_on_tensors_waits_for_the_device(rng: np.random.Generator) -> None:
    colours = torch.from_numpy(rng.random((2, 3, 21, 34), np.float32))
    planes = torch.from_numpy(rng.random((2, 1, 21, 34), np.float32))
    with Watch() as watch:
        grids = build_tensor_grids(colours, planes, 1.0)
        first_step(grids)()
        places = [(grid.x.data_ptr(), grid.right.data_ptr()) for grid in grids]
        further_step(grids)()
    assert [name for name in watch.seen if name.split("::")[1].split(".")[0] in WAITING] == []
    assert "aten::addcmul_" in watch.seen  # or nothing was watched
    # A recording goes on where it left its numbers.
    assert [(grid.x.data_ptr(), grid.right.data_ptr()) for grid in grids] == places


def test_threads_and_pieces_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    colours, alpha = rng.random((61, 47, 3), np.float32), rng.random((61, 47), np.float32)
    whole, outcome = solve_with_loops(colours, alpha, 1.0, 1e-5)
    monkeypatch.setattr("lsa_engine.bands._PARALLEL_FROM", 1)
    monkeypatch.setattr("lsa_engine.bands._PIECE", 500)
    pieces, same = solve_with_loops(colours, alpha, 1.0, 1e-5, threads=3)
    np.testing.assert_array_equal(pieces, whole)
    np.testing.assert_allclose(same.gap, outcome.gap, rtol=1e-6)


def test_a_tighter_tolerance_takes_more_cycles_and_ends_nearer(rng: np.random.Generator) -> None:
    alpha = np.asarray(rng.random((80, 90)) < 0.4, np.float32)
    colours = rng.random((80, 90, 3), np.float32)
    costs, cycles = [], []
    for tolerance in (1e-1, 1e-3, 1e-6):
        refined, outcome = solve_with_loops(colours, alpha, 1.0, tolerance)
        costs.append(energy(refined, colours, alpha))
        cycles.append(outcome.cycles)
    assert cycles == sorted(set(cycles))
    assert costs == sorted(costs, reverse=True)


def test_an_unreachable_tolerance_is_reported_and_not_chased_for_ever(rng: np.random.Generator) -> None:
    colours, alpha = rng.random((30, 30, 1), np.float32), rng.random((30, 30), np.float32)
    with Bands(threads=1) as bands:
        grids = build_grids(alpha, 1, 1.0, bands)
        load_colours(grids[0], colours)
        outcome = solve(grids, 1e-30, 0.0, most_cycles=5)
    assert outcome.cycles == 5
    assert not outcome.converged
