"""The layers that show one matte for each object: a layer each, or a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_lsa_matting.layers import Index, add_output, calibration, update_output, with_provenance
from napari_lsa_matting.placing import put_in_place
from napari_lsa_matting.session import session_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_lsa_matting.object_request import ObjectsOutcome

OBJECT_AXIS = "object"
"""Label of the axis along which a stack holds one matte for each object."""


class ObjectNames(dict[int, str]):
    """What a layer's objects are called: by the features' column "name", or else by the layer and the label.

    Parameters
    ----------
    layer : napari.layers.Labels
        Its features may say in "name", by the column "index", what a label stands for.
    """

    def __init__(self, layer: Labels) -> None:
        features = layer.features
        self._layer_name = layer.name
        if "index" in features and "name" in features:
            rows = zip(features["index"], features["name"], strict=True)
            # A missing name is NaN, which is not equal to itself.
            super().__init__({int(label): str(name) for label, name in rows if name == name and str(name)})

    def __missing__(self, label: int) -> str:
        """Return the name of an object that the features do not name."""
        return f"{self._layer_name} {label}"


def show_separately(
    viewer: ViewerModel, image: Image, index: Index, labels: Labels, outcome: ObjectsOutcome
) -> list[Image]:
    """Show a layer for every object, named after it; those of an earlier run are updated in place."""
    session = session_of(viewer)
    layers, names, channels = [], ObjectNames(labels), outcome.image.channels
    for label, alpha in outcome.alphas.items():
        facts = {**_facts(image, index, labels, outcome), "object": label, "report": outcome.reports[label].to_dict()}
        purpose = ("alpha of object", index, label)
        layer = session.output(image, purpose)
        if isinstance(layer, Image) and layer in viewer.layers and layer.data.shape[-2:] == alpha.shape:
            update_output(layer, alpha, image, index, facts, channels)
        else:
            layer = add_output(
                viewer,
                alpha,
                image,
                index,
                name=f"alpha {names[label]}",
                facts=facts,
                channels=channels,
                colormap="gray",
                contrast_limits=(0.0, 1.0),
                # Mattes of many objects are seen together: where none is, they are black.
                blending="additive",
            )
            session.remember_output(image, purpose, layer)
        layers.append(layer)
    return layers


def show_stacked(viewer: ViewerModel, image: Image, index: Index, labels: Labels, outcome: ObjectsOutcome) -> Image:
    """Show one layer with an axis more, in front: one object after the other, in the order of the labels."""
    session = session_of(viewer)
    called = ObjectNames(labels)
    names = [called[label] for label in outcome.alphas]
    reports = {str(label): report.to_dict() for label, report in outcome.reports.items()}
    facts = {**_facts(image, index, labels, outcome), "objects": list(outcome.alphas), "names": names}
    facts["reports"] = reports
    stack = np.stack(list(outcome.alphas.values()))
    # The axis of the objects comes before all others of the image, so that of channels stays between.
    channels = None if outcome.image.channels is None else outcome.image.channels.keeping()
    leading = len(index) + (channels is not None)
    stack = stack.reshape(len(stack), *(1,) * leading, *stack.shape[1:])
    purpose = ("alphas of objects", index)
    place = with_axis_in_front(calibration(image, index, channels))
    layer = session.output(image, purpose)
    if isinstance(layer, Image) and layer in viewer.layers and layer.data.shape == stack.shape:
        layer.data = stack
        put_in_place(layer, place)
        layer.metadata = with_provenance(layer.metadata, **facts)
        return layer
    layer = viewer.add_image(
        stack,
        name=f"alpha of {labels.name}",
        metadata=with_provenance({}, **facts),
        colormap="gray",
        contrast_limits=(0.0, 1.0),
        rgb=False,
        **place,
    )
    session.remember_output(image, purpose, layer)
    return layer


def with_axis_in_front(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a layer's calibration with one more axis, of whole steps, in front."""
    rotate, affine = np.asarray(settings["rotate"]), np.asarray(settings["affine"])
    axes = len(settings["scale"])
    shear = np.eye(axes + 1)
    shear[1:, 1:][np.triu_indices(axes, 1)] = settings["shear"]
    return {
        "scale": (1.0, *settings["scale"]),
        "translate": (0.0, *settings["translate"]),
        "rotate": _bordered(rotate),
        "shear": shear,
        "affine": _bordered(affine),
        "units": ("pixel", *settings["units"]),
        "axis_labels": (OBJECT_AXIS, *settings["axis_labels"]),
    }


def _bordered(matrix: Any) -> Any:
    """Return a matrix with one more row and column in front, which change nothing."""
    size = len(matrix)
    larger = np.eye(size + 1)
    larger[1:, 1:] = matrix
    return larger


def _facts(image: Image, index: Index, labels: Labels, outcome: ObjectsOutcome) -> dict[str, Any]:
    names = {"image": image.name, "labels": labels.name, "plane": list(index)}
    paths = {"image_path": image.source.path, "labels_path": labels.source.path}
    return {"kind": "alpha", **names, **paths, **outcome.record()}
