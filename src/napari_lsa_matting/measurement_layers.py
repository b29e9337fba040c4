"""Measurements on napari's layers: rows among the features of labels, or a point at every centroid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from inspect import unwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # napari keeps features in it
from napari.layers import Image, Labels, Points
from numpy.typing import NDArray

from lsa_engine.errors import InputError
from napari_lsa_matting.layers import METADATA_KEY, calibration, made_as, plane_grid, with_provenance
from napari_lsa_matting.session import session_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from lsa_engine.measure import Measurement
    from napari_lsa_matting.measurement import Region

KIND = "measurements"
"""What the provenance calls layers that carry measurements."""

_COLOUR = "#e07b39"
_SMALLEST = 3


def merge_features(
    existing: pd.DataFrame, columns: Mapping[str, Sequence[Any]], outdated: Iterable[str] = ()
) -> pd.DataFrame:
    """Return the features of a Labels layer with measurements put in, one row a label.

    Parameters
    ----------
    existing : pandas.DataFrame
        The layer's features. Without a column "index", napari takes row k for label k.
    columns : mapping
        As from :func:`lsa_engine.measure.to_columns`, measured of labels.
    outdated : iterable of str
        Columns of an earlier run, which go.

    Returns
    -------
    pandas.DataFrame
        "index", by which napari finds the row of a label, the measurements, and what else there was.

    Raises
    ------
    InputError
        If the column "index" that there is does not hold numbers.
    """
    measured = pd.DataFrame(columns).rename(columns={"object": "index"})
    gone = (set(outdated) | set(measured)) - {"index"}
    kept = pd.DataFrame(existing).drop(columns=[name for name in existing if name in gone])
    if set(kept) <= {"index"}:
        return measured
    if "index" not in kept:
        kept.insert(0, "index", range(len(kept)))
    if not pd.api.types.is_numeric_dtype(kept["index"]):
        raise InputError(
            f"The column 'index' of the labels' features holds {kept['index'].dtype}, but the numbers of labels are "
            "expected: rename it, and measure again."
        )
    return measured.merge(kept, on="index", how="outer")


def put_on_labels(labels: Labels, columns: Mapping[str, Sequence[Any]], facts: Mapping[str, Any]) -> None:
    """Put measurements into the features of a Labels layer, which the status bar and napari's features table show.

    Raises
    ------
    InputError
        As :func:`merge_features`.
    """
    outdated = labels.metadata[METADATA_KEY].get("columns", ()) if made_as(labels) == KIND else ()
    labels.features = merge_features(labels.features, columns, outdated)
    labels.metadata = with_provenance(labels.metadata, kind=KIND, **facts, columns=list(columns))


def show_centroid(
    viewer: ViewerModel,
    alpha: Image,
    region: Region,
    measurement: Measurement,
    columns: Mapping[str, Sequence[Any]],
    facts: Mapping[str, Any],
) -> Points | None:
    """Show a point with the measurements as its features; a later run updates it in place.

    Returns
    -------
    napari.layers.Points or None
        None if the matte is empty, so that it has no centroid.
    """
    place = _in_pixels(measurement, region)
    if not np.isfinite(place).all():
        return None
    session, purpose = session_of(viewer), (KIND, region.axes, region.index)
    layer = session.output(alpha, purpose)
    facts = {"kind": KIND, **facts, "columns": list(columns)}
    if isinstance(layer, Points) and layer in viewer.layers and len(layer.data) == 1:
        layer.data = place
        layer.features = dict(columns)
        layer.metadata = with_provenance(layer.metadata, **facts)
        return layer
    active = viewer.layers.selection.active
    added = viewer.add_points(
        place,
        name=f"centroid of {alpha.name}",
        features=dict(columns),
        symbol="cross",
        size=max(_SMALLEST, 0.025 * min(plane_grid(alpha)[1])),
        face_color=_COLOUR,
        border_width=0,
        metadata=with_provenance({}, **facts),
        **calibration(alpha),
    )
    point: Points = unwrap(added)
    session.remember_output(alpha, purpose, point)
    if active is not None:
        viewer.layers.selection.active = active
    return point


def _in_pixels(measurement: Measurement, region: Region) -> NDArray[np.float64]:
    """Return the centroid (1, D) in the pixels of the whole layer."""
    centroid = np.array(measurement.centroid) / np.array(region.spacing)
    return np.array([[*region.index, *centroid]], dtype=np.float64)
