"""The methods of an artifact's program, loaded."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, takewhile

from openautoglm.runtime.engines import Engine, open_engine
from openautoglm.types import Artifact

LOOK, GLANCE, NEAR = "look", "glance", "near"


def open_methods(artifact: Artifact, runtime: str, num_threads: int) -> dict[str, Engine]:
    """Engine of each method that the manifest lists for a runtime.

    Raises:
        ValueError: there is no program for it, or a file's checksum is not known.
    """
    manifest = artifact.manifest
    programs = manifest.get("programs", {})
    engines: dict[str, Engine] = {}
    for file, program in programs.items():
        if program["runtime"] != runtime:
            continue
        if file not in manifest["files"]:
            raise ValueError(f"{artifact.folder / 'manifest.json'} gives no checksum of {file}; export the model again")
        for method, description in program["methods"].items():
            engines[method] = open_engine(
                runtime,
                artifact.folder / file,
                method=method,
                output_names=[output["name"] for output in description["outputs"]],
                num_threads=num_threads,
            )
    if not {LOOK}.union(*(program["methods"] for program in programs.values())) <= engines.keys():
        found = ", ".join(sorted({one["runtime"] for one in programs.values()} - {runtime})) or "no runtime at all"
        raise ValueError(f"{artifact.folder} has no program for {runtime}, only for {found}: choose that, or export it")
    return engines


def parts_of_look(engines: Mapping[str, Engine]) -> tuple[Engine, ...]:
    """The parts that early exits cut a look into, in order; none where there is no exit."""
    names = takewhile(engines.__contains__, (f"{LOOK}_{number}" for number in count(1)))
    return tuple(engines[name] for name in names)
