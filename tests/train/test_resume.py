"""A training killed by SIGKILL and resumed ends with the weights of the uninterrupted one, bit for bit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).parent / "child.py"
PHASES = ("float", "kd", "hints", "qat", "qat-fold")


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    pytest.importorskip("executorch")
    whole, cut = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("cut")
    command = [sys.executable, "-W", "ignore", str(CHILD), str(whole), str(cut)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stderr
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
