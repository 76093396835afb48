"""The Hugging Face Hub: fetch an artifact, or put one there. What comes from it is data; nothing of it is executed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from openautoglm.home import cache_dir

T = TypeVar("T")
PLAIN_FILES = ("config.json", "model.safetensors", "quantization.json", "README.md")
"""Files of an artifact besides its programs and its manifest."""
_FILES = ["manifest.json", *PLAIN_FILES, "programs/model*.*"]
_ADDRESS = re.compile(r"(?:hf://|hf-hub:)([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_WAITS_S = (1.0, 3.0)


class HubError(ValueError):
    """The Hub could not be reached, or has no such artifact."""


def is_address(name: str) -> bool:
    """Whether a name means the Hub: ``hf://owner/name``, ``hf://owner/name@revision`` or ``hf-hub:owner/name``."""
    return name.startswith(("hf://", "hf-hub:"))


def fetched_root() -> Path:
    """Where downloads lie."""
    return cache_dir() / "hub"


def fetch(address: str) -> Path:
    """Download an artifact into the cache, or what is missing of it; its folder, whose checksums the caller verifies.

    A download that breaks off is gone on with, after 1 and after 3 seconds.

    Args:
        address: see ``is_address``.

    Raises:
        HubError: three attempts failed, or there is no such repository.
    """
    repository, revision = _parts(address)
    folder = fetched_root() / repository.replace("/", "--") / (revision or "main").replace("/", "--")

    def download() -> Path:
        from huggingface_hub import snapshot_download

        found = snapshot_download(repository, revision=revision, local_dir=folder, allow_patterns=_FILES)
        return Path(found)

    try:
        return _persist(download)
    except Exception as error:  # a refused connection, a proxy, a missing repository: each its own kind
        if (folder / "manifest.json").is_file() and not _is_answer(error):
            return folder  # no network, but it was fetched before; the caller verifies it
        raise HubError(
            f"{address} cannot be fetched ({_first_line(error)}); check the name and the network, or give a folder"
        ) from None


def push(folder: Path, address: str, *, private: bool = False) -> str:
    """Put an artifact on the Hub, as whoever has logged in by ``hf auth login``; returns its page.

    Args:
        folder: of the artifact; its files alone are uploaded.
        address: ``hf://owner/name``.
        private: of a repository that does not exist yet.

    Raises:
        HubError: nobody has logged in, the account may not write there, or three attempts failed.
    """
    repository, revision = _parts(address)

    def upload() -> str:
        from huggingface_hub import HfApi

        api = HfApi()
        page = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            revision=revision,
            allow_patterns=_FILES,
            delete_patterns="programs/*.weights",  # of programs that were there before
        )
        return str(page)

    try:
        return _persist(upload)
    except Exception as error:
        raise HubError(
            f"{folder.name} cannot be put at {address} ({_first_line(error)}); log in with  hf auth login  as someone "
            "who may write there"
        ) from None


def _parts(address: str) -> tuple[str, str | None]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise HubError(f"{address!r} is no address on the Hub; expected hf://owner/name or hf://owner/name@revision")
    return found[1], found[2]


def _persist(attempt: Callable[[], T]) -> T:
    """Three attempts; an answer of the Hub, such as that there is no such repository, is final."""
    for wait_s in _WAITS_S:
        try:
            return attempt()
        except Exception as error:
            if _is_answer(error):
                raise
            time.sleep(wait_s)
    return attempt()


def _is_answer(error: Exception) -> bool:
    """Whether the Hub itself said no, which waiting does not change."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return isinstance(error, ImportError) or (status is not None and 400 <= status < 500 and status not in (408, 429))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
