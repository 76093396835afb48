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

_INT8 = {
    "avx512_vnni": "AVX512 VNNI", "avx_vnni": "AVX VNNI", "avx512bw": "AVX512", "avx2": "AVX2",
    "i8mm": "I8MM", "asimddp": "dot product", "asimd": "NEON",
}  # fmt: skip
"""Instructions for products of INT8 as Linux names them, the fastest of each family first; the nets for whole frames
take about twice as long by AVX2 as by VNNI."""


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
    """The processor, what it computes INT8 by, and how many of its cores this process may use."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        cpuinfo = ""
    return DeviceResult(
        cpu=_said(cpuinfo, "model name") or platform.processor() or platform.machine() or None,
        int8=int8_instructions(cpuinfo),
        num_cores=num_cores(),
        num_threads=num_threads,
        accelerator=accelerator,
    )


def int8_instructions(cpuinfo: str) -> str | None:
    """The fastest instructions for products of INT8 that Linux' ``/proc/cpuinfo`` names; None where it names none."""
    known = (_said(cpuinfo, "flags") or _said(cpuinfo, "Features") or "").split()
    return next((name for flag, name in _INT8.items() if flag in known), None)


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


def _said(cpuinfo: str, key: str) -> str | None:
    """What the first processor of ``/proc/cpuinfo`` says of something."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key and value.strip()), None)
