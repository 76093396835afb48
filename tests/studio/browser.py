"""A headless Chromium with a fake camera, spoken to over its DevTools pipe: no driver, no port, no package."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import itertools
import json
import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Path of the browser, None where there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """One window with one page.

    Args:
        folder: for the profile and downloads.
        camera: file of ``.mjpeg`` that the camera shows; None has no camera at all.
    """

    def __init__(self, folder: Path, *, camera: Path | None = None, size: tuple[int, int] = (1280, 900)) -> None:
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        fake = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        words = [
            str(find_chromium()), "--headless=new", "--disable-gpu", "--no-first-run",
            "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
            f"--user-data-dir={folder / 'profile'}", *(["--no-sandbox"] if os.geteuid() == 0 else []),
            *([*fake, f"--use-file-for-fake-video-capture={camera}"] if camera else []), "about:blank",
        ]  # fmt: skip
        here_out, there_in = _pipe()
        there_out, here_in = _pipe()
        # the browser reads from 3 and writes to 4
        line = f'exec "$@" 3<&{here_out} 4>&{here_in}'
        self._process = subprocess.Popen(
            ["bash", "-c", line, "bash", *words],
            pass_fds=(here_out, here_in),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(here_out)
        os.close(here_in)
        self._write, self._read = there_in, there_out
        self._numbers, self._rest = itertools.count(1), b""
        self._session: str | None = None
        self.console: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.call(f"{domain}.enable")
        self.resize(*size)
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its answer."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive(60)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._note(answer)

    def open(self, address: str) -> None:
        """Go there and wait until the page says that it is ready."""
        self.call("Page.navigate", url=address)
        self.wait("document.body && document.body.dataset.ready === 'yes'")

    def js(self, expression: str) -> Any:
        """Value of an expression in the page; promises are waited for."""
        found = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"].get("description", expression))
        return found["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> None:
        """Ask until the answer is true."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(RuntimeError):  # while the page is being left
                if self.js(f"!!({expression})"):
                    return
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} did not come true; the page said {self.text()!r}, {self.console}")
            time.sleep(0.1)

    def text(self) -> str:
        """What a person reads."""
        return str(self.js("document.body.innerText"))

    def centre(self, selector: str) -> tuple[float, float]:
        """Middle of an element, scrolled into sight."""
        place = f"document.querySelector({json.dumps(selector)})"
        self.js(f"{place}.scrollIntoView({{block: 'center'}})")
        x, y = self.js(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({place}.getBoundingClientRect())")
        return x, y

    def press(self, selector: str) -> None:
        """Click on an element."""
        self.release(self.hold(selector))

    def hold(self, selector: str) -> tuple[float, float]:
        """Press the mouse and leave it pressed; ``release`` ends it."""
        x, y = self.centre(selector)
        self._mouse("mouseMoved", x, y)
        self._mouse("mousePressed", x, y)
        return x, y

    def release(self, place: tuple[float, float]) -> None:
        """Let go."""
        self._mouse("mouseReleased", *place)

    def type(self, selector: str, text: str) -> None:
        """Put the cursor there and type."""
        self.js(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def key(self, key: str, hold: Callable[[], object] = lambda: None) -> None:
        """Press a key, with the page told as by a keyboard, and let go when ``hold`` is done."""
        code, number, text = {" ": ("Space", 32, " "), "Enter": ("Enter", 13, "\r")}[key]
        facts = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **facts)
        hold()
        self.call("Input.dispatchKeyEvent", type="keyUp", **facts)

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        """Size of the window in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def dark(self, dark: bool) -> None:
        """What the reader prefers."""
        value = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """A PNG of the page or of the window."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        """End the browser."""
        with contextlib.suppress(Exception):
            self.call("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        os.close(self._write)
        os.close(self._read)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _mouse(self, kind: str, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def _receive(self, seconds: float) -> dict[str, Any]:
        with selectors.DefaultSelector() as ready:
            ready.register(self._read, selectors.EVENT_READ)
            while b"\0" not in self._rest:
                if not ready.select(seconds):
                    raise TimeoutError("Chromium does not answer")
                part = os.read(self._read, 1 << 20)
                if not part:
                    raise RuntimeError("Chromium has ended")
                self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        """Keep what the page complains about."""
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.console.append(details.get("exception", {}).get("description", details["text"]))
        if event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.console.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")


def _pipe() -> tuple[int, int]:
    """Ends of a pipe with high numbers, clear of 3 and 4."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]
