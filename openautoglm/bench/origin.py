"""Where a measurement comes from: versions, device and commit."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

import openautoglm
from openautoglm.bench.result import DeviceResult
from openautoglm.machine import num_cores

PACKAGES = (
    "openautoglm", "torch", "torchvision", "torchao", "lightning", "timm", "torchmetrics", "datasets", "numpy",
    "executorch", "litert-torch", "ai-edge-litert", "onnx", "onnxscript", "onnxruntime",
)  # fmt: skip


def collect_versions() -> dict[str, str]:
    """Versions of Python and of every package that can change a figure; what is not installed is left out."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def collect_device(*, num_threads: int | None, accelerator: str) -> DeviceResult:
    """The processor and how many of its cores this process may use."""
    return DeviceResult(cpu=_cpu_name(), num_cores=num_cores(), num_threads=num_threads, accelerator=accelerator)


def collect_commit() -> str | None:
    """Commit of the package's own repository, ``+changes`` where files differ from it; None outside one."""
    folder = Path(openautoglm.__file__).parent
    # An installed package may lie in the folder of someone else's repository: it must be tracked there.
    if not _git(folder, "ls-files", "__init__.py"):
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    return f"{commit}+changes" if _git(folder, "status", "--porcelain", "--", ".") else commit


def _git(folder: Path, *arguments: str) -> str:
    """What git prints; empty where there is no git, no repository or no answer."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu_name() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, None) or platform.processor() or platform.machine() or None
