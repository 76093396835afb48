"""What a study measures of a net: its ExecuTorch program, and what is known of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from openautoglm.artifacts import build_model
from openautoglm.bench.cost import macs_of
from openautoglm.bench.plain import build
from openautoglm.bench.result import to_plain
from openautoglm.export.backend import get_backend
from openautoglm.stages.exported import refuse_float_operations
from openautoglm.stages.programs import ProgramFacts, export_artifact
from openautoglm.types import Artifact
from openautoglm.zoo import store


@dataclass(frozen=True, kw_only=True)
class Net:
    """One net.

    Attributes:
        program: for ExecuTorch.
        facts: on the program.
        artifact_kb: of the stored weights; None where these are not the program's.
        macs: multiply-adds of a picture.
    """

    program: Path
    facts: ProgramFacts
    artifact_kb: float | None
    macs: int


def made_net(place: Path) -> Net:
    """A net that the study has made; its program is written unless it is there."""
    artifact = store.find(place)
    return Net(
        program=place / "programs" / "model.pte",
        facts=_program(place),
        artifact_kb=artifact.weights.stat().st_size / 1e3,
        macs=macs_of(build_model(artifact.config)),
    )


def shipped_net(artifact: Artifact) -> Net:
    """A net with the INT8 program that it came with.

    Raises:
        ValueError: it has no program for ExecuTorch, or one that computes in float.
    """
    path = artifact.program("pte")
    if not path.exists():
        raise ValueError(f"{artifact.folder} has no program for executorch: export it first")
    census = get_backend("executorch").census(path)
    refuse_float_operations(path, census)
    facts = ProgramFacts(
        runtime="executorch",
        files=(path.name,),
        kind="int8",
        size_kb=path.stat().st_size / 1e3,
        num_int8=census.num_int8_heavy,
        num_float=len(census.float_heavy),
        num_partitions=census.num_partitions,
    )
    # a release keeps float weights beside its integer programs, for those who train on
    weights_kb = artifact.weights.stat().st_size / 1e3 if artifact.is_quantized else None
    return Net(program=path, facts=facts, artifact_kb=weights_kb, macs=macs_of(build_model(artifact.config)))


def _program(place: Path) -> ProgramFacts:
    told = place / "program.json"
    if told.exists():
        found: ProgramFacts = build(ProgramFacts, json.loads(told.read_text(encoding="utf-8")))
        return found
    _, (facts,) = export_artifact(place, backends=["executorch"])
    store.write_json(told, to_plain(facts))
    return facts
