"""One sentence and a code."""

import errno

import pytest
from lightning.fabric.utilities.exceptions import MisconfigurationException

from openautoglm.cli.errors import guard
from openautoglm.types import MissingExtraError


def end(error: BaseException, capsys, advice: str | None = None) -> tuple[int, str]:
    def work() -> int:
        raise error

    code = guard(work, lambda: advice)
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("two\n   lines"), "two lines"),
        (MissingExtraError("executorch", "export"), "openautoglm[export]"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/a/手"), "/a/手: there is no such file or folder"),
        (PermissionError(errno.EACCES, "Permission denied", "/a"), "/a: permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on the disk"),
        (RuntimeError("PytorchStreamWriter failed writing file data/0"), "no space left on the disk"),
        (MisconfigurationException("No supported gpu backend found!"), "No supported gpu backend found!"),
    ],
)
def test_users_errors_are_one_sentence_and_code_2(error, words, capsys):
    code, text = end(error, capsys)
    assert code == 2
    assert words in text
    assert text.count("\n") == 1
    assert "Traceback" not in text


def test_full_disk_is_found_behind_another_error(capsys):
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as cause:
            raise RuntimeError("could not write") from cause
    except RuntimeError as error:
        code, text = end(error, capsys)
    assert (code, "no space left" in text) == (2, True)


def test_debug_shows_the_traceback(capsys, monkeypatch):
    monkeypatch.setenv("OPENAUTOGLM_DEBUG", "1")
    code, text = end(ValueError("wrong"), capsys)
    assert code == 2
    assert "Traceback" in text


def test_faults_of_the_program_keep_their_traceback(capsys):
    with pytest.raises(KeyError):
        end(KeyError("x"), capsys)


def test_ctrl_c_says_how_to_go_on(capsys):
    assert end(KeyboardInterrupt(), capsys, "go on with:  resume=x") == (130, "stopped.\ngo on with:  resume=x\n")


def test_lightnings_exit_after_ctrl_c_is_ctrl_c(capsys):
    def work() -> int:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise SystemExit(1) from None

    assert guard(work) == 130
    assert capsys.readouterr().err == "stopped.\n"


def test_other_exits_pass(capsys):
    with pytest.raises(SystemExit):
        end(SystemExit(3), capsys)
