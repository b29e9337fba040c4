"""Measurements among the features of labels."""

from __future__ import annotations

import pandas as pd
import pytest

from lsa_engine.errors import InputError
from napari_lsa_matting.measurement_layers import merge_features


def test_without_other_features_only_the_measured_labels_have_rows() -> None:
    merged = merge_features(pd.DataFrame(), {"object": [2, 5], "area": [1.0, 4.0]})
    assert merged.to_dict("list") == {"index": [2, 5], "area": [1.0, 4.0]}


def test_features_without_an_index_go_by_the_row_as_in_napari() -> None:
    merged = merge_features(pd.DataFrame({"name": ["none", "a", "b"]}), {"object": [2], "area": [4.0]})
    assert list(merged["index"]) == [0, 1, 2]
    assert list(merged["name"]) == ["none", "a", "b"]
    assert merged["area"].isna().tolist() == [True, True, False]


def test_an_index_of_words_is_refused() -> None:
    with pytest.raises(InputError, match="rename it"):
        merge_features(pd.DataFrame({"index": ["a"], "name": ["b"]}), {"object": [2], "area": [4.0]})
