"""Small files are whole."""

from __future__ import annotations

import json

import pytest

from openautoglm.files import write_json


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "curves.json"
    write_json(path, {"手": 1})
    with pytest.raises(TypeError):
        write_json(path, {"手": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"手": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["curves.json"]
