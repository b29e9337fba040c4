"""napari layers ⇄ engine arrays, on a viewer without a window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from lsa_engine.errors import InputError
from napari_lsa_matting.layers import (
    METADATA_KEY,
    LazyPlane,
    add_output,
    calibration,
    image_notes,
    image_plane,
    is_matte,
    is_picture,
    pixel_spacing,
    plane_at,
    plane_grid,
    plane_index,
    same_place,
    update_output,
)

# A stack on which every part of the calibration is something else than its default.
PLACE: dict[str, Any] = {
    "scale": (4.0, 0.5, 0.25),
    "translate": (7.0, -3.0, 11.0),
    "rotate": (20, 0, 0),
    "shear": (0.1, 0.0, 0.2),
    "affine": np.array([[1, 0.2, 0, 3], [0, 1.5, 0, -1], [0, 0.1, 1, 2], [0, 0, 0, 1.0]]),
    "units": ("s", "um", "um"),
    "axis_labels": ("t", "y", "x"),
}


@pytest.fixture
def stack(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 4000, (5, 12, 16), dtype=np.uint16)


def test_contrast_limits_give_the_range_of_a_layer_with_one_channel() -> None:
    layer = Image(np.array([[100, 300], [200, 500]], np.uint16), contrast_limits=(100, 500))
    plane = image_plane(layer, ())
    assert plane.data_range == (100.0, 500.0)
    assert plane.colours().dtype == np.uint16


def test_rgb_layers_go_by_the_range_of_their_type() -> None:
    plane = image_plane(Image(np.zeros((4, 5, 3), np.uint8), rgb=True), ())
    assert plane.data_range is None
    assert plane.colours().shape == (4, 5, 3)


def test_the_alpha_of_an_rgba_layer_is_dropped_with_a_note(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 255, (4, 5, 4), dtype=np.uint8)
    layer = Image(pixels, rgb=True, name="cells")
    assert np.array_equal(image_plane(layer, ()).colours(), pixels[..., :3])
    assert image_notes(layer) == ["The alpha channel of 'cells' is ignored."]
    assert image_notes(Image(pixels[..., :3], rgb=True)) == []


def test_the_plane_of_a_stack_is_the_one_that_the_slider_shows(stack: np.ndarray) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(stack, scale=(4, 1, 1), translate=(10, 0, 0))
    viewer.dims.set_point(0, 10 + 3 * 4)
    index = plane_index(layer, viewer)
    assert index == (3,)
    assert np.array_equal(image_plane(layer, index).colours(), stack[3])


def test_a_flat_layer_over_a_stack_has_no_index(stack: np.ndarray) -> None:
    viewer = ViewerModel()
    viewer.add_image(stack)
    flat = viewer.add_image(stack[0])
    viewer.dims.set_point(0, 4)
    assert plane_index(flat, viewer) == ()


def test_a_slice_that_the_layer_does_not_cover_is_refused(stack: np.ndarray) -> None:
    viewer = ViewerModel()
    viewer.add_image(stack)
    short = viewer.add_image(stack[:2], name="short")
    viewer.dims.set_point(0, 3)
    with pytest.raises(InputError, match="'short' has nothing at the slice that is seen"):
        plane_index(short, viewer)


def test_three_dimensions_on_screen_are_refused(stack: np.ndarray) -> None:
    viewer = ViewerModel(ndisplay=3)
    layer = viewer.add_image(stack)
    with pytest.raises(InputError, match="switch it back to two dimensions"):
        plane_index(layer, viewer)


def test_other_axes_on_screen_are_refused(stack: np.ndarray) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(stack)
    viewer.dims.order = (2, 0, 1)
    with pytest.raises(InputError, match="roll the axes back"):
        plane_index(layer, viewer)


def test_the_finest_level_of_a_pyramid_is_taken(stack: np.ndarray) -> None:
    layer = Image([stack[0], stack[0, ::2, ::2]], multiscale=True, contrast_limits=(0, 4000))
    assert plane_grid(layer) == ((), (12, 16))
    assert np.array_equal(image_plane(layer, ()).colours(), stack[0])


def test_a_plane_of_what_is_not_in_memory_is_read_when_it_is_asked_for(
    stack: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    zarr = pytest.importorskip("zarr")
    array = zarr.array(stack)
    read: list[object] = []
    get = zarr.Array.__getitem__

    def noted(self: Any, index: Any) -> Any:
        read.append(index)
        return get(self, index)

    monkeypatch.setattr(zarr.Array, "__getitem__", noted)
    plane = plane_at(array, (1,))
    assert isinstance(plane, LazyPlane)
    assert plane.shape == stack.shape[1:]
    assert plane.dtype == stack.dtype
    assert plane_at(array, (slice(1, None), 2)).shape == (stack.shape[0] - 1, stack.shape[2])
    assert read == []
    np.testing.assert_array_equal(plane, stack[1])
    assert read == [(1,)]
    np.testing.assert_array_equal(plane_at(array, ()), stack)
    assert plane_at(stack, (1,)).base is stack


def test_calibration_carries_every_part_over(stack: np.ndarray) -> None:
    source = Image(stack, **PLACE)
    copy = Image(np.zeros(stack.shape, np.float32), **calibration(source))
    rng = np.random.default_rng(0)
    for point in rng.uniform(0, 12, (5, 3)):
        np.testing.assert_allclose(copy.data_to_world(point), source.data_to_world(point), atol=1e-9)
    assert copy.units == source.units
    assert copy.axis_labels == ("t", "y", "x")


def test_a_plane_of_a_sheared_stack_lies_where_it_came_from(stack: np.ndarray) -> None:
    source = Image(stack, **PLACE)
    plane = Image(np.zeros((1, 12, 16), np.float32), rgb=False, **calibration(source, (3,)))
    for row, column in ((0, 0), (0, 15), (11, 0), (11, 15)):
        expected = source.data_to_world((3, row, column))
        np.testing.assert_allclose(plane.data_to_world((0, row, column)), expected, atol=1e-9)


def test_planes_that_lie_apart_are_noticed(stack: np.ndarray) -> None:
    here = Image(stack, scale=(1, 2, 2))
    assert same_place(here, (1,), Image(stack[0], scale=(2, 2)), ())
    assert same_place(here, (1,), Image(stack[0], scale=(2, 2), translate=(0.1, 0)), ())
    assert not same_place(here, (1,), Image(stack[0], scale=(2, 2), translate=(0.3, 0)), ())
    assert not same_place(here, (1,), Image(stack[0], scale=(2, 2.1)), ())


def test_lengths_in_different_units_are_compared_as_what_they_are() -> None:
    plane = np.zeros((12, 16), np.uint8)
    here = Image(plane, scale=(0.5, 0.5), units=("um", "um"))
    assert same_place(here, (), Image(plane, scale=(500, 500), units=("nm", "nm")), ())
    assert not same_place(here, (), Image(plane, scale=(0.5, 0.5), units=("nm", "nm")), ())
    assert same_place(here, (), Image(plane, scale=(0.5, 0.5)), ())  # in pixels: nobody gave it a unit


@pytest.mark.parametrize(
    ("units", "expected"), [(("um", "um"), "µm"), (("mm", "mm"), "mm"), (("pixel", "pixel"), "px"), (None, "px")]
)
def test_pixel_sizes_come_with_the_usual_name_of_their_unit(units: Any, expected: str) -> None:
    layer = Image(np.zeros((4, 4)), scale=(0.5, 0.25), units=units)
    assert pixel_spacing(layer) == ((0.5, 0.25), expected)


def test_a_result_lies_above_its_source_and_leaves_the_selection(viewer_model: ViewerModel) -> None:
    photo, trimap = viewer_model.layers["photo"], viewer_model.layers["trimap"]
    viewer_model.layers.selection.active = trimap
    alpha = add_output(
        viewer_model, np.zeros((48, 64), np.float32), photo, (), name="alpha", facts={"kind": "alpha", "image": "photo"}
    )
    assert [layer.name for layer in viewer_model.layers] == ["photo", "alpha", "trimap"]
    assert viewer_model.layers.selection.active is trimap
    assert alpha.metadata[METADATA_KEY] == {"kind": "alpha", "image": "photo"}
    assert alpha.units == photo.units
    np.testing.assert_array_equal(alpha.translate, photo.translate)


def test_an_update_leaves_what_the_user_has_set(viewer_model: ViewerModel) -> None:
    photo = viewer_model.layers["photo"]
    alpha = add_output(viewer_model, np.zeros((48, 64), np.float32), photo, (), name="alpha", facts={"kind": "alpha"})
    alpha.colormap, alpha.opacity, alpha.name = "magma", 0.3, "mine"
    alpha.metadata = {**alpha.metadata, "note": "keep"}
    update_output(alpha, np.ones((48, 64), np.float32), photo, (), {"kind": "alpha", "run": 2})
    assert (alpha.colormap.name, alpha.opacity, alpha.name) == ("magma", 0.3, "mine")
    assert alpha.metadata == {"note": "keep", METADATA_KEY: {"kind": "alpha", "run": 2}}
    assert float(alpha.data.min()) == 1.0


def test_results_are_not_offered_as_pictures(viewer_model: ViewerModel) -> None:
    photo = viewer_model.layers["photo"]
    alpha = add_output(viewer_model, np.zeros((48, 64), np.float32), photo, (), name="alpha", facts={"kind": "alpha"})
    assert is_picture(photo)
    assert not is_picture(alpha)
    assert is_matte(alpha)
    assert not is_matte(photo)
    assert not is_picture(viewer_model.layers["trimap"])
