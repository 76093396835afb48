"""What the page tells a person instead of doing what they asked."""

from __future__ import annotations


class RefusedError(ValueError):
    """One plain sentence for the person at the page.

    Args:
        sentence: what came, what was expected, what to do.
        status: of the HTTP answer.
    """

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


class CopyError(RefusedError):
    """The very same picture is there already."""
