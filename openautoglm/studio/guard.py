"""The door: who may ask, how much may come in, and what a browser may do with the answers.

The page is for the person at this machine. Other sites that this person visits could reach it too, by a name of their
own that leads here (DNS rebinding) or by sending forms; the names in Host and Origin give them away.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_READS = frozenset({"GET", "HEAD"})
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class Guard:
    """Wraps an application.

    Args:
        app: what is guarded.
        host: address that is listened on; beyond loopback, any address in numbers is taken for a name of this machine.
        max_bytes: of a request.
    """

    def __init__(self, app: ASGIApp, *, host: str, max_bytes: int) -> None:
        self.app = app
        self.names = _LOOPBACK | {host}
        self.is_open = host not in _LOOPBACK
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with the whole request and safe headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        body = None if refusal else await self._read(receive)
        if body is None:
            status, sentence = refusal or (413, f"Too large: a file has {self.max_bytes // 1_000_000} MB at most.")
            await JSONResponse({"error": sentence}, status)(scope, receive, send_safely)
            return
        given = False

        async def receive_whole() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, receive_whole, send_safely)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_own(host):
            return 403, "The studio is not called so: open the address that it printed."
        if scope["method"] not in _READS:
            origin = urlsplit(headers.get("origin", ""))
            if origin.netloc != host or origin.scheme not in ("http", "https"):
                return 403, "Only the studio's own page may change anything."
        return None

    def _is_own(self, host: str) -> bool:
        name = urlsplit(f"//{host}").hostname or ""
        return name in self.names or (self.is_open and _is_address(name))

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body, None when it is too large."""
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self.max_bytes:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
