"""The Matter against the published network and its refinement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lsa_engine as lsa


@pytest.fixture(scope="module")
def published(imported_weights: Path, oracle) -> lsa.Matter:
    matter = lsa.Matter(imported_weights, device="cpu", dtype="float32")
    matter.set_image(oracle.image)
    matter.set_trimap(oracle.trimap)
    return matter


def known_put_back(matte: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    return np.where(trimap == 255, 1, np.where(trimap == 0, 0, matte.clip(0, 1)))


def test_the_imported_network_gives_the_published_matte(published, oracle):
    expected = known_put_back(oracle.forward, oracle.trimap)
    np.testing.assert_allclose(published.predict().alpha, expected, atol=1e-4)


def test_five_iterations_of_the_refinement_give_the_published_ones(published, oracle):
    result = published.refine(lsa.Refinement(method="paper", boundary="released", iterations=5))
    np.testing.assert_allclose(result.alpha, known_put_back(oracle.refined_5, oracle.trimap), atol=2e-3)
    np.testing.assert_allclose(result.initial_alpha, known_put_back(oracle.forward, oracle.trimap), atol=1e-4)
    assert result.report.evaluations == 6
    assert result.report.cost_after < 0.6 * result.report.cost_before


def test_the_two_boundary_rules_give_different_mattes(published, oracle):
    paper = published.refine(lsa.Refinement("paper", boundary="paper", iterations=3))
    released = published.refine(lsa.Refinement("paper", boundary="released", iterations=3))
    assert np.abs(paper.alpha - released.alpha).max() > 1e-3
