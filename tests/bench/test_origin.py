import platform
import subprocess

import pytest

import openautoglm
from openautoglm.bench import origin


def test_versions_and_device():
    versions = origin.collect_versions()
    assert versions["python"] == platform.python_version()
    assert versions["torch"].startswith("2.")
    device = origin.collect_device(num_threads=1, accelerator="cpu")
    assert device.num_cores >= 1
    assert device.cpu
    assert (device.num_threads, device.accelerator) == (1, "cpu")


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512bw avx512_vnni\n", "AVX512 VNNI"),
        ("model name\t: avx512_vnni\nflags\t\t: fpu avx avx2 fma\nflags\t\t: avx_vnni\n", "AVX2"),
        ("Features\t: fp asimd evtstrm asimddp\n", "dot product"),
        ("Features\t: fp asimd evtstrm\n", "NEON"),
        ("flags\t\t: fpu sse2\n", None),
        ("", None),
    ],
)
def test_int8_instructions(cpuinfo, expected):
    assert origin.int8_instructions(cpuinfo) == expected


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_commit_is_of_the_package_alone(tmp_path, monkeypatch):
    package = tmp_path / "openautoglm"
    package.mkdir()
    file = package / "__init__.py"
    file.write_text("")
    monkeypatch.setattr(openautoglm, "__file__", str(file))
    assert origin.collect_commit() is None
    git(tmp_path, "init")
    (tmp_path / "other").write_text("")
    git(tmp_path, "add", "other")
    git(tmp_path, "commit", "-m", "someone else's repository")
    assert origin.collect_commit() is None
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "the package")
    commit = origin.collect_commit()
    assert len(commit) == 40
    file.write_text("x = 1")
    assert origin.collect_commit() == f"{commit}+changes"
