"""Standard error of native code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from openautoglm.runtime.quiet import quiet_stderr


@contextmanager
def chatter(text: bytes) -> Iterator[None]:
    with quiet_stderr():
        os.write(2, text)
        yield


def test_silent_when_all_is_well(capfd):
    with quiet_stderr():
        os.write(2, b"native chatter\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_told_when_it_fails(capfd):
    with pytest.raises(RuntimeError), chatter(b"the reason\n"):
        raise RuntimeError
    assert capfd.readouterr().err == "the reason\n"


def test_silent_about_the_users_mistake(capfd):
    with pytest.raises(ValueError, match="yours"), chatter(b"native chatter\n"):
        raise ValueError("yours")
    assert capfd.readouterr().err == ""


def test_verbose(capfd, monkeypatch):
    monkeypatch.setenv("OPENAUTOGLM_VERBOSE", "1")
    with quiet_stderr():
        os.write(2, b"native chatter\n")
    assert capfd.readouterr().err == "native chatter\n"
