"""How a command ends: one sentence and a code for what users can mend, a traceback for what they cannot."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterator

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from openautoglm.types import MissingExtraError

OK, USER_ERROR, INTERRUPTED = 0, 2, 130

# Raised by packages that are slow to import: known by name, so that `--help` stays quick.
_FOREIGN_USER_ERRORS = frozenset({"MisconfigurationException", "SafetensorError"})
_FULL_DISK = ("No space left on device", "PytorchStreamWriter failed", "Disk quota exceeded")


def guard(work: Callable[[], int], advice: Callable[[], str | None] = lambda: None) -> int:
    """Run a command and turn what ends it into an exit code.

    Args:
        work: the command.
        advice: asked after an interruption or an error for how to go on.
    """
    try:
        return work()
    except BrokenPipeError:  # `--help | head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - lives until the process ends
        return OK
    except (KeyboardInterrupt, SystemExit) as error:
        if isinstance(error, SystemExit) and not _was_interrupted(error):
            raise
        _say("stopped." + _go_on(advice))
        return INTERRUPTED
    except Exception as error:
        sentence = describe(error)
        if sentence is None:
            _say("this is a fault of openautoglm, not of your command." + _go_on(advice))
            raise
        if os.environ.get("OPENAUTOGLM_DEBUG", "0") not in ("", "0"):
            traceback.print_exception(error)
        _say(f"error: {sentence}" + _go_on(advice))
        return USER_ERROR


def describe(error: BaseException) -> str | None:
    """One sentence for an error that the user can mend, None for any other."""
    for link in _chain(error):
        if isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT):
            return "no space left on the disk: make room, then start again"
    text = " ".join(str(error).split())
    if any(phrase in text for phrase in _FULL_DISK):
        return "no space left on the disk: make room, then start again"
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"{_name(error.filename)}: there is no such file or folder"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{_name(error.filename)}: {(error.strerror or text).lower()}"
    known = (ValueError, MissingExtraError, OSError, HydraException, OmegaConfBaseException)
    if isinstance(error, known) or any(kind.__name__ in _FOREIGN_USER_ERRORS for kind in type(error).__mro__):
        return text or type(error).__name__
    return None


def _name(filename: object) -> str:
    return os.fsdecode(filename) if isinstance(filename, str | bytes) else str(filename)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _was_interrupted(error: BaseException) -> bool:
    """Lightning turns Ctrl-C into ``SystemExit(1)``; the KeyboardInterrupt stays in its context."""
    return any(isinstance(link, KeyboardInterrupt) for link in _chain(error))


def _go_on(advice: Callable[[], str | None]) -> str:
    line = advice()
    return f"\n{line}" if line else ""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
