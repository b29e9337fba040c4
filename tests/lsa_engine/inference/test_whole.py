"""A whole image at once: the head is computed only where something is seen, and that changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

import lsa_engine as lsa
from lsa_engine.inference import whole
from lsa_engine.samples import load_photograph, load_trimap


@pytest.fixture
def lent() -> lsa.Matter:
    """A part of the sample photograph, odd both ways, that is unknown in few places."""
    matter = lsa.Matter("lsa-lite", device="cpu", dtype="float32")
    trimap = np.array(load_trimap().values[100:401, 150:451])
    trimap[:, 180:] = 0
    trimap[-3:, -3:] = 255
    matter.set_image(load_photograph()[100:401, 150:451])
    matter.set_trimap(trimap)
    return matter


@pytest.mark.parametrize("tta", [0, 8, 24])
def test_the_matte_is_that_of_a_head_that_is_computed_everywhere(lent, tta, monkeypatch):
    result = lent.predict(tta=tta)
    monkeypatch.setattr(whole, "seen_boxes", lambda trimaps: None)
    expected = lent.predict(tta=tta)
    np.testing.assert_allclose(result.alpha, expected.alpha, atol=2e-5)
    np.testing.assert_allclose(result.violation, expected.violation, atol=2e-5)
    assert result.report.violation == pytest.approx(expected.report.violation, rel=1e-3)
    if tta:
        np.testing.assert_allclose(result.uncertainty, expected.uncertainty, atol=5e-4)


def test_the_head_sees_little_more_than_what_is_unknown(lent):
    seen: list[int] = []
    head = lent._runner().network.head
    handle = head.conv1.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[-2:].numel()))
    lent.predict()
    handle.remove()
    unknown = np.count_nonzero(lent._trimap.unknown)
    assert unknown <= sum(seen) < 0.6 * lent._trimap.values.size
