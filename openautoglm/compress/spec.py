"""What every quantization.json has: the format it is written in, and the scheme that says who reads it."""

from __future__ import annotations

from typing import Any

FORMAT = 1


def new_spec(scheme: str, **content: Any) -> dict[str, Any]:
    """Plain data for quantization.json, of this version's format."""
    return {"format": FORMAT, "scheme": scheme, **content}


def check_spec(spec: dict[str, Any], scheme: str) -> None:
    """Refuse what this version, or this scheme, does not read.

    Raises:
        ValueError: the format or the scheme is another.
    """
    if spec.get("format") != FORMAT or spec.get("scheme") != scheme:
        raise ValueError(
            f"quantization.json has format {spec.get('format')!r}, scheme {spec.get('scheme')!r}; this version reads "
            f"format {FORMAT}, scheme {scheme!r} here: export the artifact again or update openautoglm"
        )
