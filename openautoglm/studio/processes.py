"""Trainings as processes of their own: begun, found again by number and start, and ended without leaving any behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_PATIENCE_SECONDS = 8.0
"""How long a training may take to end by itself."""


_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
"""Begun by this process, which has to take note of their end."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A process, known beyond the life of who began it."""

    pid: int
    started: float


def begin(command: Sequence[str], *, log: Path) -> Running:
    """Start a command that goes on when the studio ends; what it prints goes to the log."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=os.name == "posix",  # Ctrl-C of the studio is not its own
        )
    _CHILDREN[process.pid] = process
    return Running(pid=process.pid, started=psutil.Process(process.pid).create_time())


def find(running: Running) -> psutil.Process | None:
    """The process, None when it has ended."""
    if child := _CHILDREN.get(running.pid):
        child.poll()
    with suppress(psutil.Error):
        process = psutil.Process(running.pid)
        if process.create_time() == running.started and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def end(running: Running) -> None:
    """Ask it to stop, then stop it; its own children as well."""
    process = find(running)
    if process is None:
        return
    family = [process]
    with suppress(psutil.Error):
        family += process.children(recursive=True)
    for member in family:
        with suppress(psutil.Error):
            member.terminate()
    _, left = psutil.wait_procs(family, timeout=_PATIENCE_SECONDS)
    for member in left:
        with suppress(psutil.Error):
            member.kill()
    psutil.wait_procs(left, timeout=_PATIENCE_SECONDS)
