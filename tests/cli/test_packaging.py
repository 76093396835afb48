"""What a wheel holds."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def settings(tool: str) -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][tool]


def test_every_package_is_listed():
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "openautoglm").rglob("__init__.py")}
    expected = {".".join(folder.parts) for folder in folders} | {"openautoglm.configs", "openautoglm.recipes"}
    assert set(settings("setuptools")["packages"]) == expected


def test_import_contracts_know_every_room():
    text = str(settings("importlinter")["contracts"])
    rooms = {path.parent.name for path in (ROOT / "openautoglm").glob("*/__init__.py")}
    assert not [room for room in rooms if f"openautoglm.{room}" not in text]


@pytest.mark.slow
def test_wheel_finds_its_recipes(tmp_path):
    pytest.importorskip("setuptools", "77")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("openautoglm", "configs", "recipes", "pyproject.toml", "LICENSE", "README.md"):
        (source / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", str(source)]
    subprocess.run([*command, "-w", str(tmp_path)], check=True)
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = "from openautoglm.cli.train import main; import sys; sys.exit(main(['--help']))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "distill_int8" in done.stdout
    assert (tmp_path / "site/openautoglm/configs/train.yaml").exists()
