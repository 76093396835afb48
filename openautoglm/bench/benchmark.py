"""The three answers of ``scripts/benchmark.py``, whole: figures, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openautoglm.bench.cost import ProgramCost, measure_cost, widest_attention
from openautoglm.bench.fusion import FusionRow, measure_fusion
from openautoglm.bench.origin import collect_commit, collect_device, collect_versions
from openautoglm.bench.programs import ProgramLatency, measure_programs
from openautoglm.bench.result import DeviceResult
from openautoglm.bench.takeover import Takeover, measure_takeover
from openautoglm.models import create_model
from openautoglm.runtime.engines import SUFFIXES
from openautoglm.types import Artifact
from openautoglm.zoo import store


@dataclass(frozen=True, kw_only=True)
class CostReport:
    """What a model costs.

    Attributes:
        model: name of the architecture.
        arguments: it was built with.
        programs: every method, block by block.
        takeover: attention over growing maps at the widths of the model's widest; None for a model without.
    """

    model: str
    arguments: dict[str, Any]
    programs: tuple[ProgramCost, ...]
    takeover: Takeover | None
    rounds: int
    measured: bool
    versions: dict[str, str]
    device: DeviceResult
    commit: str | None = None


@dataclass(frozen=True, kw_only=True)
class LatencyReport:
    """What an artifact's programs take.

    Attributes:
        artifact: by its manifest's name.
        programs: every method in every runtime.
    """

    artifact: str
    programs: tuple[ProgramLatency, ...]
    rounds: int
    measured: bool
    versions: dict[str, str]
    device: DeviceResult
    commit: str | None = None


@dataclass(frozen=True, kw_only=True)
class FusionReport:
    """What fusion leaves of a net.

    Attributes:
        artifact: by its manifest's name.
        forms: the net as it is trained, and every program.
    """

    artifact: str
    forms: tuple[FusionRow, ...]
    rounds: int
    measured: bool
    versions: dict[str, str]
    device: DeviceResult
    commit: str | None = None


def report_cost(architecture: str, arguments: dict[str, Any], *, rounds: int, num_threads: int) -> CostReport:
    """Measure a model with fresh weights, which cost what trained ones do.

    Args:
        architecture: registered name.
        arguments: of its builder.
        rounds: of the timing.
        num_threads: of PyTorch.
    """
    model = create_model(architecture, **arguments)
    attention = widest_attention(model)
    programs = measure_cost(model, rounds=rounds, num_threads=num_threads)
    takeover = None if attention is None else measure_takeover(attention, rounds=rounds, num_threads=num_threads)
    return CostReport(
        model=architecture, arguments=arguments, programs=programs, takeover=takeover, **_origin(rounds, num_threads)
    )


def report_latency(
    artifact: str, *, runtimes: Sequence[str] = tuple(SUFFIXES), rounds: int, num_threads: int
) -> LatencyReport:
    """Measure the programs of an artifact.

    Args:
        artifact: released name, artifact's folder or run's folder.
        runtimes: which of them.
        rounds: of the timing.
        num_threads: of each runtime.
    """
    found = store.find(artifact)
    programs = measure_programs(found, runtimes=runtimes, rounds=rounds, num_threads=num_threads)
    return LatencyReport(artifact=_name(found), programs=programs, **_origin(rounds, num_threads))


def report_fusion(
    artifact: str, *, runtimes: Sequence[str] = tuple(SUFFIXES), rounds: int, num_threads: int
) -> FusionReport:
    """Count the operations of an artifact's net and of its programs, and time them; arguments as ``report_latency``."""
    found = store.find(artifact)
    forms = measure_fusion(found, runtimes=runtimes, rounds=rounds, num_threads=num_threads)
    return FusionReport(artifact=_name(found), forms=forms, **_origin(rounds, num_threads))


def _name(artifact: Artifact) -> str:
    return str(artifact.manifest.get("name", artifact.folder.name))


def _origin(rounds: int, num_threads: int) -> dict[str, Any]:
    return {
        "rounds": rounds,
        "measured": True,
        "versions": collect_versions(),
        "device": collect_device(num_threads=num_threads, accelerator="cpu"),
        "commit": collect_commit(),
    }
