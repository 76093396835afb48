"""Frames joined into one."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from openautoglm.data.draws import generator
from openautoglm.data.mosaic import join_frames


def test_boxes_and_landmarks_go_where_the_frames_go(make_frame):
    frame = make_frame(80, 60, [[20, 15, 40, 45]], [1])
    landmarks = np.stack([np.linspace(20, 40, 21), np.linspace(15, 45, 21)], 1)[None].astype(np.float32)
    frame = replace(frame, image=np.full((60, 80, 3), 255, np.uint8), landmarks_px=landmarks)
    canvas = Image.new("RGB", (160, 200))  # cells of 80 x 100: the frame fits as it is, with room above or below
    joined = join_frames(canvas, [None, frame, frame, None], generator(0))
    assert joined.labels.tolist() == [1, 1]
    (ax, ay), (bx, by) = joined.boxes_px[:, :2] - [20, 15]
    assert (ax, bx) == (80, 0)
    assert 0 <= ay <= 40
    assert 100 <= by <= 140
    assert np.allclose(joined.boxes_px[:, 2:] - joined.boxes_px[:, :2], [20, 30])
    assert np.allclose(joined.landmarks_px[:, 0], joined.boxes_px[:, :2])
    assert np.allclose(joined.landmarks_px[:, -1], joined.boxes_px[:, 2:])
    white = (joined.image == 255).all(-1)
    assert white.sum() == 2 * 60 * 80
    assert white[int(ay) : int(ay) + 60, 80:].all()
    assert not np.asarray(canvas).any()  # left as it was


def test_frames_are_shrunk_whole(make_frame):
    frame = make_frame(80, 60, [[20, 15, 40, 45]], [1])
    joined = join_frames(Image.new("RGB", (80, 80)), [frame, None, None, None], generator(0))
    x0, y0, x1, y1 = joined.boxes_px[0]
    assert (x1 - x0, y1 - y0) == pytest.approx((10, 15))
    assert 0 <= x0 < x1 <= 40


def test_one_incomplete_frame_makes_all_of_it_incomplete(make_frame):
    frame = make_frame(80, 60, [], [])
    canvas = Image.new("RGB", (80, 80))
    assert join_frames(canvas, [frame, None, None, frame], generator(0)).complete
    hidden = replace(frame, complete=False)
    assert not join_frames(canvas, [frame, None, None, hidden], generator(0)).complete
    assert join_frames(canvas, [None] * 4, generator(0)).boxes_px.shape == (0, 4)
