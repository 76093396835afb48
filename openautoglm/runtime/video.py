"""Frames of a video file or a camera, one by one, upright; a damaged file as far as it can be read."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openautoglm.types import MissingExtraError

if TYPE_CHECKING:
    from av import FFmpegError, VideoFrame
    from av.container import InputContainer

CAMERAS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
"""Input format of the cameras of each system."""
_CAMERA_OPTIONS = {"avfoundation": {"framerate": "30"}}  # its default, 29.97, is refused by built-in cameras
_PATIENCE_S = 0.01
_TOLERANCE_S = 0.5
"""How much shorter than its header says a video may be before its tail counts as missing."""


@dataclass(frozen=True, kw_only=True)
class SourceFrame:
    """A frame to recognise.

    Attributes:
        name: of the picture, or of the video and the number of the frame.
        pixels: RGB, ``(h, w, 3)``.
        time_s: since the beginning of the video; None for a picture.
    """

    name: str
    pixels: NDArray[np.uint8]
    time_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that could not be read.

    Attributes:
        name: of the picture or video.
        reason: what is wrong, in a few words.
    """

    name: str
    reason: str


class Video:
    """A video file; iterating once yields its frames and, if it is damaged, one problem at the end.

    Args:
        path: of the file.

    Attributes:
        num_frames: as its header says; None if it does not.

    Raises:
        ValueError: it is not a video, or too damaged to be opened.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._container = _open(str(path), format=None)
        if not self._container.streams.video:
            self._container.close()
            raise ValueError("it holds no pictures, or its end is missing")
        self._stream = self._container.streams.video[0]
        self._rate_hz = float(self._stream.average_rate or self._stream.guessed_rate or 25)
        self._length_s = self._promised_length_s()
        self.num_frames = round(self._length_s * self._rate_hz) if self._length_s else None

    def __iter__(self) -> Iterator[SourceFrame | Problem]:
        from av import FFmpegError

        num_read, num_damaged, last_s = 0, 0, 0.0
        with self._container:
            try:
                for packet in self._container.demux(self._stream):
                    try:
                        frames = packet.decode()
                    except FFmpegError:
                        num_damaged += 1
                        continue
                    for frame in frames:
                        num_read += 1
                        num_damaged += frame.is_corrupt
                        last_s = self._time_s(frame, num_read)
                        yield SourceFrame(
                            name=f"{self._path.stem}-{num_read:06d}", pixels=_upright(frame), time_s=last_s
                        )
            except FFmpegError:
                num_damaged += 1  # nothing can be found behind this place
        read_s = last_s + 1 / self._rate_hz if num_read else 0.0
        reasons = [f"{num_damaged} damaged frame(s)"] if num_damaged else []
        if self._length_s is not None and self._length_s - read_s > _TOLERANCE_S:
            reasons.append(f"it ends after {read_s:.1f} of {self._length_s:.1f} s")
        if reasons:
            yield Problem(name=self._path.name, reason=", ".join(reasons))

    def _promised_length_s(self) -> float | None:
        """Length by the header: by its number of frames, for some readers shorten the length of a file that is cut."""
        if self._stream.frames:
            return self._stream.frames / self._rate_hz
        return self._container.duration / 1e6 if self._container.duration else None

    def _time_s(self, frame: VideoFrame, number: int) -> float:
        if frame.time is None:
            return (number - 1) / self._rate_hz
        start = self._stream.start_time
        first_s = float(start * self._stream.time_base) if start and self._stream.time_base else 0.0
        return float(frame.time - first_s)


class Camera:
    """A camera; iterating yields its frames until somebody stops it or unplugs it.

    Args:
        name: its number, or its name where the system goes by names.

    Attributes:
        num_frames: None, for it never ends.

    Raises:
        ValueError: there is none, or it is in use.
        MissingExtraError: PyAV is not installed.
    """

    num_frames: int | None = None

    def __init__(self, name: str) -> None:
        kind = CAMERAS.get(sys.platform)
        if kind is None:
            raise ValueError(f"cameras are not supported on {sys.platform}; record a video and give its file")
        try:
            self._container = _open(_address(name, kind), format=kind)
        except ValueError as error:
            raise ValueError(f"camera:{name} cannot be opened: {error}") from None

    def __iter__(self) -> Iterator[SourceFrame | Problem]:
        from av import BlockingIOError, FFmpegError

        number = 0
        with self._container:
            while True:
                try:
                    for frame in self._container.decode(video=0):
                        number += 1
                        yield SourceFrame(name=f"camera-{number:06d}", pixels=_upright(frame), time_s=frame.time)
                    return
                except BlockingIOError:  # it has no frame yet
                    time.sleep(_PATIENCE_S)
                except FFmpegError as error:
                    yield Problem(name="camera", reason=_reason(error))
                    return


def _open(address: str, *, format: str | None) -> InputContainer:
    try:
        import av
    except ImportError:
        raise MissingExtraError("av", "video") from None
    try:
        return av.open(address, format=format, options=_CAMERA_OPTIONS.get(format or ""))
    except av.FFmpegError as error:
        raise ValueError(_reason(error)) from None


def _reason(error: FFmpegError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _address(name: str, kind: str) -> str:
    """How a system's input format calls a camera."""
    if kind == "v4l2":
        return f"/dev/video{name}" if name.isdecimal() else name
    if kind == "dshow":
        return f"video={_dshow_name(int(name)) if name.isdecimal() else name}"
    return name


def _dshow_name(number: int) -> str:
    from av.device import enumerate_input_devices

    cameras = [device.description for device in enumerate_input_devices("dshow") if "video" in device.media_types]
    if number >= len(cameras):
        raise ValueError(f"there are {len(cameras)} cameras: {', '.join(cameras) or 'none'}")
    return cameras[number]


def _upright(frame: VideoFrame) -> NDArray[np.uint8]:
    """RGB ``(h, w, 3)``, turned as the recording phone says it was held."""
    pixels: NDArray[Any] = frame.to_ndarray(format="rgb24")
    return np.rot90(pixels, round(frame.rotation / 90))
