import sys

import pytest

from openautoglm.train import memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_glibc_takes_the_settings():
    assert memory.keep_freed_memory()


def test_elsewhere_nothing_is_called(monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda *_: pytest.fail("no glibc here"))
    assert not memory.keep_freed_memory()
