"""Renders a split into a folder with several processes and a progress bar; their number changes no picture."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from openautoglm.data.synthetic.worker import Job, Settings, layout, render_rows
from openautoglm.machine import num_cores
from openautoglm.progress import progress_bar

_CHUNK_BYTES = 16 * 2**20
_FEW_ROWS = 256
_MOST_PROCESSES = 8


def render_split(folder: Path, settings: Settings, num_rows: int, num_workers: int | None) -> None:
    """Fill ``folder`` with the files of a split and ``fingerprint.json``.

    Args:
        folder: empty folder.
        settings: what to draw.
        num_rows: number of pictures or frames.
        num_workers: processes; None takes one for each core.
    """
    for name, (shape, dtype) in layout(settings, num_rows).items():
        _reserve(folder / f"{name}.npy", shape, dtype)
    if num_workers is None:
        num_workers = 1 if num_rows <= _FEW_ROWS else min(_MOST_PROCESSES, num_cores())
    job = Job(settings, str(folder), num_rows, 0, 1)
    with progress_bar() as progress:
        task = progress.add_task(f"rendering {settings.split} of synthetic", total=num_rows)

        def advance(count: int) -> None:
            progress.advance(task, count)

        if num_workers == 1:
            render_rows(job, advance)
        else:
            _run([replace(job, first=i, step=num_workers) for i in range(num_workers)], advance)
    (folder / "fingerprint.json").write_text(json.dumps({"fingerprint": _fingerprint(folder)}), encoding="utf-8")


def _reserve(path: Path, shape: tuple[int, ...], dtype: str) -> None:
    """Make a file of its final size on the disk: writing to a hole of a full disk would kill the process."""
    np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape).flush()
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _run(jobs: list[Job], advance: Callable[[int], None]) -> None:
    package_root = str(Path(__file__).resolve().parents[3])
    known = os.environ.get("PYTHONPATH")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([package_root, *([known] if known else [])])}
    command = [sys.executable, "-m", "openautoglm.data.synthetic.worker"]
    news: queue.Queue[int | None] = queue.Queue()
    with tempfile.TemporaryFile("w+") as complaints:
        processes = [
            subprocess.Popen(
                [*command, job.to_json()], env=environment, text=True, stdout=subprocess.PIPE, stderr=complaints
            )
            for job in jobs
        ]
        try:
            for process in processes:
                assert process.stdout is not None
                threading.Thread(target=_listen, args=(process.stdout, news), daemon=True).start()
            num_open = len(processes)
            while num_open:
                count = news.get()
                num_open -= count is None
                advance(count or 0)
            codes = [process.wait() for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
        if any(codes):
            complaints.seek(0)
            last = (complaints.read().strip().splitlines() or [f"exit codes {codes}"])[-1]
            raise RuntimeError(f"a rendering process failed: {last}")


def _listen(stream: IO[str], news: queue.Queue[int | None]) -> None:
    for line in stream:
        news.put(int(line))
    news.put(None)


def _fingerprint(folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in ("images", "labels"):
        rows = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        step = max(1, _CHUNK_BYTES * len(rows) // rows.nbytes)
        for start in range(0, len(rows), step):
            digest.update(np.ascontiguousarray(rows[start : start + step]).data)
    return digest.hexdigest()
