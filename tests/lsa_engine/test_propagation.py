"""Trimaps between key frames: outlines half-way between outlines, and trimaps that move with the picture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import lsa_engine as lsa
from lsa_engine.propagation import carry_trimap, interpolate_trimaps, propose_trimaps

SIZE = 96


def disc(radius: float, centre: tuple[float, float] = (48, 48), band: float = 6, shape=(SIZE, SIZE)) -> lsa.Trimap:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    distance = np.hypot(rows - centre[0], columns - centre[1])
    values = np.where(distance < radius - band, 255, np.where(distance > radius + band, 0, 128))
    return lsa.Trimap(values.astype(np.uint8))


def texture(shift: tuple[float, float] = (0, 0), shape=(SIZE, SIZE)) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(shape[0] + 40, shape[1] + 40)), 2.5)
    noise = (noise - noise.min()) / np.ptp(noise)
    moved = ndimage.shift(noise, shift, order=3, mode="reflect")
    return np.clip(moved[20:-20, 20:-20], 0, 1).astype(np.float32)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("fraction", [0.25, 0.5, 0.8])
def test_between_two_discs_is_a_disc_of_the_radius_between(fraction: float) -> None:
    between = interpolate_trimaps(disc(20), disc(32), fraction)
    expected = disc(20 + 12 * fraction)
    assert overlap(between.foreground, expected.foreground) > 0.95
    assert overlap(between.background, expected.background) > 0.98


def test_the_ends_are_the_trimaps_themselves() -> None:
    first, last = disc(20), disc(30, (40, 52))
    np.testing.assert_array_equal(interpolate_trimaps(first, last, 0).values, first.values)
    np.testing.assert_array_equal(interpolate_trimaps(first, last, 1).values, last.values)


def test_nothing_is_known_as_both_however_the_trimaps_differ() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        maps = [lsa.Trimap(rng.choice(np.array([0, 128, 255], np.uint8), (20, 30))) for _ in range(2)]
        between = interpolate_trimaps(*maps, 0.5)
        same = maps[0].values == maps[1].values
        assert np.all(between.values[same & (between.values != 128)] == maps[0].values[same & (between.values != 128)])


def test_an_object_that_is_in_one_slice_only_shrinks_away() -> None:
    nothing = lsa.Trimap(np.where(disc(20).values == 255, 128, disc(20).values).astype(np.uint8))
    areas = [interpolate_trimaps(disc(30), nothing, fraction).foreground.sum() for fraction in (0, 0.05, 0.1, 0.9)]
    assert areas[0] > areas[1] > areas[2] >= areas[3] == 0


def test_pixels_that_are_not_square_count_as_they_are() -> None:
    tall = disc(20, shape=(96, 96)).values[::2]
    wide = disc(32, shape=(96, 96)).values[::2]
    between = interpolate_trimaps(lsa.Trimap(tall), lsa.Trimap(wide), 0.5, spacing=(2.0, 1.0))
    assert overlap(between.foreground, disc(26).foreground[::2]) > 0.93


@pytest.mark.parametrize("scale", [1, 8])
def test_a_trimap_moves_with_its_image(scale: int) -> None:
    # Eight times as large, the flow is found on a reduced image.
    shape = (SIZE * scale, SIZE * scale)
    shift = (4.0 * scale, -3.0 * scale)
    frames = [np.kron(texture(move), np.ones((scale, scale), np.float32)) for move in ((0, 0), (4, -3))]
    centre = (48 * scale, 48 * scale)
    trimap = disc(24 * scale, centre, 6 * scale, shape)
    moved = carry_trimap(trimap, *frames, margin=0)
    expected = disc(24 * scale, (centre[0] + shift[0], centre[1] + shift[1]), 6 * scale, shape)
    assert overlap(moved.foreground, expected.foreground) > 0.9
    assert overlap(moved.foreground, trimap.foreground) < 0.8
    tighter = carry_trimap(trimap, *frames, margin=3)
    assert tighter.unknown.sum() > moved.unknown.sum()
    assert not (tighter.foreground & ~moved.foreground).any()


def test_a_video_is_followed_from_both_sides() -> None:
    moves = [(1.5 * t, -1.0 * t) for t in range(7)]
    frames = [texture(move) for move in moves]
    keys = {0: disc(24), 6: disc(24, (48 + 9, 48 - 6))}
    seen = []
    proposals = propose_trimaps(frames, keys, method="flow", margin=0.25, progress=seen.append)
    assert sorted(proposals) == [1, 2, 3, 4, 5]
    for frame, trimap in proposals.items():
        expected = disc(24, (48 + moves[frame][0], 48 + moves[frame][1]))
        assert overlap(trimap.foreground, expected.foreground) > 0.75
        assert not (trimap.foreground & expected.background).any()
        assert not (trimap.background & expected.foreground).any()
    assert seen[-1].done == seen[-1].total == 10


def test_frames_beyond_the_key_frames_follow_the_nearest_when_asked_for() -> None:
    frames = [texture((2 * t, 0)) for t in range(4)]
    by_flow = propose_trimaps(frames, {1: disc(24, (50, 48))}, [0, 3], method="flow", margin=0)
    assert overlap(by_flow[0].foreground, disc(24, (48, 48)).foreground) > 0.85
    assert overlap(by_flow[3].foreground, disc(24, (54, 48)).foreground) > 0.85
    copied = propose_trimaps(frames, {1: disc(24)}, [0, 3])
    np.testing.assert_array_equal(copied[3].values, disc(24).values)


def test_only_the_frames_that_are_asked_for_are_read() -> None:
    class Frames:
        read: list[int] = []  # noqa: RUF012

        def __len__(self) -> int:
            return 9

        def __getitem__(self, index: int) -> np.ndarray:
            self.read.append(index)
            return texture((index, 0))

    frames = Frames()
    propose_trimaps(frames, {1: disc(24), 4: disc(24), 8: disc(24)}, [2], method="flow")
    assert set(frames.read) == {1, 2, 3, 4}
    frames.read.clear()
    propose_trimaps(frames, {1: disc(24), 4: disc(24)})
    assert not frames.read


def test_cancelling_stops_between_frames() -> None:
    token = lsa.CancelToken()
    with pytest.raises(lsa.Cancelled):
        propose_trimaps(
            [texture()] * 9,
            {0: disc(24), 8: disc(24)},
            progress=lambda step: step.done == 2 and token.cancel(),
            cancel=token,
        )


def test_arrays_do_for_trimaps_of_key_frames() -> None:
    keys = {0: disc(20), 4: disc(28)}
    arrays = {index: trimap.values / np.float32(255) for index, trimap in keys.items()}
    expected, proposed = (propose_trimaps([texture()] * 5, given) for given in (keys, arrays))
    assert list(proposed) == [1, 2, 3]
    for index in proposed:
        np.testing.assert_array_equal(proposed[index].values, expected[index].values)


def test_what_cannot_be_done_is_told() -> None:
    frames = [texture()] * 3
    with pytest.raises(lsa.InputError, match="key frame"):
        propose_trimaps(frames, {})
    with pytest.raises(lsa.InputError, match="expected 0 to 2"):
        propose_trimaps(frames, {0: disc(24), 5: disc(24)})
    with pytest.raises(lsa.InputError, match="one size"):
        propose_trimaps(frames, {0: disc(24), 2: lsa.Trimap(disc(24).values[1:])})
    with pytest.raises(lsa.InputError, match="'distance' or 'flow'"):
        propose_trimaps(frames, {0: disc(24)}, method="guess")
    with pytest.raises(lsa.InputError, match="this stack"):
        propose_trimaps([frame[1:] for frame in frames], {0: disc(24), 2: disc(24)}, method="flow")
    with pytest.raises(lsa.InputError, match="equal sizes"):
        interpolate_trimaps(disc(24), lsa.Trimap(disc(24).values[1:]), 0.5)
    with pytest.raises(lsa.InputError, match="0 to 1"):
        interpolate_trimaps(disc(24), disc(24), 1.5)
