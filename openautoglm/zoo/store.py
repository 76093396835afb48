"""Find an artifact by name or folder, and check what it holds before anything is loaded; needs no torch."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openautoglm.files import write_json as write_json
from openautoglm.types import WEIGHTS, Artifact
from openautoglm.zoo import hub

RELEASED = Path(__file__).parent / "weights"
_SEALED = hub.PLAIN_FILES


def released() -> list[str]:
    """Names of the artifacts that come with the package."""
    return sorted(path.parent.name for path in RELEASED.glob("*/config.json"))


def find(name_or_folder: str | Path) -> Artifact:
    """The artifact with a released name, in a folder, or made by a run; its checksums hold.

    Args:
        name_or_folder: such as ``"openautoglm-small"``, an artifact's folder, a run's folder, or
            ``"hf://owner/name"``, which is fetched from the Hugging Face Hub.

    Raises:
        ValueError: there is none, or a file of it is missing or changed.
        HubError: the Hub cannot be reached or has no such artifact.
    """
    if hub.is_address(str(name_or_folder)):
        artifact = Artifact(hub.fetch(str(name_or_folder)))
        check(artifact)
        return artifact
    folder = Path(name_or_folder).expanduser()
    for candidate in (folder / "artifact", folder, RELEASED / str(name_or_folder)):
        if (candidate / "config.json").is_file():
            artifact = Artifact(candidate)
            check(artifact)
            return artifact
    if folder.is_dir():
        raise ValueError(f"{folder} holds no artifact: expected config.json in it, or in its folder 'artifact'")
    names = ", ".join(released()) or "none yet"
    raise ValueError(
        f"{name_or_folder} is neither a folder nor a released name (released: {names}); a model of the Hugging Face "
        "Hub is named hf://owner/name"
    )


def is_own(artifact: Artifact) -> bool:
    """Whether a folder is the user's, and neither a release of the package nor a copy of the Hub's."""
    folder = artifact.folder.resolve()
    return not any(folder.is_relative_to(shared.resolve()) for shared in (RELEASED, hub.fetched_root()))


def check(artifact: Artifact) -> None:
    """Compare every file with its checksum in the manifest.

    Raises:
        ValueError: a file is missing or changed.
    """
    files = artifact.manifest.get("files")
    if not isinstance(files, dict) or not files:
        raise ValueError(
            f"{artifact.folder / 'manifest.json'} lists no files, so nothing of the artifact can be checked"
        )
    programs = artifact.manifest.get("programs") or {}
    needed = {weights for file, program in programs.items() if file in files for weights in program.get(WEIGHTS, ())}
    if unknown := sorted(needed - files.keys()):
        raise ValueError(
            f"{artifact.folder / 'manifest.json'} gives no checksum of {', '.join(unknown)}; export the model again"
        )
    for name, entry in files.items():
        path = (artifact.folder / name).resolve()
        if not path.is_relative_to(artifact.folder.resolve()):
            raise ValueError(f"{artifact.folder / 'manifest.json'} names {name!r}, which lies outside the artifact")
        if not path.is_file():
            raise ValueError(f"{path} is missing; train or download the artifact again")
        if sha256(path) != entry["sha256"]:
            raise ValueError(f"{path} is corrupt: its checksum is not the manifest's; train or download it again")


def seal(folder: Path, facts: dict[str, Any]) -> Artifact:
    """Write the manifest: the facts given, and the checksum of every file of the artifact."""
    names = [name for name in _SEALED if (folder / name).exists()]
    names += sorted(str(path.relative_to(folder).as_posix()) for path in (folder / "programs").glob("model*.*"))
    files = {name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in names}
    write_json(folder / "manifest.json", {"format": 1, **facts, "files": files})
    return Artifact(folder)


def build(folder: Path, write: Callable[[Path], None], facts: dict[str, Any]) -> Artifact:
    """Make an artifact whole or not at all: ``write`` fills a folder beside, which then takes the place of ``folder``.

    Other files of an existing ``folder`` (logs, checkpoints) stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".building-", dir=folder))
    try:
        write(fresh)
        seal(fresh, facts)
        # the manifest last: until it is there, nothing takes the folder for an artifact that holds
        (folder / "manifest.json").unlink(missing_ok=True)
        for path in sorted(fresh.iterdir(), key=lambda path: path.name == "manifest.json"):
            target = folder / path.name
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(path, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Artifact(folder)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
