"""Latency of an artifact's programs, each in the runtime it was made for, all in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from openautoglm.bench.latency import measure
from openautoglm.bench.result import LatencyResult
from openautoglm.runtime.engines import SUFFIXES, Engine, open_engine
from openautoglm.types import Artifact


@dataclass(frozen=True)
class ProgramLatency:
    """One method of one program.

    Attributes:
        program: file name.
        method: such as ``"look"``.
        runtime: who ran it.
        input_shape: of the picture, ``(1, 3, h, w)``.
        size_kb: of the file, all its methods together, with the weights that other files may share.
        latency_ms: of a picture, preparation not included.
    """

    program: str
    method: str
    runtime: str
    input_shape: tuple[int, ...]
    size_kb: float
    latency_ms: LatencyResult


def measure_programs(
    artifact: Artifact, *, runtimes: Sequence[str] = tuple(SUFFIXES), rounds: int = 50, num_threads: int = 1
) -> tuple[ProgramLatency, ...]:
    """Time every method that the manifest lists for some runtimes.

    Args:
        artifact: with exported programs.
        runtimes: of ``"executorch"``, ``"litert"`` and ``"onnx"``.
        rounds: of the timing.
        num_threads: of each runtime.

    Raises:
        ValueError: a runtime is unknown, or the artifact has no program for any of them.
    """
    unknown = [runtime for runtime in runtimes if runtime not in SUFFIXES]
    if unknown:
        raise ValueError(f"no runtime is called {unknown[0]!r}; choose from {', '.join(SUFFIXES)}")
    found = open_programs(artifact, runtimes, num_threads)
    if not found:
        raise ValueError(
            f"{artifact.folder} has no program for {', '.join(runtimes)}: export it first, or choose other runtimes"
        )
    random = np.random.default_rng(0)
    pictures = {key: random.random(engine.input_shape, np.float32) for key, engine in found.items()}
    runners = {" ".join(key): partial(engine.run_named, pictures[key]) for key, engine in found.items()}
    times = measure(runners, rounds=rounds, num_threads=num_threads)
    return tuple(
        ProgramLatency(
            program=Path(file).name,
            method=method,
            runtime=engine.runtime,
            input_shape=engine.input_shape,
            size_kb=artifact.num_bytes(file) / 1e3,
            latency_ms=times[f"{file} {method}"].to_result(),
        )
        for (file, method), engine in found.items()
    )


def open_programs(artifact: Artifact, runtimes: Sequence[str], num_threads: int) -> dict[tuple[str, str], Engine]:
    """An engine for each file and method that the manifest lists for some runtimes."""
    return {
        (file, method): open_engine(
            program["runtime"],
            artifact.folder / file,
            method=method,
            output_names=[output["name"] for output in described["outputs"]],
            num_threads=num_threads,
        )
        for file, program in artifact.manifest.get("programs", {}).items()
        if program["runtime"] in runtimes
        for method, described in program["methods"].items()
    }
