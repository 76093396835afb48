"""Frames of videos and cameras: upright, in time, and as far as a damaged file can be read."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from openautoglm.runtime import video
from openautoglm.runtime.video import Camera, Problem, SourceFrame, Video
from openautoglm.types import MissingExtraError

av = pytest.importorskip("av", reason="PyAV comes with the extra 'video'")

NUM_FRAMES, RATE_HZ, WIDTH, HEIGHT = 40, 20, 96, 64


def picture(number):
    """Red in the upper left corner, noise that no codec can shrink below, brightness that tells the number."""
    pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[:32, :48] = (255, 0, 0)
    pixels[:32, 48:] = 6 * number
    return pixels


def write_video(path, *, codec="mpeg4", **options):
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=RATE_HZ)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(NUM_FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), "rgb24")))
        container.mux(stream.encode(None))
    return path


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
def test_every_frame_in_order(tmp_path, suffix):
    clip = Video(write_video(tmp_path / f"clip.{suffix}"))
    assert clip.num_frames == NUM_FRAMES
    frames = list(clip)
    assert [frame.name for frame in frames] == [f"clip-{number:06d}" for number in range(1, NUM_FRAMES + 1)]
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(NUM_FRAMES) / RATE_HZ, atol=2e-3)
    for number, frame in enumerate(frames):
        assert (frame.pixels.shape, frame.pixels.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
        np.testing.assert_allclose(frame.pixels[8:24, 8:40].mean((0, 1)), (255, 0, 0), atol=12)
        assert frame.pixels[8:24, 56:88].mean() == pytest.approx(6 * number, abs=8)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_a_missing_tail_is_told_once(tmp_path, suffix):
    path = cut(write_video(tmp_path / f"clip.{suffix}", **({"movflags": "faststart"} if suffix == "mp4" else {})), 0.6)
    *frames, problem = Video(path)
    assert 5 < len(frames) < NUM_FRAMES
    assert all(isinstance(frame, SourceFrame) for frame in frames)
    assert problem.name == f"clip.{suffix}"
    assert "of 2.0 s" in problem.reason


def test_damage_in_the_middle_is_told_once(tmp_path):
    path = write_video(tmp_path / "clip.mp4")
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 60] = bytes(255 - value for value in content[middle : middle + 60])
    path.write_bytes(content)
    *frames, problem = Video(path)
    assert len(frames) == NUM_FRAMES
    assert "damaged frame(s)" in problem.reason
    assert "of 2.0 s" not in problem.reason


def test_no_video(tmp_path):
    text = tmp_path / "clip.mp4"
    text.write_text("this is no video")
    with pytest.raises(ValueError, match="invalid data"):
        Video(text)
    headless = cut(write_video(tmp_path / "headless.mp4"), 0.6)  # its table of contents was at the end
    with pytest.raises(ValueError, match=r"invalid data|its end is missing"):
        Video(headless)


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(ValueError, match="holds no pictures"):
        Video(path)


@pytest.mark.parametrize(
    ("matrix", "corner"),
    [((0, 1, -1, 0), (8, -8)), ((0, -1, 1, 0), (-8, 8)), ((-1, 0, 0, -1), (-8, -8)), ((1, 0, 0, 1), (8, 8))],
)
def test_a_phone_held_upright(tmp_path, matrix, corner):
    """Phones store frames as their sensor lies, and beside them how to turn them."""
    path = write_video(tmp_path / "clip.mp4")
    content = bytearray(path.read_bytes())
    a, b, c, d = (value.to_bytes(4, "big", signed=True) for value in (value << 16 for value in matrix))
    start = content.index(b"tkhd") + 44
    zero = bytes(4)
    content[start : start + 36] = a + b + zero + c + d + zero + zero + zero + (1 << 30).to_bytes(4, "big")
    path.write_bytes(content)
    frame = next(iter(Video(path)))
    turned = matrix[0] == 0
    assert frame.pixels.shape == ((WIDTH, HEIGHT, 3) if turned else (HEIGHT, WIDTH, 3))
    np.testing.assert_allclose(frame.pixels[corner], (255, 0, 0), atol=40)  # the red corner


def test_a_missing_package_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"openautoglm\[video\]"):
        Video(tmp_path / "clip.mp4")


def test_a_camera(monkeypatch):
    monkeypatch.setitem(video.CAMERAS, sys.platform, "lavfi")  # pictures that FFmpeg draws
    camera = Camera("testsrc=size=64x48:rate=10")
    frames = iter(camera)
    names = [next(frames).name for _ in range(3)]
    assert names == ["camera-000001", "camera-000002", "camera-000003"]
    assert next(frames).pixels.shape == (48, 64, 3)
    assert camera.num_frames is None


def test_a_camera_that_is_not_there(monkeypatch):
    monkeypatch.setitem(video.CAMERAS, sys.platform, "lavfi")
    with pytest.raises(ValueError, match="camera:nothing cannot be opened"):
        Camera("nothing")
    monkeypatch.delitem(video.CAMERAS, sys.platform)
    with pytest.raises(ValueError, match="not supported on"):
        Camera("0")


class Unplugged:
    """A camera that is slow at first and gone after its second frame."""

    def __init__(self):
        self.events = [av.BlockingIOError(11, "wait"), *[av.VideoFrame(8, 6, "rgb24")] * 2, av.OSError(5, "Gone")]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def decode(self, video):
        while self.events:
            event = self.events.pop(0)
            if isinstance(event, Exception):
                raise event
            yield event


def test_a_camera_that_waits_and_goes(monkeypatch):
    monkeypatch.setitem(video.CAMERAS, sys.platform, "lavfi")
    monkeypatch.setattr(video, "_open", lambda *_, **__: Unplugged())
    first, second, problem = Camera("0")
    assert (first.name, second.name) == ("camera-000001", "camera-000002")
    assert problem == Problem(name="camera", reason="gone")


def test_how_each_system_calls_a_camera(monkeypatch):
    assert video._address("0", "v4l2") == "/dev/video0"
    assert video._address("/dev/video2", "v4l2") == "/dev/video2"
    assert video._address("0", "avfoundation") == "0"
    assert video._address("Integrated Camera", "dshow") == "video=Integrated Camera"
    devices = [av.device.DeviceInfo(name, name, False, [kind]) for name, kind in (("Mic", "audio"), ("Cam", "video"))]
    monkeypatch.setattr(av.device, "enumerate_input_devices", lambda _: devices)
    assert video._address("0", "dshow") == "video=Cam"
    with pytest.raises(ValueError, match="there are 1 cameras: Cam"):
        video._address("1", "dshow")
