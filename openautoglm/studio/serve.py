"""Listens until Ctrl-C, and says where."""

from __future__ import annotations

import errno
import socket
import webbrowser
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from rich.console import Console
from starlette.types import ASGIApp

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(app: ASGIApp, *, host: str, port: int, open_browser: bool, leaving: Callable[[], str | None]) -> None:
    """Serve until Ctrl-C.

    Args:
        app: the studio.
        host: address to listen on.
        port: 0 takes a free one.
        open_browser: show the page.
        leaving: asked at the end for a sentence to print.

    Raises:
        ValueError: nothing can be listened on there.
    """
    console = Console(highlight=False)
    with _listen(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listener.getsockname()[1]}"
        console.print(f"openautoglm studio: [bold]{address}[/]   (Ctrl-C ends it)", soft_wrap=True)
        if host not in _LOOPBACK:
            console.print(
                "[yellow]![/] everybody in this network can see and change the pictures; browsers give pages from "
                "other machines no camera, only pictures can be dropped there",
                soft_wrap=True,
            )
        if open_browser:
            webbrowser.open(address)
        settings = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=3)
        with suppress(KeyboardInterrupt):  # how it is meant to end
            uvicorn.Server(settings).run(sockets=[listener])
    sentence = leaving()
    if sentence:
        console.print(sentence, soft_wrap=True)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=64)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            hint = f"is a studio open already? Choose another: port={port + 1}"
            raise ValueError(f"port {port} is taken; {hint}") from None
        raise ValueError(f"host={host} port={port}: {(error.strerror or str(error)).lower()}") from None
