"""Which frames belong together, and what their trimaps are."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from lsa_engine.errors import InputError
from napari_lsa_matting.layers import METADATA_KEY, with_provenance
from napari_lsa_matting.stack_frames import (
    FrameKinds,
    Frames,
    KindsRequest,
    digest_of,
    find_stack,
    frame_axes,
    numbers,
    proposed_of,
    record_proposals,
)


def kinds_of(layer: Labels) -> FrameKinds:
    return KindsRequest(layer.data, Frames(0, (0,)), len(layer.data), proposed_of(layer)).run(None, None)


def test_frames_are_listed_as_people_do() -> None:
    assert numbers([9, 0, 2, 3, 4]) == "0, 2-4, 9"
    assert numbers([]) == "none"


def test_frames_are_told_by_what_is_painted_on_them() -> None:
    labels = np.zeros((5, 8, 8), np.uint8)
    labels[0, 0], labels[0, 7] = 1, 2
    labels[2, 3] = 1
    labels[3] = 7
    labels[4, :4], labels[4, 6:] = 1, 2
    layer = Labels(labels, metadata=with_provenance({"lens": "60×"}, kind="trimap"))
    record_proposals(layer, {(4,): digest_of(labels[4])}, method="flow")
    kinds = kinds_of(layer)
    assert kinds.kinds == ("key", "empty", "begun", "odd", "proposal")
    assert kinds.usable == {0, 4}
    assert kinds.describe() == (
        "Key frames: 0; proposals: 4; begun, without foreground or background: 2; with labels other than 0, 1, 2: 3; "
        "without trimap: 1"
    )
    # What was known of the layer before is still there.
    assert layer.metadata["lens"] == "60×"
    assert layer.metadata[METADATA_KEY]["kind"] == "trimap"


def test_a_proposal_that_is_painted_on_is_a_key_frame_until_that_is_undone() -> None:
    labels = np.zeros((2, 8, 8), np.uint8)
    labels[1, :4], labels[1, 6:] = 1, 2
    layer = Labels(labels)
    record_proposals(layer, {(1,): digest_of(labels[1])}, method="distance")
    layer.data_setitem((np.array([1]), np.array([5]), np.array([5])), 2)
    assert kinds_of(layer).kinds[1] == "key"
    layer.undo()
    assert kinds_of(layer).kinds[1] == "proposal"


def test_an_older_proposal_that_comes_back_by_undo_is_known_again() -> None:
    layer = Labels(np.full((1, 8, 8), 2, np.uint8))
    for width in (2, 4):
        rows, columns = np.mgrid[:8, :width].reshape(2, -1)
        layer.data_setitem((np.zeros(rows.size, int), rows, columns), 1)
        record_proposals(layer, {(0,): digest_of(layer.data[0])}, method="distance")
    assert kinds_of(layer).kinds == ("proposal",)
    layer.undo()
    assert (layer.data[0, 0] == 1).sum() == 2
    assert kinds_of(layer).kinds == ("proposal",)


def test_the_last_axis_before_the_plane_is_offered_first() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3, 4, 8, 9)), axis_labels=("t", "z", "y", "x"))
    assert frame_axes(image) == [("z (4)", 1), ("t (3)", 0)]
    rgb = viewer.add_image(np.zeros((3, 8, 9, 3), np.uint8), rgb=True)
    assert frame_axes(rgb) == [("axis 0 (3)", 0)]


def test_other_axes_stay_where_the_viewer_stands() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3, 4, 8, 9)), axis_labels=("t", "z", "y", "x"), scale=(1, 5, 1, 1))
    whole = viewer.add_labels(np.zeros((3, 4, 8, 9), np.uint8), scale=(1, 5, 1, 1))
    volume = viewer.add_labels(np.zeros((4, 8, 9), np.uint8), scale=(5, 1, 1))
    viewer.dims.set_point(0, 2)
    viewer.dims.set_point(1, 15)
    along_z = find_stack(viewer, image, whole, 1)
    assert (along_z.image.at(1), along_z.trimap.at(1), along_z.count, along_z.seen) == ((2, 1), (2, 1), 4, 3)
    assert find_stack(viewer, image, volume, 1).trimap.at(1) == (1,)
    along_t = find_stack(viewer, image, whole, 0)
    assert (along_t.image.at(1), along_t.trimap.at(1), along_t.count, along_t.seen) == ((1, 3), (1, 3), 3, 2)
    with pytest.raises(InputError, match="does not cover the frames of .* along t"):
        find_stack(viewer, image, volume, 0)


def test_in_three_dimensions_frames_along_z_will_do_but_frames_along_t_need_one_plane() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3, 4, 8, 9)), axis_labels=("t", "z", "y", "x"))
    trimap = viewer.add_labels(np.zeros((3, 4, 8, 9), np.uint8))
    viewer.dims.ndisplay = 3
    assert find_stack(viewer, image, trimap, 1).seen is None
    with pytest.raises(InputError, match="several planes of z at once"):
        find_stack(viewer, image, trimap, 0)


def test_what_does_not_fit_is_said() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 8, 9)), name="stack")
    with pytest.raises(InputError, match="There is no image layer"):
        find_stack(viewer, None, None, None)
    with pytest.raises(InputError, match="There is no trimap"):
        find_stack(viewer, image, None, 0)
    with pytest.raises(InputError, match="use the Matting widget"):
        find_stack(viewer, viewer.add_image(np.zeros((8, 9))), None, None)
    shorter = viewer.add_labels(np.zeros((3, 8, 9), np.uint8), name="short")
    with pytest.raises(InputError, match="must have the same size"):
        find_stack(viewer, image, shorter, 0)
    moved = viewer.add_labels(np.zeros((4, 8, 9), np.uint8), translate=(0, 3, 0))
    with pytest.raises(InputError, match="another scale or position"):
        find_stack(viewer, image, moved, 0)
