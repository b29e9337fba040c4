"""What of the layers is measured."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from lsa_engine.errors import InputError
from napari_lsa_matting.layers import calibration, with_provenance
from napari_lsa_matting.measurement import (
    Matte,
    Series,
    find_region,
    has_volume,
    is_distorted,
    objects_of,
    pixel_size,
    series_axes,
)
from napari_lsa_matting.object_layers import with_axis_in_front


def test_volumes_must_lie_on_each_other_too() -> None:
    viewer = ViewerModel()
    alpha = viewer.add_image(np.zeros((3, 8, 9)), name="alpha")
    labels = viewer.add_labels(np.zeros((3, 8, 9), int), name="cells", scale=(2, 1, 1))
    with pytest.raises(InputError, match="another scale or position"):
        find_region(viewer, [Matte(alpha)], None, labels, 3)
    flat = viewer.add_labels(np.zeros((8, 9), int), name="flat")
    with pytest.raises(InputError, match="'alpha' is 3 × 8 × 9 and 'flat' 8 × 9 pixels"):
        find_region(viewer, [Matte(alpha)], None, flat, 3)


def test_volumes_are_measured_while_three_dimensions_are_shown() -> None:
    viewer = ViewerModel(ndisplay=3)
    alpha = viewer.add_image(np.zeros((3, 8, 9)), name="alpha", scale=(-2, 1, 1))
    region = find_region(viewer, [Matte(alpha)], None, None, 3)
    assert (region.places[0].mattes[0], region.spacing, region.unit) == ((), (2.0, 1.0, 1.0), "pixel")
    assert region.describe([Matte(alpha)]) == "Measures the volume 'alpha' in voxels of 2 × 1 × 1 px."
    with pytest.raises(InputError, match="switch it back to two dimensions"):
        find_region(viewer, [Matte(alpha)], None, None, 2)


def test_a_single_plane_is_no_volume() -> None:
    assert has_volume(Image(np.zeros((2, 8, 9))))
    assert not has_volume(Image(np.zeros((1, 8, 9))))
    assert not has_volume(Image(np.zeros((8, 9))))


@pytest.mark.parametrize("label", ["object", "channel", "T"])
def test_an_axis_that_is_labelled_otherwise_is_no_depth(label: str) -> None:
    assert not has_volume(Image(np.zeros((2, 8, 9)), axis_labels=(label, "y", "x")))
    assert has_volume(Image(np.zeros((2, 8, 9)), axis_labels=("z", "y", "x"), units=("um", "um", "um")))


def test_an_axis_in_seconds_is_no_depth() -> None:
    assert not has_volume(Image(np.zeros((2, 8, 9)), units=("ms", "um", "um")))


def test_axes_of_one_plane_need_one_unit() -> None:
    with pytest.raises(InputError, match="in mm, µm, but one unit is expected"):
        pixel_size(Image(np.zeros((8, 9)), units=("mm", "um")), 2)


def test_a_turn_leaves_pixels_as_they_are_and_shear_does_not() -> None:
    assert not is_distorted(Image(np.zeros((8, 9)), scale=(0.5, -0.25), rotate=40), 2)
    assert is_distorted(Image(np.zeros((8, 9)), scale=(0.5, 0.25), shear=[0.2]), 2)


def test_frames_are_found_where_other_layers_have_them() -> None:
    viewer = ViewerModel()
    alpha = viewer.add_image(np.zeros((6, 8, 9)), name="alpha", scale=(2, 1, 1), units=("s", "um", "um"))
    late = viewer.add_image(np.zeros((4, 8, 9)), name="late", scale=(2, 1, 1), translate=(4, 0, 0))
    flat = viewer.add_labels(np.zeros((8, 9), int), name="flat")
    region = find_region(viewer, [Matte(alpha)], late, flat, 2, along=0, wanted=range(2, 6))
    assert [place.frame for place in region.places] == [2, 3, 4, 5]
    assert [place.mattes for place in region.places] == [((2,),), ((3,),), ((4,),), ((5,),)]
    assert [place.image for place in region.places] == [(0,), (1,), (2,), (3,)]
    assert {place.labels for place in region.places} == {()}
    assert region.series == Series("axis 0", "time_s", 2.0)
    assert region.describe([Matte(alpha)]) == "Measures planes 2-5 along axis 0 of 'alpha' in pixels of 1 × 1 µm."
    with pytest.raises(InputError, match="'late' does not cover frames 1-5 of 'alpha'"):
        find_region(viewer, [Matte(alpha)], late, flat, 2, along=0, wanted=range(1, 6))
    with pytest.raises(InputError, match="The range ends at frame 2, before it begins at 4"):
        find_region(viewer, [Matte(alpha)], late, flat, 2, along=0, wanted=range(4, 3))


def test_the_other_axes_stay_where_the_viewer_stands() -> None:
    viewer = ViewerModel()
    alpha = viewer.add_image(np.zeros((3, 4, 8, 9)), name="alpha", axis_labels=("t", "z", "y", "x"))
    viewer.dims.set_current_step(1, 2)
    region = find_region(viewer, [Matte(alpha)], None, None, 2, along=0, wanted=range(3))
    assert [place.mattes[0] for place in region.places] == [(0, 2), (1, 2), (2, 2)]
    assert region.series == Series("t", None, 1.0)
    viewer.dims.ndisplay = 3
    with pytest.raises(InputError, match="one plane is needed"):
        find_region(viewer, [Matte(alpha)], None, None, 2, along=0, wanted=range(3))
    region = find_region(viewer, [Matte(alpha)], None, None, 3, along=0, wanted=range(1, 3))
    assert [place.mattes[0] for place in region.places] == [(1,), (2,)]


def test_a_column_tells_time_or_place_where_the_axis_has_a_unit() -> None:
    image = Image(np.zeros((3, 4, 5, 8, 9)), scale=(1, -0.5, 2, 1, 1), units=("px", "min", "um", "um", "um"))
    assert [Series.of(image, axis).column for axis in range(3)] == [None, "time_min", "position_um"]
    named = Image(np.zeros((3, 8, 9)), axis_labels=("z", "y", "x"), units=("um", "um", "um"), scale=(0.5, 1, 1))
    assert Series.of(named, 0).columns([0, 3]) == {"frame": [0, 3], "z_um": [0.0, 1.5]}


def test_objects_are_named_as_the_metadata_tell_if_that_can_be() -> None:
    labels = ("object", "y", "x")
    record = {"kind": "alpha", "objects": [3, 7], "names": ["mother", "cells 7"]}
    stack = Image(np.zeros((2, 8, 9)), axis_labels=labels, metadata=with_provenance({}, **record))
    assert [(matte.name, matte.position) for matte in objects_of(stack)] == [("mother", 0), ("cells 7", 1)]
    stack.metadata = with_provenance({}, **{**record, "names": ["cell", "cell"]})
    assert [matte.name for matte in objects_of(stack)] == ["3", "7"]
    cropped = Image(np.zeros((1, 8, 9)), axis_labels=labels, metadata=stack.metadata)
    assert [matte.name for matte in objects_of(cropped)] == ["1"]
    assert objects_of(Image(np.zeros((2, 8, 9)))) == []


def test_objects_are_no_frames() -> None:
    stack = Image(np.zeros((5, 1, 4, 8, 9)), axis_labels=("object", "c", "t", "y", "x"))
    assert series_axes(stack, 2) == [("t (4)", 2)]


def test_objects_of_a_plane_of_a_volume_are_measured_with_that_plane_of_the_image() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((5, 8, 9)), name="image", scale=(2, 1, 1))
    settings = with_axis_in_front(calibration(image, (3,)))
    stack = viewer.add_image(np.zeros((2, 1, 8, 9)), name="alpha of cells", **settings)
    viewer.dims.set_current_step(1, 3)
    mattes = objects_of(stack)
    region = find_region(viewer, mattes, image, None, 2)
    (place,) = region.places
    assert (place.mattes, place.image) == (((0, 0), (1, 0)), (3,))
    assert region.describe(mattes) == "Measures the 2 objects of 'alpha of cells' in pixels of 1 × 1 px."
    assert not has_volume(stack)
    assert series_axes(stack, 2) == []
    viewer.dims.set_current_step(1, 1)
    with pytest.raises(InputError, match="has nothing at the slice that is seen"):
        find_region(viewer, mattes, image, None, 2)
