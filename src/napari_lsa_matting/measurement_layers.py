"""Measurements on napari's layers: rows among the features of labels, or a point at every centroid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from inspect import unwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # napari keeps features in it
from napari.layers import Labels, Points

from lsa_engine.errors import InputError
from napari_lsa_matting.layers import METADATA_KEY, calibration, made_as, plane_grid, with_provenance
from napari_lsa_matting.placing import put_in_place
from napari_lsa_matting.session import session_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_lsa_matting.measure_request import MeasureOutcome
    from napari_lsa_matting.measurement import Matte, Region

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


def show_centroids(
    viewer: ViewerModel,
    mattes: Sequence[Matte],
    region: Region,
    outcome: MeasureOutcome,
    facts: Mapping[str, Any],
) -> Points | None:
    """Show a point for every measurement, which is its features; a later run updates the points in place.

    Returns
    -------
    napari.layers.Points or None
        None if all mattes are empty, so that they have no centroid.
    """
    alpha = mattes[0].layer
    # The points lie on the first alpha; in a stack of objects each at its own.
    indices = [
        region.places[part].mattes[number if mattes[number].layer is alpha else 0] for part, number in outcome.origins
    ]
    centroids = np.array([measurement.centroid for measurement in outcome.measurements]) / np.array(region.spacing)
    places = np.hstack([np.array(indices, dtype=np.float64), centroids])
    there = np.isfinite(places).all(axis=1)
    if not there.any():
        return None
    points = places[there]
    features = pd.DataFrame(outcome.columns)[there].reset_index(drop=True)
    several = region.series is not None or len(mattes) > 1
    where: object = region.places[0].mattes[0]
    if several:
        where = "objects" if region.series is None else region.series
    session, purpose = session_of(viewer), (KIND, region.axes, where)
    layer = session.output(alpha, purpose)
    facts = {"kind": KIND, **facts, "columns": list(features), "points": len(points)}
    if isinstance(layer, Points) and layer in viewer.layers and len(layer.data) == _count_of(layer):
        layer.data = points
        put_in_place(layer, calibration(alpha))
        layer.features = features
        layer.metadata = with_provenance(layer.metadata, **facts)
        return layer
    selected = {unwrap(layer) for layer in viewer.layers.selection}
    added = viewer.add_points(
        points,
        name=f"centroid{'s' if several else ''} of {alpha.name}",
        features=features,
        symbol="cross",
        size=max(_SMALLEST, 0.025 * min(plane_grid(alpha)[1])),
        face_color=_COLOUR,
        border_width=0,
        metadata=with_provenance({}, **facts),
        **calibration(alpha),
    )
    layer = unwrap(added)
    session.remember_output(alpha, purpose, layer)
    if selected:  # which may be the alphas that are measured
        viewer.layers.selection = selected
    return layer


def _count_of(points: Points) -> int | None:
    """Return how many points a run has made; the user may have put others beside them."""
    record = points.metadata.get(METADATA_KEY)
    return record.get("points") if isinstance(record, Mapping) else None
