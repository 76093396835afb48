"""A training killed by SIGKILL and resumed ends with the weights of the uninterrupted one, bit for bit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).parent / "child.py"
PHASES = ("float", "kd", "hints", "qat", "qat-fold")
# 6 steps an epoch, 4 epochs: in the first epoch, in the middle, and after the scales were frozen
KILL_AT = {"float": 3, "kd": 9, "hints": 14, "qat": 10, "qat-fold": 15}


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", str(CHILD), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    pytest.importorskip("executorch")
    whole, cut = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("cut")
    whole_run = start(",".join(PHASES), whole)
    for phase in PHASES:
        killed = start(phase, cut, KILL_AT[phase])
        _, errors = killed.communicate(timeout=240)
        assert killed.returncode == -signal.SIGKILL, errors
    resumed = start(",".join(PHASES), cut)
    for process in (resumed, whole_run):
        _, errors = process.communicate(timeout=400)
        assert process.returncode == 0, errors
    return {"whole": whole, "cut": cut}


@pytest.mark.parametrize("phase", PHASES)
def test_weights_are_equal_bit_for_bit(folders, phase):
    whole, cut = (folders[name] / phase / "final.safetensors" for name in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()


@pytest.mark.parametrize("phase", PHASES)
def test_curves_have_each_epoch_once(folders, phase):
    rows = {name: json.loads((folders[name] / phase / "curves.json").read_text()) for name in ("whole", "cut")}
    assert [row["epoch"] for row in rows["cut"]] == [0, 1, 2, 3]
    assert rows["cut"] == rows["whole"]


def test_weights_did_move(folders):
    from safetensors.torch import load_file

    sys.path.insert(0, str(CHILD.parent))
    from child import build

    fresh = build("float").model.state_dict()
    trained = load_file(folders["whole"] / "float" / "final.safetensors")
    assert any(not trained[name].equal(tensor) for name, tensor in fresh.items())
