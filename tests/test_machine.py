from __future__ import annotations

import os
import subprocess
import sys

import pytest

from openautoglm.machine import num_cores


def test_cores_are_those_that_the_process_may_use():
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system binds no process to cores")
    allowed = min(os.sched_getaffinity(0))
    bind = f"import os; os.sched_setaffinity(0, {{{allowed}}})"
    code = f"{bind}; from openautoglm.machine import num_cores; print(num_cores())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"
    assert num_cores() == len(os.sched_getaffinity(0))


def test_systems_that_do_not_bind_count_them_all(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert num_cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert num_cores() == 1
